"""Watches a program from outside: what it takes of memory, processes and disk.

The system's own limits are for single processes, and none of them holds for a user who
is root; these are for all of them together.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# More files than any checkpoint has; counting them takes time as well.
MAX_ENTRIES: Final = 100_000
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program takes now.

    Attributes:
        memory_bytes: that are no file's.
        processes: with threads.
    """

    memory_bytes: int
    processes: int


def usage_of(first: int, *, sandboxed: bool) -> Usage:
    """Adds up what a process and those that it started take.

    Args:
        first: process 1 of a process namespace, or the leader of a session.
        sandboxed: whether it is the former.
    """
    belongs = _namespace if sandboxed else _session
    wanted = belongs(first)
    if wanted is None:
        return Usage(0, 0)
    memory = processes = 0
    for pid in _processes():
        if belongs(pid) == wanted:
            memory += _own_memory(pid)
            processes += _threads(pid)
    if sandboxed:
        memory += _shared_memory(first)
    return Usage(memory, processes)


def _processes() -> Iterator[int]:
    return (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit())


def _namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        # It has ended, or is somebody else's.
        return None


def _own_memory(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    # The name, in brackets, may hold anything.
    return text.rpartition(")")[2].split()


def _threads(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[17]) if fields else 0


def _session(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[3] if fields else None


def _shared_memory(first: int) -> int:
    """What lies in the sandbox's own file systems in memory."""
    root = Path(f"/proc/{first}/root")
    total = 0
    # Before the sandbox stands, its root is still ours.
    with contextlib.suppress(OSError):
        if root.stat().st_dev != Path("/").stat().st_dev:
            for name in ("dev/shm", "tmp"):
                found = os.statvfs(root / name)
                total += (found.f_blocks - found.f_bfree) * found.f_frsize
    return total


def scratch_bytes(folder: Path, limit: int) -> int:
    """Bytes on the disk in a folder; counting stops above the limit.

    Links are not followed. Too many files count as more than any limit.
    """
    total, entries = 0, 0
    waiting = [str(folder)]
    while waiting and total <= limit:
        try:
            found = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        entries += len(found)
        if entries > MAX_ENTRIES:
            return limit + 1
        for entry in found:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return total
