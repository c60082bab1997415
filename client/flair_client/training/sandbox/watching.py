"""Watches a program from outside: what it takes of memory, processes and disk.

The system's own limits are for single processes, and none of them holds for a user who
is root; these are for all of them together.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, Literal

from flair_client.training.sandbox.values import SandboxLimits

# More files than any checkpoint has; counting them takes time as well.
MAX_ENTRIES: Final = 20_000
_MAX_DEPTH: Final = 64
_BLOCK: Final = 512
_KIB: Final = 1024
# Looking through the scratch folder takes at most this share of the time.
_SCRATCH_SHARE: Final = 0.1
_SCRATCH_TICK_S: Final = 0.2
# What is left to everybody else: of the disk, at most, and of the memory.
_DISK_RESERVE_BYTES: Final = 1 << 30
_MEMORY_RESERVE_BYTES: Final = 128 << 20
_MEMORY_FILES: Final = ("dev/shm", "tmp")


class Meter:
    """What one program takes, measured again and again."""

    def __init__(self, scratch: Path, limits: SandboxLimits) -> None:
        self._scratch = scratch
        self._limits = limits
        self._scratch_at = 0.0
        found = os.statvfs(scratch)
        free = found.f_bavail * found.f_frsize
        self._disk_reserve = min(_DISK_RESERVE_BYTES, free // 2)

    def exceeded(
        self, first: int, *, sandboxed: bool
    ) -> Literal["memory", "processes", "scratch"] | None:
        """Tells which limit is exceeded now, if any.

        Args:
            first: process 1 of a process namespace, or the leader of a session.
            sandboxed: whether it is the former.
        """
        found: list[int] = []
        n_threads = 0
        # Whoever forks without end is not counted to the end.
        for pid in _processes_of(first, sandboxed=sandboxed):
            found.append(pid)
            n_threads += _threads(pid)
            if n_threads > self._limits.max_processes:
                return "processes"
        in_files = _memory_files(first) if sandboxed else 0
        if self._takes_too_much(found, in_files):
            return "memory"
        if time.monotonic() < self._scratch_at:
            return None
        begun = time.monotonic()
        fills = self.fills_scratch(found)
        ended = time.monotonic()
        pause = max(_SCRATCH_TICK_S, (ended - begun) / _SCRATCH_SHARE)
        self._scratch_at = ended + pause
        return "scratch" if fills else None

    def _takes_too_much(self, pids: Collection[int], in_files: int) -> bool:
        if in_files or pids:
            available = _kib(Path("/proc/meminfo"), ("MemAvailable",))
            if 0 < available < _MEMORY_RESERVE_BYTES:
                return True
        # Quick, and too much where processes share.
        for file, own, shared in (
            ("status", ("RssAnon", "VmSwap"), ("RssShmem",)),
            ("smaps_rollup", ("Pss_Anon", "SwapPss"), ("Pss_Shmem",)),
        ):
            total = sum(_kib(Path(f"/proc/{pid}/{file}"), own) for pid in pids)
            # What is mapped lies mostly in those files.
            mapped = sum(_kib(Path(f"/proc/{pid}/{file}"), shared) for pid in pids)
            if total + max(mapped, in_files) <= self._limits.max_memory_bytes:
                return False
        return True

    def fills_scratch(self, pids: Collection[int]) -> bool:
        """Whether the scratch folder takes more than it may, or the disk is full.

        Args:
            pids: processes whose files without a name count as well.
        """
        limit = self._limits.max_scratch_bytes
        found = os.statvfs(self._scratch)
        if found.f_bavail * found.f_frsize < self._disk_reserve:
            return True
        taken = scratch_bytes(self._scratch, limit)
        return taken + _nameless_bytes(pids, self._scratch.stat().st_dev) >= limit


def _processes_of(first: int, *, sandboxed: bool) -> Iterator[int]:
    belongs = _namespace if sandboxed else _session
    wanted = belongs(first)
    # Before its namespace is made, a process is still in ours.
    if wanted is None or (sandboxed and not is_elsewhere(first)):
        return
    # Numbers go up: those that came last are most likely its own.
    for pid in sorted(_processes(), reverse=True):
        if belongs(pid) == wanted:
            yield pid


def is_elsewhere(pid: int) -> bool:
    """Whether a process lives in another process namespace than we."""
    return _namespace(pid) not in (None, _namespace(os.getpid()))


def _processes() -> Iterator[int]:
    return (int(one.name) for one in os.scandir("/proc") if one.name.isdigit())


def _namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        # It has ended, or is somebody else's.
        return None


def _kib(path: Path, names: Collection[str]) -> int:
    """Bytes that lines such as `VmSwap:   12 kB` add up to."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return 0
    total = 0
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in names:
            total += int(value.split()[0]) * _KIB
    return total


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


def _memory_files(first: int) -> int:
    """What lies in the sandbox's own file systems in memory."""
    root = Path(f"/proc/{first}/root")
    total = 0
    # Before the sandbox stands, its root is still ours.
    with contextlib.suppress(OSError):
        if root.stat().st_dev != Path("/").stat().st_dev:
            for name in _MEMORY_FILES:
                found = os.statvfs(root / name)
                total += (found.f_blocks - found.f_bfree) * found.f_frsize
    return total


def scratch_bytes(folder: Path, limit: int) -> int:
    """Bytes on the disk in a folder; counting stops at the limit.

    Links are not followed. Too many files count as the limit, and so do folders
    that are too deep or that cannot be looked into.
    """
    total, entries = 0, 0
    waiting = [(str(folder), 0)]
    while waiting and total < limit:
        path, depth = waiting.pop()
        try:
            found = list(os.scandir(path))
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                continue
            return limit
        entries += len(found)
        if entries > MAX_ENTRIES or depth > _MAX_DEPTH:
            return limit
        for entry in found:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, depth + 1))
    return total


def _nameless_bytes(pids: Collection[int], device: int) -> int:
    """Bytes of open files on the scratch's disk whose name was removed."""
    found: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as opened:
            for one in opened:
                with contextlib.suppress(OSError):
                    file = one.stat()
                    if (
                        file.st_nlink == 0
                        and file.st_dev == device
                        and stat.S_ISREG(file.st_mode)
                    ):
                        found[file.st_ino] = file.st_blocks * _BLOCK
    return sum(found.values())
