"""Blocks in memory: for tests, and for work that leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager

from flair_client.errors import BlockMissing
from flair_client.ids import Cid, block_cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import check_block, check_block_size


class MemoryStore:
    """A store that ends with the process."""

    def __init__(self) -> None:
        """Empty."""
        self._blocks: dict[Cid, bytes] = {}
        self._pending: dict[Cid, bytes] = {}
        self._depth = 0

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`."""
        block = self._blocks.get(cid, self._pending.get(cid))
        if block is None:
            raise BlockMissing(cid)
        check_block_size(f"block {cid}", len(block), max_size)
        return check_block(cid, block)

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`."""
        check_block_size("block", len(block))
        cid = block_cid(codec, block)
        blocks = self._pending if self._depth else self._blocks
        blocks[cid] = bytes(block)
        return cid

    def has(self, cid: Cid) -> bool:
        """As `Store.has`."""
        return cid in self._blocks or cid in self._pending

    def delete(self, cid: Cid) -> None:
        """As `Store.delete`."""
        self._blocks.pop(cid, None)
        self._pending.pop(cid, None)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """As `Store.batch`."""
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._blocks.update(self._pending)
        finally:
            self._depth -= 1
            if not self._depth:
                self._pending.clear()

    def __iter__(self) -> Iterator[Cid]:
        return iter(list(self._blocks))

    def __len__(self) -> int:
        return len(self._blocks)
