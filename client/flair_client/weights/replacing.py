"""Files that take another's place when they are whole."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flair_client.errors import StoreFull, UsageError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Opens a new file that takes the path's place at the end, on the disk and whole.

    An error inside leaves what was there before, and nothing else.

    Raises:
        OSError: the file cannot be written.
    """
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fchmod(fd, 0o644)
            os.fsync(fd)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def naming_path(path: Path) -> Iterator[None]:
    """Turns what the system says about writing a file into an error that names it.

    Raises:
        StoreFull: no room.
        UsageError: it cannot be written for another reason.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreFull(f"no room for {path}: {exc.strerror}") from exc
        raise UsageError(f"cannot write {path}: {exc.strerror}") from exc
