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
from concurrent.futures import Future, ThreadPoolExecutor
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
# How long the exact count of memory may take, and the pause after it.
_SHARING_S: Final = 2.0
_SHARING_PAUSE_S: Final = 0.2
_MEMORY_FILES: Final = ("dev/shm", "tmp")


class Meter:
    """What one program takes, measured again and again."""

    def __init__(self, scratch: Path, limits: SandboxLimits) -> None:
        self._scratch = scratch
        self._limits = limits
        self._scratch_at = 0.0
        self._beside = ThreadPoolExecutor(1)
        self._sharing: Future[int] | None = None
        self._sharing_at = 0.0
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
        available = _amounts(Path("/proc/meminfo")).get("MemAvailable")
        if pids and available is not None and available < _MEMORY_RESERVE_BYTES:
            return True
        # Quick, and too much where processes share.
        own, shared = ("RssAnon", "VmSwap"), ("RssShmem",)
        limit = self._limits.max_memory_bytes
        if _memory("status", pids, own, shared, in_files) <= limit:
            return False
        return self._shares_too_much(pids, in_files)

    def _shares_too_much(self, pids: Collection[int], in_files: int) -> bool:
        """The same with what is shared counted once, a little later.

        A process that forks without end makes us wait for the list of its memory, so it
        is read beside; what is not told in time is too much.
        """
        now = time.monotonic()
        if self._sharing is None:
            if now >= self._sharing_at:
                own, shared = ("Pss_Anon", "SwapPss"), ("Pss_Shmem",)
                self._sharing = self._beside.submit(
                    _memory, "smaps_rollup", list(pids), own, shared, in_files
                )
                self._sharing_at = now + _SHARING_S
            return False
        if not self._sharing.done():
            return now >= self._sharing_at
        total = self._sharing.result()
        self._sharing, self._sharing_at = None, now + _SHARING_PAUSE_S
        return total > self._limits.max_memory_bytes

    def close(self) -> None:
        """Ends what is read beside."""
        self._beside.shutdown(wait=False, cancel_futures=True)

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
        # Of each process on the machine, many times a second: a Path takes longer.
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115
    except OSError:
        # It has ended, or is somebody else's.
        return None


def _memory(
    file: str,
    pids: Collection[int],
    own: Collection[str],
    shared: Collection[str],
    in_files: int,
) -> int:
    """Bytes by a file of each process; what is shared lies mostly in those files."""
    total = mapped = 0
    for pid in pids:
        found = _amounts(Path(f"/proc/{pid}/{file}"))
        total += sum(found.get(name, 0) for name in own)
        mapped += sum(found.get(name, 0) for name in shared)
    return total + max(mapped, in_files)


def _amounts(path: Path) -> dict[str, int]:
    """Bytes by name, of lines such as `VmSwap:   12 kB`."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) * _KIB for words in lines}


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
