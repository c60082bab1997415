"""A workspace: the folder with `.flair` in it, and everything that is kept there.

    .flair/config            the repository, the branch and the store (see `settings`)
    .flair/HEAD              branch, and the commit that `weights.safetensors` is of
    .flair/objects/          blocks, so that a transfer goes on where it was cut off
    .flair/state/NAME.toml   what is in progress: markers that the next command reads
    .flair/trust.toml        what the user looked at and accepted
    .flair/commits           commits that were listed, so that they are read at once
    .flair/lock              held while a command changes the workspace
    .flair/scratch/          of a run of the recipe's code, so that it can go on
    .flair/local/            tensors that stay here, by the commit they were trained on
    .flair/variates/         of SCAFFOLD, by the head that they hold for; stay here too
    flair.toml, CARD.md      the recipe, with its code in model.py and train.py
    weights.safetensors      the model at HEAD
    update.safetensors       what `flair train` made

Each file is replaced at once: a reader, or a kill, finds the old one or the new one.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.config_file import read_config, write_config, write_text
from flair_client.errors import (
    IdentifierInvalid,
    NotAWorkspace,
    UsageError,
    WorkspaceError,
    WorkspaceLocked,
)
from flair_client.ids import CommitId
from flair_client.names import check_name
from flair_client.repo_address import RepoAddress
from flair_client.settings import WORKSPACE_FOLDER, find_workspace_folder
from flair_client.store.disk import DiskStore
from flair_client.toml_text import TomlInvalid, parse_toml

RECIPE_FILE: Final = "flair.toml"
CARD_FILE: Final = "CARD.md"
WEIGHTS_FILE: Final = "weights.safetensors"
UPDATE_FILE: Final = "update.safetensors"
_RECIPE_FILES: Final = (RECIPE_FILE, CARD_FILE, "model.py", "train.py")
_MAX_STATE_BYTES: Final = 1 << 20
# A file that is being written, beside the one that it will replace.
_UNFINISHED: Final = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}")
# What is written under the lock: in the folder, in `.flair` (where `config` is written
# without it), and everything in `.flair/state`.
_WRITTEN: Final[tuple[frozenset[str] | None, ...]] = (
    frozenset(
        name + ending
        for name in (*_RECIPE_FILES, WEIGHTS_FILE, UPDATE_FILE)
        for ending in ("", ".mine")
    ),
    frozenset(("HEAD", "trust.toml", "fingerprints", "commits")),
    None,
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a workspace stands.

    Attributes:
        branch: the branch that it is on.
        commit: the commit that `weights.safetensors` is of; None before the root.
    """

    branch: str
    commit: CommitId | None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that holds `.flair`."""

    folder: Path

    @property
    def state_folder(self) -> Path:
        """The folder `.flair`."""
        return self.folder / WORKSPACE_FOLDER

    @property
    def weights_path(self) -> Path:
        """The model at HEAD, as a safetensors file."""
        return self.folder / WEIGHTS_FILE

    @property
    def update_path(self) -> Path:
        """The model that `flair train` made."""
        return self.folder / UPDATE_FILE

    @property
    def recipe_path(self) -> Path:
        """The recipe's `flair.toml`."""
        return self.folder / RECIPE_FILE

    @property
    def trust_path(self) -> Path:
        """What the user accepted."""
        return self.state_folder / "trust.toml"

    @property
    def commits_path(self) -> Path:
        """Commits that were listed before."""
        return self.state_folder / "commits"

    def cache(self) -> DiskStore:
        """Opens the workspace's own blocks."""
        return DiskStore(self.state_folder / "objects")

    @property
    def is_bound(self) -> bool:
        """Whether the workspace belongs to a repository."""
        return "workspace.repo" in read_config(self.state_folder / "config")

    def repo(self) -> RepoAddress:
        """Gives the repository that this workspace belongs to.

        Raises:
            WorkspaceError: it was not published or cloned yet.
        """
        text = read_config(self.state_folder / "config").get("workspace.repo")
        if text is None:
            raise WorkspaceError("this workspace belongs to no repository yet")
        return RepoAddress.parse(str(text))

    def bind(self, repo: RepoAddress, branch: str, store_url: str) -> None:
        """Writes down which repository and branch the workspace is of."""
        write_config(
            self.state_folder / "config",
            {
                "workspace.repo": str(repo.at(None)),
                "workspace.branch": branch,
                "workspace.store": store_url,
            },
        )

    def head(self) -> Head | None:
        """Gives where the workspace stands; None before anything was checked out.

        Raises:
            WorkspaceError: the file HEAD was damaged.
        """
        table = read_table(self.state_folder / "HEAD")
        if table is None:
            return None
        try:
            branch = str(table["branch"])
            check_name("branch name", branch)
            text = table.get("commit")
            commit = None if text is None else CommitId.parse(str(text))
        except (KeyError, IdentifierInvalid) as exc:
            raise WorkspaceError(f"{self.state_folder / 'HEAD'} is damaged") from exc
        return Head(branch, commit)

    def set_head(self, head: Head) -> None:
        """Moves HEAD."""
        commit = None if head.commit is None else str(head.commit)
        write_table(
            self.state_folder / "HEAD", {"branch": head.branch, "commit": commit}
        )

    def marker(self, name: str) -> dict[str, Any] | None:
        """Gives what is in progress under a name, or None.

        Raises:
            WorkspaceError: the file was damaged.
        """
        return read_table(self._marker_path(name))

    def set_marker(self, name: str, table: Mapping[str, Any]) -> None:
        """Writes down what is in progress."""
        write_table(self._marker_path(name), table)

    def clear_marker(self, name: str) -> None:
        """Writes down that it is done."""
        self._marker_path(name).unlink(missing_ok=True)

    def _marker_path(self, name: str) -> Path:
        return self.state_folder / "state" / f"{name}.toml"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes from changing the workspace meanwhile.

        The system lets go of the lock when a process ends, however it ends.

        Raises:
            WorkspaceLocked: another process works here; names it.
        """
        # Commands that only read never need it, and it takes long to import.
        import filelock

        owner = self.state_folder / "lock.pid"
        held = filelock.FileLock(self.state_folder / "lock", timeout=0)
        try:
            held.acquire()
        except filelock.Timeout as exc:
            raise WorkspaceLocked(
                f"another process ({_owner(owner)}) works in {self.folder}"
            ) from exc
        try:
            owner.write_text(f"{os.getpid()}\n", "ascii")
            self._remove_unfinished()
            yield
        finally:
            held.release()

    def _remove_unfinished(self) -> None:
        """Removes what killed commands were writing; whoever has the lock may."""
        folders = (self.folder, self.state_folder, self.state_folder / "state")
        for folder, names in zip(folders, _WRITTEN, strict=True):
            for path in folder.glob(".*.*") if folder.is_dir() else ():
                found = _UNFINISHED.fullmatch(path.name)
                if found is not None and (names is None or found["name"] in names):
                    path.unlink(missing_ok=True)


def make_workspace(folder: Path) -> Workspace:
    """Makes the folder a workspace; one that is a workspace already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(folder.absolute())
    (workspace.state_folder / "state").mkdir(parents=True, exist_ok=True)
    return workspace


