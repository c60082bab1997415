"""Counts what goes to and comes from the shared store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from flair_client.ids import Cid, block_cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import Store


class CountingStore:
    """A store that knows how many bytes went through it.

    Attributes:
        n_sent: bytes of blocks that the store did not have before.
        n_fetched: bytes of blocks that were read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.n_sent = 0
        self.n_fetched = 0

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`."""
        block = self._store.get(cid, max_size=max_size)
        self.n_fetched += len(block)
        return block

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`."""
        is_new = not self._store.has(block_cid(codec, block))
        cid = self._store.put(codec, block)
        if is_new:
            self.n_sent += len(block)
        return cid

    def has(self, cid: Cid) -> bool:
        """As `Store.has`."""
        return self._store.has(cid)

    def delete(self, cid: Cid) -> None:
        """As `Store.delete`."""
        self._store.delete(cid)

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`."""
        return self._store.batch()

    def __iter__(self) -> Iterator[Cid]:
        return iter(self._store)
