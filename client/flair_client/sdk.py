"""Repositories for programs: what the command does, without the command.

Everything here raises the errors of `flair_client.errors` and prints nothing. Settings
come from where the command takes them: environment and files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Literal, Self

from flair_client.chain.signer import load_wallet
from flair_client.context import Context
from flair_client.errors import (
    AccountMissing,
    NotAWorkspace,
    RefUnknown,
    UsageError,
    VerificationError,
)
from flair_client.history.verify import last_valid_head
from flair_client.ids import CommitId
from flair_client.objects import Manifest
from flair_client.opening import open_context
from flair_client.porcelain.checkout import blocks_of, manifest_of
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import Committed, commit
from flair_client.porcelain.log import LogEntry, LogGap, log
from flair_client.porcelain.new_weights import new_weights
from flair_client.porcelain.pull import Pulled, pull
from flair_client.porcelain.push import push
from flair_client.porcelain.pushed import Pushed
from flair_client.porcelain.reading import Reading, reading_here, reading_there
from flair_client.porcelain.refs import resolve, resolve_commit, verified_commits
from flair_client.porcelain.target import find_repo
from flair_client.porcelain.trust import TrustShown, trust
from flair_client.porcelain.verify import Verified, verify
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.repo_address import RepoAddress, resolve_repo_address
from flair_client.settings import Flags, Settings, load_settings
from flair_client.store.base import Store
from flair_client.weights import load_tensor
from flair_client.weights.exporting import header_of
from flair_client.weights.foreign import save_foreign, ties_of
from flair_client.weights.live_objects import weights_of
from flair_client.weights.torch_file import load_state_dict
from flair_client.workspace import Workspace, find_workspace

Framework = Literal["numpy", "pt"]
_DEFAULT_BRANCH: Final = "main"


def load(
    address: str | RepoAddress,
    *,
    framework: Framework = "numpy",
    home: Path | str | None = None,
    network: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Gives the weights of a commit by name, after verifying how they came about.

    Args:
        address: `flair://NETWORK/CREATOR/NAME[@REF]`, or `CREATOR/NAME`; REF is a
            branch or commit, without it the head of `main`.
        framework: `numpy` for arrays (BF16 as float32), `pt` for PyTorch's tensors,
            tied ones tied again.
        home: the user's folder, instead of `FLAIR_HOME` or the platform's place.
        network: profile, where the address names none.
        progress: shows how far the verification is.

    Raises:
        VerificationError: the branch's head is wrong; a commit before it can be named.
        RefUnknown, AccountMissing: there is no such commit or repository.
        ExtraMissing: PyTorch is not installed.
    """
    with open_repo(address, home=home, network=network, progress=progress) as repo:
        return repo.load(framework=framework)


