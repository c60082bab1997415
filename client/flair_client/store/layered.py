"""A near store in front of a far one: reads go through, writes stay near."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from flair_client.errors import BlockMissing, DigestMismatch, ObjectTooLarge
from flair_client.ids import Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import Store
from flair_client.store.bulk import FarStore

# Blocks that become durable together: what was fetched before a cut-off stays.
_TOGETHER: Final = 64


class LayeredStore:
    """Reads from the cache, else from the remote store, and keeps what it read.

    What it fetched is counted. What is put goes into the cache alone: sending blocks
    away is somebody's decision.
    """

    def __init__(self, cache: Store, remote: Store) -> None:
        """Over two stores.

        Args:
            cache: near; a corrupted block in it is fetched again.
            remote: far; only read.
        """
        self.cache = cache
        self.remote = remote
        self.n_fetched = 0
        self.n_bytes_fetched = 0

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`."""
        try:
            return self.cache.get(cid, max_size=max_size)
        except (BlockMissing, DigestMismatch):
            block = self.remote.get(cid, max_size=max_size)
        self.cache.delete(cid)
        self.cache.put(cid.codec, block)
        self.n_fetched += 1
        self.n_bytes_fetched += len(block)
        return block

    def bring_near(self, cids: Iterable[Cid]) -> None:
        """As `NearStore.bring_near`; what is corrupt here is left for `get`."""
        if not isinstance(self.remote, FarStore):
            return
        missing = [cid for cid in dict.fromkeys(cids) if not self.cache.has(cid)]
        if not missing:
            return
        # Whoever finds everything here does without what it imports.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.remote.n_parallel) as pool:
            for at in range(0, len(missing), _TOGETHER):
                with self.cache.batch():
                    for size in pool.map(self._fetch, missing[at : at + _TOGETHER]):
                        self.n_fetched += size is not None
                        self.n_bytes_fetched += size or 0

    def _fetch(self, cid: Cid) -> int | None:
        try:
            block = self.remote.get(cid)
        except (BlockMissing, DigestMismatch, ObjectTooLarge):
            return None
        self.cache.put(cid.codec, block)
        return len(block)

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`, into the cache."""
        return self.cache.put(codec, block)

    def has(self, cid: Cid) -> bool:
        """Whether one of the two has it."""
        return self.cache.has(cid) or self.remote.has(cid)

    def delete(self, cid: Cid) -> None:
        """Forgets it in the cache."""
        self.cache.delete(cid)

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`, of the cache."""
        return self.cache.batch()

    def __iter__(self) -> Iterator[Cid]:
        near = set(self.cache)
        yield from near
        yield from (cid for cid in self.remote if cid not in near)
