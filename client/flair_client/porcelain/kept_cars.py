"""A CAR of every branch's head in `.flair/cars`, beside the blocks themselves.

One file for each branch, written anew when its head moved: what is left of a
repository when every store is gone, and can be copied away as it is.
"""

from dataclasses import dataclass
from pathlib import Path

from flair_client.context import Context
from flair_client.errors import CarInvalid
from flair_client.ids import CommitId
from flair_client.porcelain.car import CarExported, car_export
from flair_client.porcelain.reading import reading_here
from flair_client.porcelain.refs import known_heads
from flair_client.store.car import CarReader
from flair_client.workspace import Workspace

_SUFFIX = ".car"


@dataclass(frozen=True, slots=True)
class CarsKept:
    """The files, after they were brought up to date.

    Attributes:
        written: those that are new.
        n_current: those whose head had not moved.
        removed: of branches that are gone.
    """

    written: tuple[CarExported, ...]
    n_current: int
    removed: tuple[Path, ...]


def keep_cars(ctx: Context, workspace: Workspace) -> CarsKept:
    """Writes a CAR of each branch's head, as of the last pull; each whole or not.

    Raises:
        BlockMissing, DigestMismatch: blocks are nowhere to be had.
        StoreFull: no room; the older file stays.
    """
    with workspace.lock():
        folder = _folder(workspace)
        folder.mkdir(exist_ok=True)
        reading = reading_here(ctx, workspace)
        heads = known_heads(workspace)
        written = []
        for branch, head in sorted(heads.items()):
            path = folder / f"{branch}{_SUFFIX}"
            if commit_in(path) != head:
                written.append(car_export(reading, str(head), path, replace=True))
        gone = sorted(
            path
            for path in folder.glob(f"*{_SUFFIX}")
            if path.name.removesuffix(_SUFFIX) not in heads
        )
        for path in gone:
            path.unlink()
        return CarsKept(tuple(written), len(heads) - len(written), tuple(gone))


def kept_commit(workspace: Workspace, branch: str) -> CommitId | None:
    """Gives the commit that the CAR of a branch is of; None where there is none."""
    return commit_in(_folder(workspace) / f"{branch}{_SUFFIX}")


def commit_in(path: Path) -> CommitId | None:
    """Gives the commit that a CAR names; None where there is no such file."""
    try:
        with path.open("rb") as file:
            (root,) = CarReader(file).roots
    except (OSError, CarInvalid, ValueError):
        return None
    return CommitId(root.digest)


def _folder(workspace: Workspace) -> Path:
    return workspace.state_folder / "cars"