def open_repo(
    where: str | Path | RepoAddress,
    *,
    home: Path | str | None = None,
    network: str | None = None,
    wallet: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> "Repo":
    """Opens a repository by its address, or the clone in a folder.

    Args:
        where: an address, or a folder: a `Path`, or a text that names a folder that is
            there.
        home: the user's folder, instead of `FLAIR_HOME` or the platform's place.
        network: profile, where the address names none.
        wallet: name or file of the wallet that signs; without it that of the settings.
        progress: shows how far long work is.

    Raises:
        NotAWorkspace: the folder is no clone.
        IdentifierInvalid: the address is malformed.
        NetworkUnknown: the network has no profile.
    """
    flags = Flags(None if home is None else Path(home), network, wallet)
    folder = _folder(where)
    if folder is None:
        # The settings of a workspace around the current folder are not meant for it.
        settings = load_settings(flags, folder=Path(Path.cwd().anchor))
        address = _address(where, settings)
        workspace = None
    else:
        workspace = find_workspace(folder)
        settings = load_settings(flags, folder=workspace.folder)
        address = workspace.repo()
    ctx = open_context(settings, network=address.network, progress=progress)
    return Repo(address, workspace, ctx, settings)


def _folder(where: str | Path | RepoAddress) -> Path | None:
    if isinstance(where, RepoAddress):
        return None
    if isinstance(where, Path) or Path(where).is_dir():
        return Path(where)
    return None


def _address(where: str | Path | RepoAddress, settings: Settings) -> RepoAddress:
    if isinstance(where, RepoAddress):
        return where
    text = str(where)
    creator = None
    if "/" not in text:
        creator = load_wallet(settings.wallet_path()).address
    return resolve_repo_address(text, network=settings.network, creator=creator)


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository, by its address alone or as a clone in a folder.

    Attributes:
        address: with the branch or commit that it was opened with.
        workspace: the clone; None where there is none.
    """

    address: RepoAddress
    workspace: Workspace | None
    _ctx: Context
    _settings: Settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes connections."""
        self._ctx.chain.close()

    def heads(self) -> dict[str, CommitId]:
        """Gives the heads of the branches, as they are on chain now; not verified.

        Raises:
            AccountMissing: there is no such repository.
        """
        target = find_repo(self._ctx, self.address)
        return {
            one.name: one.head_commit
            for one in self._ctx.chain.branches(target.address)
            if any(one.head_commit.raw)
        }

    def log(
        self, ref: str | None = None, *, limit: int | None = None, updates: bool = False
    ) -> Iterator[LogEntry | LogGap]:
        """Goes through the commits of a line, newest first.

        Args:
            ref: where to begin; without it HEAD, or what the address names.
            limit: how many at most.
            updates: whether the updates of merges are read too.

        Raises:
            RefUnknown: there is no such commit.
        """
        return log(
            self._reading(), ref or self.address.ref, limit=limit, updates=updates
        )

    def load(
        self, ref: str | None = None, *, framework: Framework = "numpy"
    ) -> dict[str, Any]:
        """Gives the weights of a verified commit by name, as `flair_client.load` does.

        A clone has its commits verified already, by `clone` and `pull`.

        Args:
            ref: a branch or commit; without it HEAD, or what the address names.
            framework: `numpy`, or `pt` for PyTorch.

        Raises:
            VerificationError: the commit is not verified, or the head is wrong.
            RefUnknown: there is no such commit.
            ExtraMissing: PyTorch is not installed.
        """
        if framework not in ("numpy", "pt"):
            raise UsageError(f"{framework!r} is neither numpy nor pt")
        if self.workspace is None:
            store: Store = self._ctx.remote
            commit_id = self._verified(ref or self.address.ref)
        else:
            store = blocks_of(self._ctx, self.workspace)
            commit_id = resolve(self.workspace, store, ref)
            if commit_id not in verified_commits(self.workspace):
                raise VerificationError(
                    f"commit {commit_id.short}", "was not verified on this machine"
                )
        manifest = manifest_of(store, commit_id)
        if framework == "pt":
            return load_state_dict(manifest, store)
        return _arrays(manifest, store)

    def verify(self, branch: str | None = None) -> Verified:
        """Checks the whole history, as `flair verify` does.

        Raises:
            AccountMissing: there is no such repository or branch.
        """
        return verify(self._ctx, self.address.at(None), branch=branch)

    def clone(self, folder: Path | str, *, trust: bool = False) -> "Repo":
        """Makes a clone, verified from the first commit on, and opens it.

        Args:
            folder: new or empty.
            trust: whether to accept recipe, policy and owner without a look.

        Raises:
            UsageError: the folder is in use.
            VerificationError: not even the first commit is valid.
        """
        clone(self._ctx, self.address, Path(folder), trust=trust)
        workspace = find_workspace(Path(folder))
        return replace(self, address=workspace.repo(), workspace=workspace)

    def trust(self, *, accept: bool = False) -> TrustShown:
        """Shows recipe, policy and owner, and accepts them where told so."""
        return trust(self._ctx, self._clone(), accept=accept)

    def pull(self, branch: str | None = None) -> Pulled:
        """Verifies what is new and moves the clone to the newest valid commit.

        Where the head is wrong, `fault` of the result says so.
        """
        return pull(self._ctx, self._clone(), branch)

    def commit(self, weights: Any, *, message: str, num_samples: int) -> Committed:
        """Signs an update of the clone: new weights against the base of the round.

        Args:
            weights: all tensors of the model: a mapping of names to arrays or tensors,
                a PyTorch module, a linear model of scikit-learn, or a file.
            message: what was done; public.
            num_samples: that stand behind the weights; only a bucket leaves.

        Raises:
            StaleBase: the round's base is another commit than HEAD.
            TrustRequired: recipe, policy or owner were not accepted.
            TensorMismatch: other tensors than the base.
            NotFinite: NaN or infinity.
        """
        workspace = self._clone()
        ctx = self._signing()
        with (
            _as_file(weights) as path,
            new_weights(ctx, workspace, path) as fitted,
        ):
            return commit(
                ctx,
                workspace,
                message=message,
                weights=fitted,
                num_samples=num_samples,
            )

    def push(self, *, dry_run: bool = False) -> Pushed:
        """Sends the pending commit; called again after a kill it goes on.

        Args:
            dry_run: only tells what would leave the machine.

        Raises:
            WorkspaceError: nothing was committed.
            StaleBase: the branch or the round moved on.
            AlreadyPushed: another update of this wallet is in the round.
        """
        return push(self._signing(), self._clone(), dry_run=dry_run)

    def _clone(self) -> Workspace:
        if self.workspace is None:
            raise NotAWorkspace(f"{self.address} was opened without a clone")
        return self.workspace

    def _signing(self) -> Context:
        wallet = load_wallet(self._settings.wallet_path())
        return replace(self._ctx, signer=wallet)

    def _reading(self) -> Reading:
        if self.workspace is None:
            return reading_there(self._ctx, self.address.at(None))
        return reading_here(self._ctx, self.workspace)

    def _verified(self, ref: str | None) -> CommitId:
        """The commit that a ref names, if everything up to it checks."""
        heads = self.heads()
        name = (ref or _DEFAULT_BRANCH).partition("~")[0]
        branch = name if name in heads else _DEFAULT_BRANCH
        if branch not in heads:
            raise AccountMissing(self.address, "commit", f"on branch {branch!r}")
        found = last_valid_head(
            self._ctx.chain,
            self._ctx.remote,
            find_repo(self._ctx, self.address).address,
            branch,
            genesis_hash=self._ctx.network.genesis_hash,
            progress=self._ctx.progress,
        )
        # Behind a wrong head, only ids say which commit is meant.
        is_of_head = name in (branch, "HEAD", "")
        if found.commit_id is None or (found.fault and is_of_head):
            raise found.fault or VerificationError(
                f"branch {branch!r}", "has no commit yet"
            )
        if ref is None or ref == branch:
            return found.commit_id
        commit_id = resolve_commit(
            self._ctx.remote, {branch: found.commit_id}, found.commit_id, ref
        )
        if commit_id not in {one.commit_id for one in found.commits}:
            raise RefUnknown(f"{ref!r} is no valid commit of branch {branch!r}")
        return commit_id


def _arrays(manifest: Manifest, store: Store) -> dict[str, Any]:
    ties = ties_of(header_of(manifest, store))
    arrays: dict[str, Any] = {
        entry.name: load_tensor(manifest, entry, store) for entry in manifest.tensors
    }
    for left_out, kept in ties.items():
        arrays[left_out] = arrays[kept]
    return dict(sorted(arrays.items()))


@contextmanager
def _as_file(weights: Any) -> Iterator[Path]:
    if isinstance(weights, str | Path):
        yield Path(weights)
        return
    with TemporaryDirectory(prefix="flair-") as folder:
        path = Path(folder) / "weights.safetensors"
        save_foreign(path, weights_of(weights))
        yield path
