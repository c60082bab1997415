"""Blocks as files in a folder, for any number of processes at once.

    FOLDER/ab/ab12….raw    a raw block (or .cbor), named by its digest in hexadecimal
    FOLDER/tmp/            files being written, one locked folder for each process
    FOLDER/corrupt/        files whose bytes were not what their name says
    FOLDER/gc.lock         see `aging`; gc.run is held by whoever clears up

A block is written to `tmp`, forced to the disk, and only then renamed: a name in
a shard is always a whole block, whenever the process is killed or the power fails.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    StoreFull,
    StoreUnavailable,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, DIGEST_SIZE, Cid, block_cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.aging import is_still_there
from flair_client.store.base import check_block, check_block_size
from flair_client.store.scratch import Scratch

_SUFFIXES = {CODEC_RAW: ".raw", CODEC_DAG_CBOR: ".cbor"}
_CODECS = {suffix: codec for codec, suffix in _SUFFIXES.items()}
# No room left, quota used up, or a limit on the size of files.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
# fsync waits for the disk; several wait at once, and journals group them.
_N_SYNC_THREADS = 8


class DiskStore:
    """A store in a folder."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the folder.

        Raises:
            StoreUnavailable: it cannot be made.
        """
        self.path = path
        self._lock = threading.RLock()
        self._scratch: Scratch | None = None
        self._depth = 0
        self._pending: dict[Cid, Path] = {}
        with self._failures():
            path.mkdir(parents=True, exist_ok=True)

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`; a corrupted file is moved aside, to be put again."""
        with self._failures():
            path, block = self._read(cid, max_size)
        check_block_size(f"block {cid}", len(block), max_size)
        try:
            return check_block(cid, block)
        except DigestMismatch:
            self._move_aside(path)
            raise

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`."""
        check_block_size("block", len(block))
        cid = block_cid(codec, block)
        with self._lock:
            if self._depth and cid in self._pending:
                return cid
        path = self.block_path(cid)
        with self._failures():
            if is_still_there(self.path, path, len(block)):
                return cid
            written = self._write(block, sync=not self._depth)
            with self._lock:
                if self._depth:
                    self._pending[cid] = written
                    return cid
            _show(written, path)
            _sync_folder(path.parent)
        return cid

    def has(self, cid: Cid) -> bool:
        """As `Store.has`; who asks relies on it, so that it counts as used now."""
        with self._failures():
            return cid in self._pending or is_still_there(
                self.path, self.block_path(cid)
            )

    def delete(self, cid: Cid) -> None:
        """As `Store.delete`."""
        with self._failures(), suppress(FileNotFoundError):
            self.block_path(cid).unlink()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """As `Store.batch`: the blocks are forced to the disk together, then shown."""
        with self._lock:
            self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._show_pending()
        finally:
            with self._lock:
                self._depth -= 1
                if not self._depth:
                    self._drop_pending()

    def close(self) -> None:
        """Removes the process's folder of unfinished files."""
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None

    def block_path(self, cid: Cid) -> Path:
        """The file of a block, whether it is there or not."""
        name = cid.digest.hex()
        return self.path / name[:2] / (name + _SUFFIXES[cid.codec])

    def __iter__(self) -> Iterator[Cid]:
        with self._failures():
            shards = sorted(self.path.glob("[0-9a-f][0-9a-f]"))
        for shard in shards:
            with self._failures():
                names = sorted(entry.name for entry in shard.iterdir())
            for name in names:
                stem, dot, ending = name.partition(".")
                suffix = dot + ending
                if suffix in _CODECS and len(stem) == 2 * DIGEST_SIZE:
                    with suppress(ValueError):
                        yield Cid(_CODECS[suffix], bytes.fromhex(stem))

    def _read(self, cid: Cid, max_size: int) -> tuple[Path, bytes]:
        # A batch of another thread may end between the two: then it is in its place.
        for path in (self._pending.get(cid), self.block_path(cid)):
            try:
                if path is not None:
                    with path.open("rb") as file:
                        size = os.fstat(file.fileno()).st_size
                        check_block_size(f"block {cid}", size, max_size)
                        return path, file.read(max_size + 1)
            except FileNotFoundError:
                continue
        raise BlockMissing(cid)

    def _write(self, block: bytes | memoryview, *, sync: bool) -> Path:
        with self._lock:
            if self._scratch is None or self._scratch.pid != os.getpid():
                self._scratch = Scratch(self.path / "tmp")
            path = self._scratch.new_path()
        try:
            fd = os.open(path, os.O_WRONLY)
            try:
                _write_all(fd, block)
                os.fchmod(fd, 0o644)
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _show_pending(self) -> None:
        # Whoever only reads does without what it imports.
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            pending = dict(self._pending)
        with self._failures():
            with ThreadPoolExecutor(_N_SYNC_THREADS) as pool:
                list(pool.map(_sync_file, pending.values()))
            folders = set()
            for cid, written in pending.items():
                path = self.block_path(cid)
                _show(written, path)
                folders.add(path.parent)
            with ThreadPoolExecutor(_N_SYNC_THREADS) as pool:
                list(pool.map(_sync_folder, folders))
        with self._lock:
            self._pending.clear()

    def _drop_pending(self) -> None:
        for path in self._pending.values():
            path.unlink(missing_ok=True)
        self._pending.clear()

    def _move_aside(self, path: Path) -> None:
        # On a read-only folder it stays; the reader is told all the same.
        with suppress(OSError):
            aside = self.path / "corrupt"
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if exc.errno in _FULL:
                raise StoreFull(f"no room in {self.path}: {exc.strerror}") from exc
            reason = exc.strerror or str(exc)
            raise StoreUnavailable(f"store {self.path}: {reason}") from exc


def _write_all(fd: int, block: bytes | memoryview) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _show(written: Path, path: Path) -> None:
    try:
        written.replace(path)
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        _sync_folder(path.parent.parent)
        written.replace(path)


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(path: Path) -> None:
    _sync_file(path)
