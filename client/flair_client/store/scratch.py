"""A private folder of one process, in which files are written before they are shown.

The owner holds a lock on the folder for as long as it lives; folders whose owner was
killed can be locked by others and are removed then.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path


class Scratch:
    """A locked folder `parent/XXXX`, removed when it is closed or forgotten."""

    def __init__(self, parent: Path) -> None:
        """Removes folders of dead owners and makes a new one.

        Raises:
            OSError: the folder cannot be made.
        """
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        self.path, self._fd = _make_locked(parent)
        self.pid = os.getpid()
        self._count = 0
        self._finalizer = weakref.finalize(
            self, _discard, self.path, self._fd, self.pid
        )

    def new_path(self) -> Path:
        """A name that no file has yet; callable from several threads."""
        fd, name = tempfile.mkstemp(dir=self.path)
        os.close(fd)
        return Path(name)

    def close(self) -> None:
        """Removes the folder and what is in it."""
        self._finalizer()


def _make_locked(parent: Path) -> tuple[Path, int]:
    # At any moment before it is locked another process may take the new folder for an
    # abandoned one, and remove it.
    while True:
        path = Path(tempfile.mkdtemp(dir=parent))
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(path.stat(), os.fstat(fd)):
                return path, fd
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)


def _remove_abandoned(parent: Path) -> None:
    for path in list(parent.iterdir()):
        with suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(fd)


def _discard(path: Path, fd: int, pid: int) -> None:
    # A forked child inherits the object, but the folder is its parent's.
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)
    os.close(fd)
