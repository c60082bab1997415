"""How old a block is, so that a folder is cleared up beside those who use it.

Whoever finds that a block is there relies on it, and does not write it again. So the
question itself makes an old block young: under a shared lock on `FOLDER/gc.lock`, since
whoever removes blocks looks at their age and removes them under the exclusive one.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOCK_NAME: Final = "gc.lock"
# Held by whoever clears up, from the first look to the last removal.
RUN_LOCK_NAME: Final = "gc.run"
# A younger block is not touched again: nobody removes one of less than a day.
FRESH_S: Final = 3600
# Whoever cannot write here sends nothing here either.
_READ_ONLY: Final = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))


def is_still_there(folder: Path, path: Path, size: int | None = None) -> bool:
    """Whether a file of a store is there, and stays for those who rely on it.

    Args:
        folder: the store's.
        path: the file.
        size: that it must have, where that is known.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if size is not None and found.st_size != size:
        return False
    return time.time() - found.st_mtime < FRESH_S or _touch(folder, path)


def _touch(folder: Path, path: Path) -> bool:
    try:
        with locked(folder / LOCK_NAME, fcntl.LOCK_SH):
            os.utime(path)
    except FileNotFoundError:
        return False
    except OSError as exc:
        if exc.errno not in _READ_ONLY:
            raise
    return True


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Holds a file's lock; the system lets go of it when the process ends.

    Args:
        path: the file, made where it is not there.
        how: `fcntl.LOCK_SH` or `LOCK_EX`, with `LOCK_NB` where nobody waits.

    Raises:
        BlockingIOError: somebody else holds it, and nobody waits.
        OSError: it cannot be opened.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)
