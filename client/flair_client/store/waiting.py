"""Blocks of a batch that goes to a far store: they wait here until it ends."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flair_client.ids import CODEC_RAW, Cid
from flair_client.store.bulk import BlockSource
from flair_client.store.disk import DiskStore


class Waiting:
    """A folder of this machine while a batch is open, nothing else."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._folder: TemporaryDirectory[str] | None = None
        self._store: DiskStore | None = None

    def having(self, cid: Cid) -> DiskStore | None:
        """Gives what holds a block that waits."""
        store = self._store
        return store if store is not None and store.has(cid) else None

    def put(self, codec: int, block: bytes | memoryview) -> Cid | None:
        """Has a block wait; None where no batch is open."""
        with self._lock:
            return None if self._store is None else self._store.put(codec, block)

    @contextmanager
    def batch(self, send: Callable[[Iterable[BlockSource]], object]) -> Iterator[None]:
        """As `Store.batch`; the outermost one sends what waits at its end."""
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._folder = TemporaryDirectory(prefix="flair-")
                self._store = DiskStore(Path(self._folder.name))
        try:
            yield
            if self._depth == 1 and self._store is not None:
                send(_sources(self._store))
        finally:
            with self._lock:
                self._depth -= 1
                if not self._depth and self._folder is not None:
                    if self._store is not None:
                        self._store.close()
                    self._store = None
                    self._folder.cleanup()


def _sources(store: DiskStore) -> Iterator[BlockSource]:
    """The blocks of a folder, objects after the raw blocks that they list."""
    for cid in sorted(store, key=lambda cid: cid.codec != CODEC_RAW):
        size = store.block_path(cid).stat().st_size
        yield BlockSource(cid, size, partial(store.get, cid))
