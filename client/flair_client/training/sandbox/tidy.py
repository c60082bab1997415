"""What a program left in its scratch folder, made harmless before anybody reads it."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_MAX_DEPTH: Final = 64


def tidy(folder: Path) -> None:
    """Leaves plain files and folders only, which their owner may read and remove.

    Links could lead out of the folder, pipes would be waited for. Folders deeper than
    any checkpoint's are removed, however deep: they would be too deep for everything
    else that removes folders. Nobody else may write there any more.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _tidy(opened, 0)
    finally:
        os.close(opened)


def _tidy(folder: int, depth: int) -> None:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            with contextlib.suppress(OSError):
                os.chmod(entry.name, 0o700, dir_fd=folder)
            if depth == _MAX_DEPTH:
                _remove_deep(folder, entry.name)
                continue
            inner = _open(folder, entry.name)
            try:
                _tidy(inner, depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(mode):
            # Not set-user-id, not executable, and readable to its owner.
            os.chmod(entry.name, 0o600, dir_fd=folder)
        else:
            os.unlink(entry.name, dir_fd=folder)


def _open(folder: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    return os.open(name, flags, dir_fd=folder)


def _remove_deep(folder: int, name: str) -> None:
    """Removes a folder of any depth: what is in it is moved up, one level at a time."""
    waiting = [name]
    while waiting:
        inner = _open(folder, current := waiting.pop())
        try:
            with os.scandir(inner) as found:
                entries = list(found)
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    moved = f".removed-{secrets.token_hex(16)}"
                    os.chmod(entry.name, 0o700, dir_fd=inner)
                    os.rename(entry.name, moved, src_dir_fd=inner, dst_dir_fd=folder)
                    waiting.append(moved)
                else:
                    os.unlink(entry.name, dir_fd=inner)
        finally:
            os.close(inner)
        os.rmdir(current, dir_fd=folder)
