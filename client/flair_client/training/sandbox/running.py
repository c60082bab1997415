"""Starts a program, listens to it, and stops it at a limit."""

import json
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Final

from flair_client.errors import NoSandbox
from flair_client.training.sandbox.values import EndedBy, Finished, Job
from flair_client.training.sandbox.watching import scratch_bytes, usage_of

_TICK_S: Final = 0.05
_SCRATCH_TICK_S: Final = 1.0
_DEATH_S: Final = 10.0
_TAIL_BYTES: Final = 16 * 1024
MAX_LINE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Started:
    """A program that runs.

    Attributes:
        process: the one that we started, which may be only the one who waits.
        status: where it is told how it went; None without a sandbox.
    """

    process: "subprocess.Popen[bytes]"
    status: int | None


def watch(started: Started, job: Job) -> Finished:
    """Listens until the program has ended, or ends it.

    Raises:
        NoSandbox: the launcher could not make the sandbox.
    """
    watcher = _Watcher(started, job)
    try:
        ended_by = watcher.listen()
    finally:
        watcher.kill()
        watcher.close()
    return watcher.finished(ended_by)


class _Lines:
    """Lines out of bytes that come in pieces; one that is too long is passed by."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._rest = b""
        self._skips = False

    def add(self, raw: bytes) -> None:
        *lines, rest = (self._rest + raw).split(b"\n")
        for line in lines:
            if not self._skips and len(line) <= MAX_LINE_BYTES:
                self._hear(line.decode("utf-8", "replace"))
            self._skips = False
        self._skips = self._skips or len(rest) > MAX_LINE_BYTES
        self._rest = b"" if self._skips else rest


class _Watcher:
    """One running program."""

    def __init__(self, started: Started, job: Job) -> None:
        self._process = started.process
        self._is_sandboxed = started.status is not None
        self._job = job
        self._lines = _Lines(job.on_line)
        self._tail = b""
        self._status = b""
        self._begun = time.monotonic()
        self._scratch_at = self._begun
        self._selector = selectors.DefaultSelector()
        pipes: tuple[tuple[IO[bytes] | int | None, Callable[[bytes], None]], ...] = (
            (self._process.stdout, self._lines.add),
            (self._process.stderr, self._add_tail),
            (started.status, self._add_status),
        )
        self._descriptors: list[IO[bytes] | int] = []
        for pipe, take in pipes:
            if pipe is not None:
                self._descriptors.append(pipe)
                self._selector.register(pipe, selectors.EVENT_READ, take)

    def listen(self) -> EndedBy | None:
        """Until all pipes are closed, or a limit is reached: that one."""
        while self._selector.get_map():
            for key, _ in self._selector.select(_TICK_S):
                raw = os.read(key.fd, MAX_LINE_BYTES)
                if raw:
                    key.data(raw)
                else:
                    self._selector.unregister(key.fileobj)
            limit = self._limit()
            if limit is not None:
                return limit
            if self._process.poll() is not None and self._is_quiet():
                break
        return None

    def _is_quiet(self) -> bool:
        """Whether nothing more is to be read now that the process has ended."""
        return not self._selector.select(0)

    def _limit(self) -> EndedBy | None:
        limits, now = self._job.limits, time.monotonic()
        if now - self._begun > limits.max_seconds:
            return "time"
        usage = usage_of(self._first(), sandboxed=self._is_sandboxed)
        if usage.processes > limits.max_processes:
            return "processes"
        if usage.memory_bytes > limits.max_memory_bytes:
            return "memory"
        if now - self._scratch_at >= _SCRATCH_TICK_S:
            self._scratch_at = now
            limit = limits.max_scratch_bytes
            if scratch_bytes(self._job.scratch, limit) > limit:
                return "scratch"
        return None

    def _first(self) -> int:
        """The process whose end is the end of all; 0 before there is one."""
        if not self._is_sandboxed:
            return self._process.pid
        told = self._told()
        return int(told.get("first") or told.get("child-pid") or 0)

    def kill(self) -> None:
        """Kills the program, and waits until nothing of it is left.

        With process 1 of a process namespace all others of it die, and it is gone when
        they are.
        """
        first = self._first()
        if self._is_sandboxed and first:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(first)
                try:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    select.select([descriptor], [], [], _DEATH_S)
                finally:
                    os.close(descriptor)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _add_tail(self, raw: bytes) -> None:
        self._tail = (self._tail + raw)[-_TAIL_BYTES:]

    def _add_status(self, raw: bytes) -> None:
        self._status += raw

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for line in self._status.splitlines():
            told |= json.loads(line)
        return told

    def finished(self, ended_by: EndedBy | None) -> Finished:
        """How it ended."""
        told = self._told()
        tail = self._tail.decode("utf-8", "replace")
        if self._is_sandboxed and ("failed" in told or not self._first()):
            last = tail.strip().rpartition("\n")[2]
            raise NoSandbox(str(told.get("failed", last)))
        if ended_by is not None:
            return Finished(-signal.SIGKILL, ended_by, tail)
        code = int(told.get("code", told.get("exit-code", self._process.wait())))
        if code == -signal.SIGKILL and self._fills_scratch():
            return Finished(code, "scratch", tail)
        return Finished(code, "signal" if code < 0 else "exit", tail)

    def _fills_scratch(self) -> bool:
        limit = self._job.limits.max_scratch_bytes
        return scratch_bytes(self._job.scratch, limit) > limit

    def close(self) -> None:
        """Closes what was listened to."""
        self._selector.close()
        for one in self._descriptors:
            if isinstance(one, int):
                os.close(one)
            else:
                one.close()


def system_limits(job: Job) -> dict[str, int]:
    """Limits of the system's for each single process."""
    limits = job.limits
    return {
        "RLIMIT_CORE": 0,
        # Memory that is no file's: the address space alone may be far larger.
        "RLIMIT_DATA": limits.max_memory_bytes,
        "RLIMIT_FSIZE": limits.max_scratch_bytes,
        "RLIMIT_NOFILE": 4096,
    }


def start(
    argv: Sequence[str], job: Job, *, status: int | None, plan: bytes = b""
) -> "subprocess.Popen[bytes]":
    """Starts a process in a session of its own, and writes the plan into it."""
    process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(job.env),
        cwd=str(job.scratch),
        pass_fds=() if status is None else (status,),
        start_new_session=True,
    )
    if process.stdin is not None:
        with process.stdin as pipe, suppress(BrokenPipeError):
            pipe.write(plan)
    return process
