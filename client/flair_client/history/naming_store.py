"""A store that names new blocks and forgets them: where recomputed weights go."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from flair_client.ids import Cid, block_cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import Store
from flair_client.store.bulk import bring_near


class NamingStore:
    """Reads like the store behind it; what is put is named, not kept.

    So recomputing a merge costs neither disk nor memory for the result.
    """

    def __init__(self, store: Store) -> None:
        """In front of a store that is only read."""
        self._store = store

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """A block of the store behind. Raises as `Store.get`."""
        return self._store.get(cid, max_size=max_size)

    def bring_near(self, cids: Iterable[Cid]) -> None:
        """As `NearStore.bring_near`, of the store behind."""
        bring_near(self._store, cids)

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """Names the block."""
        return block_cid(codec, block)

    def has(self, cid: Cid) -> bool:
        """Whether the store behind has it."""
        return self._store.has(cid)

    def delete(self, cid: Cid) -> None:
        """Does nothing: there is nothing to forget."""

    def batch(self) -> AbstractContextManager[None]:
        """Nothing is kept, so there is nothing to keep together."""
        return nullcontext()

    def __iter__(self) -> Iterator[Cid]:
        return iter(self._store)
