"""A store in front of another that is only read: for blocks that are soon forgotten."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from flair_client.ids import Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import Store
from flair_client.store.disk import DiskStore


class OverlayStore:
    """Reads from both, writes into the front one; what is read is not copied."""

    def __init__(self, front: Store, behind: Store) -> None:
        """Over two stores; `behind` is only read."""
        self._front = front
        self._behind = behind

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`."""
        store = self._front if self._front.has(cid) else self._behind
        return store.get(cid, max_size=max_size)

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`, into the front one."""
        return self._front.put(codec, block)

    def has(self, cid: Cid) -> bool:
        """Whether one of the two has it."""
        return self._front.has(cid) or self._behind.has(cid)

    def delete(self, cid: Cid) -> None:
        """Forgets it in the front one."""
        self._front.delete(cid)

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`, of the front one."""
        return self._front.batch()

    def __iter__(self) -> Iterator[Cid]:
        near = set(self._front)
        yield from near
        yield from (cid for cid in self._behind if cid not in near)


@contextmanager
def scratch_over(store: Store, parent: Path | None = None) -> Iterator[OverlayStore]:
    """Gives a store whose new blocks lie in a folder that is removed at the end.

    Args:
        store: is only read.
        parent: where the folder is made; without it where the system keeps such.
    """
    with TemporaryDirectory(dir=parent, prefix="flair-") as folder:
        yield OverlayStore(DiskStore(Path(folder)), store)
