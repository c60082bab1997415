"""A commit with its whole history in one file, and back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.context import Context
from flair_client.errors import CarInvalid, OutputExists, UsageError
from flair_client.ids import CODEC_DAG_CBOR, Cid, CommitId
from flair_client.porcelain.car_walk import Intake, blocks_in_order
from flair_client.porcelain.reading import Reading
from flair_client.store.base import Store
from flair_client.store.car import CarReader, write_car
from flair_client.weights.replacing import naming_path, replacing
from flair_client.workspace import Workspace

# Blocks that become durable together: an import that was cut off goes on behind them.
PART_BYTES: Final = 64 << 20
PART_BLOCKS: Final = 1024


@dataclass(frozen=True, slots=True)
class CarExported:
    """A CAR that was written.

    Attributes:
        n_bytes: of the file.
    """

    commit: CommitId
    file: Path
    n_blocks: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class CarImported:
    """A CAR whose blocks are in a store now.

    Attributes:
        commit: that it is of.
        n_commits: in its history, with itself.
        n_blocks: all of them.
        n_bytes: of the blocks.
        n_new: blocks that were not there before.
        shared: whether they are in the network's store, not in the workspace.
    """

    commit: CommitId
    n_commits: int
    n_blocks: int
    n_bytes: int
    n_new: int
    shared: bool


def car_export(
    reading: Reading,
    ref: str | None,
    file: Path | None = None,
    *,
    replace: bool = False,
) -> CarExported:
    """Writes a commit with its history: whole, or not at all.

    Args:
        reading: where the commits lie.
        ref: a commit; without one that of HEAD.
        file: without one `COMMIT.car` in the current folder.
        replace: whether a file that is there may be replaced.

    Raises:
        OutputExists: the file is there and may not be replaced.
        RefUnknown: no such commit.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
        StoreFull: no room for the file.
    """
    commit_id = reading.resolve(ref)
    path = Path(f"{commit_id.short}.car") if file is None else file
    if path.exists() and not replace:
        raise OutputExists(f"{path} exists already")
    with naming_path(path), replacing(path) as out:
        blocks = blocks_in_order(reading.store, commit_id)
        n_blocks, n_bytes = write_car(out, commit_id.cid, blocks)
    return CarExported(commit_id, path, n_blocks, n_bytes)


def car_import(
    ctx: Context, workspace: Workspace | None, file: Path, *, shared: bool = False
) -> CarImported:
    """Takes every block of a CAR, each checked, into the workspace or a shared store.

    Blocks that are there stay; what was taken before a failure is taken. Nothing else
    changes: HEAD, branches and tags stay where they are.

    Args:
        ctx: its shared store, where `shared`.
        workspace: takes the blocks otherwise.
        file: the CAR: one commit with its whole history.
        shared: whether the network's store takes them.

    Raises:
        UsageError: there is neither a workspace nor `shared`, or the file cannot be
            read.
        CarInvalid: the file is broken, incomplete, or holds what nobody asked for.
        SignatureInvalid: a commit is not signed by its author.
        StoreFull, StoreUnavailable: from the store.
    """
    if not shared and workspace is None:
        raise UsageError("there is no workspace here; --store is the network's store")
    if shared or workspace is None:
        return _import(ctx, ctx.remote, file, shared=True)
    with workspace.lock():
        return _import(ctx, workspace.cache(), file, shared=False)


def _import(ctx: Context, store: Store, file: Path, *, shared: bool) -> CarImported:
    try:
        source = file.open("rb")
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    with source, ctx.progress.task("import", file.stat().st_size, "bytes") as task:
        taken = take_car(store, CarReader(source), task.advance)
    return CarImported(
        commit=taken.commit,
        n_commits=taken.n_commits,
        n_blocks=taken.n_blocks,
        n_bytes=taken.n_bytes,
        n_new=taken.n_new,
        shared=shared,
    )


@dataclass(slots=True)
class Taken:
    """What a CAR held, counted while it is taken."""

    commit: CommitId
    n_commits: int = 0
    n_blocks: int = 0
    n_bytes: int = 0
    n_new: int = 0


def take_car(
    store: Store, reader: CarReader, advance: Callable[[int], None] = lambda _: None
) -> Taken:
    """Takes a CAR into a store.

    Args:
        store: takes the blocks.
        reader: of the CAR.
        advance: hears of bytes that were read.

    Raises:
        As `car_import`.
    """
    if len(reader.roots) != 1 or reader.roots[0].codec != CODEC_DAG_CBOR:
        raise CarInvalid("header", "it does not name one commit")
    taken = Taken(CommitId(reader.roots[0].digest))
    intake = Intake(taken.commit, store.get)
    blocks = iter(reader)
    has_more = True
    while has_more:
        with store.batch():
            has_more = _take_part(store, blocks, intake, taken, advance)
    intake.check_end()
    taken.n_commits = intake.n_commits
    return taken


def _take_part(
    store: Store,
    blocks: Iterator[tuple[Cid, bytes]],
    intake: Intake,
    taken: Taken,
    advance: Callable[[int], None],
) -> bool:
    """Takes some blocks; whether there may be more."""
    size = count = 0
    for cid, block in blocks:
        intake.check(cid, block)
        taken.n_new += not store.has(cid)
        store.put(cid.codec, block)
        taken.n_blocks += 1
        taken.n_bytes += len(block)
        advance(len(block))
        size, count = size + len(block), count + 1
        if size >= PART_BYTES or count >= PART_BLOCKS:
            return True
    return False
