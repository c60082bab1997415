"""What never changes is read once: the newest used stay, up to a size."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from flair_client.ids import Cid
from flair_client.limits import MAX_COMMIT_SIZE, MAX_OBJECT_SIZE
from flair_client.store.base import Store

T = TypeVar("T")
# Bulk blocks are read once for a download; keeping them would throw commits out.
_MAX_BLOCK: Final = MAX_COMMIT_SIZE
_MAX_BLOCKS_SIZE: Final = 64 << 20


class Kept:
    """Values by what they follow from; safe in several threads.

    What could not be made is not kept: it may be there later.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._size = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """Gives the value, made where it is not here.

        Args:
            name: all that it follows from.
            make: gives it, or raises.
            size: of it, in the unit of `max_size`.
        """
        with self._lock:
            found = self._values.get(name)
            if found is not None:
                self._values.move_to_end(name)
                value: T = found[0]
                return value
        made = make()
        self._put(name, made, size(made))
        return made

    def _put(self, name: Hashable, value: object, size: int) -> None:
        if size > self._max_size:
            return
        with self._lock:
            before = self._values.pop(name, None)
            self._size += size - (0 if before is None else before[1])
            self._values[name] = (value, size)
            while self._size > self._max_size:
                _, (_, old) = self._values.popitem(last=False)
                self._size -= old


class KeptStore:
    """A store whose small blocks stay in memory; a `Store` that is only read."""

    def __init__(self, main: Store) -> None:
        self.main = main
        self._kept = Kept(_MAX_BLOCKS_SIZE)

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`."""
        if max_size < _MAX_BLOCK:
            return self.main.get(cid, max_size=max_size)
        # A block that is too large is refused before it gets here.
        return self._kept.get(
            (cid.codec, cid.digest, max_size),
            lambda: self.main.get(cid, max_size=max_size),
            lambda block: len(block) if len(block) <= _MAX_BLOCK else 1 << 62,
        )

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`."""
        return self.main.put(codec, block)

    def has(self, cid: Cid) -> bool:
        """As `Store.has`."""
        return self.main.has(cid)

    def delete(self, cid: Cid) -> None:
        """As `Store.delete`; what is kept here is still what its CID names."""
        self.main.delete(cid)

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`."""
        return self.main.batch()

    def __iter__(self) -> Iterator[Cid]:
        return iter(self.main)
