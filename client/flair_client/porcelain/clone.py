"""Fetches a repository into a new workspace, verified from its first commit on."""

from dataclasses import dataclass
from pathlib import Path

from flair_client.context import Context
from flair_client.errors import AccountMissing, UsageError, VerificationError
from flair_client.history.verify import gather_evidence, valid_head_of
from flair_client.ids import CommitId
from flair_client.porcelain.checkout import (
    blocks_of,
    check_out,
    fetched_now,
    recipe_at,
)
from flair_client.porcelain.form import Fetched, keep_form
from flair_client.porcelain.listed_stores import (
    complaints_of,
    keep_listed,
    listed_stores,
    reading_listed,
)
from flair_client.porcelain.refs import (
    remember_heads,
    remember_verified,
    resolve_commit,
)
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import save_terms, terms_now
from flair_client.porcelain.trust import read_trust, save_trust
from flair_client.porcelain.trust import trust as accept_terms
from flair_client.repo_address import RepoAddress
from flair_client.workspace import Head, Workspace, make_workspace

_MARKER = "clone"
_DEFAULT_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Cloned:
    """A new workspace.

    Attributes:
        commit: what is checked out.
        n_verified: commits that were checked.
        trusted: whether recipe, policy and owner were accepted at once.
        fault: what is wrong with the branch's head; None where it is valid.
        fetched: from the shared store; None where it was a clone already.
        complaints: of stores that the repository lists and that lied.
    """

    repo: RepoAddress
    folder: str
    branch: str
    commit: CommitId
    n_verified: int
    trusted: bool
    fault: str | None
    fetched: Fetched | None = None
    complaints: tuple[str, ...] = ()


def clone(
    ctx: Context,
    address: RepoAddress,
    folder: Path,
    *,
    trust: bool = False,
    light: bool = True,
) -> Cloned:
    """Makes a workspace of a repository, or goes on where an earlier run was cut off.

    A folder that is a finished clone of it already is left as it is.

    Args:
        ctx: read only.
        address: with a branch or commit where not `main` is meant.
        folder: new, empty, or what an earlier run left behind.
        trust: whether to accept recipe, policy and owner without a look.
        light: whether to take the light form of frozen tensors where there is one.

    Raises:
        UsageError: the folder is in use.
        AccountMissing: there is no such repository or branch.
        VerificationError: not even the first commit is valid.
    """
    finished = _finished(ctx, address, folder, trust=trust)
    if finished is not None:
        return finished
    workspace = _prepare(folder, address)
    with workspace.lock():
        place, ref = _place(ctx, address)
        branch = place.account.name
        workspace.bind(address, branch, ctx.network.store_url)
        opened, ctx = ctx, reading_listed(ctx, place.account.head_commit)
        store = blocks_of(ctx, workspace)
        keep_form(workspace, light=light)
        gathered = gather_evidence(
            ctx.chain,
            store,
            place.repo.address,
            branch,
            genesis_hash=ctx.network.genesis_hash,
            progress=ctx.progress,
        )
        found = valid_head_of(gathered.taking_light(takes_light=light))
        if found.commit_id is None:
            raise found.fault or VerificationError(
                f"branch {branch!r}", "has no commit yet"
            )
        commit = found.commit_id
        if ref is not None:
            commit = resolve_commit(store, {branch: commit}, commit, ref)
        keep_listed(workspace, listed_stores(store, commit))
        remember_heads(workspace, {branch: found.commit_id})
        remember_verified(workspace, [one.commit_id for one in found.commits])
        check_out(ctx, workspace, store, Head(branch, None), commit)
        terms = terms_now(place)
        save_terms(workspace, terms)
        if trust:
            save_trust(workspace, terms, recipe_at(store, commit))
        workspace.clear_marker(_MARKER)
    return Cloned(
        address.at(None),
        str(workspace.folder),
        branch,
        commit,
        len(found.commits),
        trust,
        None if found.fault is None else str(found.fault),
        fetched_now(workspace, store, commit),
        () if ctx is opened else complaints_of(ctx),
    )


def _finished(
    ctx: Context, address: RepoAddress, folder: Path, *, trust: bool
) -> Cloned | None:
    workspace = Workspace(folder.absolute())
    head = _finished_head(folder, address)
    if head is None or head.commit is None:
        return None
    if trust and read_trust(ctx, workspace) is None:
        accept_terms(ctx, workspace, accept=True)
    return Cloned(
        address.at(None),
        str(workspace.folder),
        head.branch,
        head.commit,
        0,
        read_trust(ctx, workspace) is not None,
        None,
    )


def _prepare(folder: Path, address: RepoAddress) -> Workspace:
    _check_room(folder, address)
    workspace = make_workspace(folder)
    workspace.set_marker(_MARKER, {"repo": str(address)})
    return workspace


def require_room(folder: Path, address: RepoAddress) -> None:
    """Checks that a clone can be made in a folder, or is there already.

    Raises:
        UsageError: the folder is in use.
    """
    if _finished_head(folder, address) is None:
        _check_room(folder, address)


def _finished_head(folder: Path, address: RepoAddress) -> Head | None:
    """Where a finished clone of the repository stands; None where there is none."""
    workspace = Workspace(folder.absolute())
    if not workspace.state_folder.is_dir() or workspace.marker(_MARKER) is not None:
        return None
    head = workspace.head()
    if head is None or head.commit is None or not workspace.is_bound:
        return None
    return head if workspace.repo() == address.at(None) else None


def _check_room(folder: Path, address: RepoAddress) -> None:
    workspace = Workspace(folder.absolute())
    begun = workspace.marker(_MARKER) if workspace.state_folder.is_dir() else None
    if folder.is_dir() and any(folder.iterdir()):
        if begun is None and workspace.state_folder.is_dir():
            # Cut off between making the folder and the marker: nothing is in it yet.
            inside = {path.name for path in folder.iterdir()}
            if inside != {workspace.state_folder.name} or workspace.head() is not None:
                raise UsageError(f"{folder} is a workspace already")
        elif begun is None:
            raise UsageError(f"{folder} is not empty")
        elif begun.get("repo") != str(address):
            raise UsageError(f"{folder} holds part of {begun.get('repo')}")
    elif folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")


def _place(ctx: Context, address: RepoAddress) -> tuple[BranchTarget, str | None]:
    """The branch that an address names, or `main` and the commit that it names."""
    repo = find_repo(ctx, address)
    if address.ref is None:
        return repo.branch(_DEFAULT_BRANCH), None
    try:
        return repo.branch(address.ref.partition("~")[0]), (
            address.ref if "~" in address.ref else None
        )
    except AccountMissing:
        return repo.branch(_DEFAULT_BRANCH), address.ref
