"""Removing blocks from a store's folder; which ones is somebody else's decision."""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from flair_client.errors import StoreUnavailable, WorkspaceLocked
from flair_client.ids import Cid
from flair_client.store.aging import LOCK_NAME, RUN_LOCK_NAME, locked
from flair_client.store.disk import DiskStore


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as the folder lists it.

    Attributes:
        used_at: when it was written, or somebody last relied on it: seconds since 1970.
    """

    cid: Cid
    size: int
    used_at: float


class Swept(Enum):
    """What became of a block that was to go."""

    REMOVED = auto()
    YOUNG = auto()
    GONE = auto()


@contextmanager
def sweeping(store: DiskStore) -> Iterator[None]:
    """Keeps others from clearing up the same folder meanwhile.

    Raises:
        WorkspaceLocked: somebody does already.
        StoreUnavailable: the folder cannot be written.
    """
    with ExitStack() as held:
        try:
            lock = locked(store.path / RUN_LOCK_NAME, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.enter_context(lock)
        except BlockingIOError as exc:
            raise WorkspaceLocked(f"another flair gc clears {store.path} up") from exc
        except OSError as exc:
            raise StoreUnavailable(f"store {store.path}: {exc.strerror}") from exc
        yield


def list_blocks(store: DiskStore) -> Iterator[StoredBlock]:
    """Every block with size and age; one that goes meanwhile is left out."""
    for cid in store:
        try:
            found = store.block_path(cid).stat()
        except FileNotFoundError:
            continue
        yield StoredBlock(cid, found.st_size, found.st_mtime)


def remove_old(
    store: DiskStore, cids: Iterable[Cid], before: float
) -> Iterator[tuple[Cid, Swept]]:
    """Removes those that are old still; who asks for one meanwhile waits.

    Args:
        store: the folder.
        cids: few at a time: the lock is held until the last one.
        before: seconds since 1970; what was used later stays.
    """
    with locked(store.path / LOCK_NAME, fcntl.LOCK_EX):
        for cid in cids:
            path = store.block_path(cid)
            try:
                is_young = path.stat().st_mtime >= before
                if not is_young:
                    path.unlink()
            except FileNotFoundError:
                yield cid, Swept.GONE
                continue
            yield cid, Swept.YOUNG if is_young else Swept.REMOVED