def find_workspace(start: Path) -> Workspace:
    """Gives the workspace of a folder: there or above.

    Raises:
        NotAWorkspace: there is none.
    """
    folder = find_workspace_folder(start.absolute())
    if folder is None:
        raise NotAWorkspace(f"there is no workspace at {start} or above")
    return Workspace(folder)


def read_table(path: Path) -> dict[str, Any] | None:
    """Reads a TOML file of the workspace's own; None where there is none.

    Raises:
        WorkspaceError: it was damaged.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_STATE_BYTES + 1)
    except FileNotFoundError:
        return None
    try:
        if len(raw) > _MAX_STATE_BYTES:
            raise WorkspaceError(f"{path} is damaged: too long")
        return parse_toml(raw)
    except TomlInvalid as exc:
        raise WorkspaceError(f"{path} is damaged: {exc}") from exc


def write_table(path: Path, table: Mapping[str, Any]) -> None:
    """Replaces a TOML file of the workspace's own; values of None are left out.

    Raises:
        UsageError: a value that TOML cannot hold.
    """
    kept = {key: value for key, value in table.items() if value is not None}
    try:
        # As above: only for those who write.
        import tomlkit

        text = tomlkit.dumps(kept)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{path.name} cannot hold this: {exc}") from exc
    write_text(path, text)


def _owner(path: Path) -> str:
    try:
        pid = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "unknown"
    return f"pid {pid}" if pid.isdigit() else "unknown"
