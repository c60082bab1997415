"""Starts a program, listens to it, and stops it at a limit."""

import json
import os
import re
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from flair_client.errors import NoSandbox
from flair_client.training.sandbox.values import EndedBy, Finished, Job
from flair_client.training.sandbox.watching import Meter, is_elsewhere

_TICK_S: Final = 0.1
_DEATH_S: Final = 10.0
_TAIL_BYTES: Final = 16 * 1024
MAX_LINE_BYTES: Final = 64 * 1024
# Of both outputs together: far more than any progress is worth.
MAX_OUTPUT_BYTES: Final = 256 << 20
# The system's limit only has to hold until the watch sees that ours is reached.
_SPARE_PROCESSES: Final = 16
FIRST_TO_BE_KILLED: Final = "1000"


class Process(Protocol):
    """A process that was started, and everything that ends with it."""

    pid: int

    @property
    def stdout(self) -> IO[bytes] | None:
        """Where its output is read."""

    @property
    def stderr(self) -> IO[bytes] | None:
        """Where its errors are read."""

    def poll(self) -> int | None:
        """Gives its exit code; None while it runs."""

    def wait(self) -> int:
        """Waits for its end."""

    def kill(self) -> None:
        """Ends it."""


class Group(subprocess.Popen[bytes]):
    """A process that leads a session; all of it is killed at once."""

    def kill(self) -> None:
        """Kills the session."""
        os.killpg(self.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Started:
    """A program that runs.

    Attributes:
        process: the one that we started, which may be only the one who waits.
        status: where it is told how it went; None without a sandbox.
    """

    process: Process
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
        self._begun = self._looked_at = time.monotonic()
        self._meter = Meter(job.scratch, job.limits)
        self._n_output = 0
        self._selector = selectors.DefaultSelector()
        pipes: tuple[tuple[IO[bytes] | int | None, Callable[[bytes], None]], ...] = (
            (self._process.stdout, self._add_output),
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
            if self._n_output > MAX_OUTPUT_BYTES:
                return "output"
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
        now = time.monotonic()
        # Not after each piece of its output: a flood must not keep us from reading.
        if now - self._looked_at < _TICK_S:
            return None
        self._looked_at = now
        if now - self._begun > self._job.limits.max_seconds:
            return "time"
        return self._meter.exceeded(self._first(), sandboxed=self._is_sandboxed)

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
                self._kill_first(os.pidfd_open(first))
        with suppress(ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()

    def _kill_first(self, descriptor: int) -> None:
        try:
            # Its number may be another's by now, whose namespace is ours.
            if is_elsewhere(self._first()):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                select.select([descriptor], [], [], _DEATH_S)
        finally:
            os.close(descriptor)

    def _add_output(self, raw: bytes) -> None:
        self._n_output += len(raw)
        self._lines.add(raw)

    def _add_tail(self, raw: bytes) -> None:
        self._n_output += len(raw)
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
        code = self._exit_code(told)
        # A file as large as all may be ends in an error, or in a signal.
        if code != 0 and self._meter.fills_scratch(()):
            return Finished(code, "scratch", tail)
        return Finished(code, "signal" if code < 0 else "exit", tail)

    def _exit_code(self, told: dict[str, Any]) -> int:
        if not self._is_sandboxed:
            return self._process.wait()
        # Killed from outside, with the one who would have told it.
        return int(told.get("code", -signal.SIGKILL))

    def close(self) -> None:
        """Closes what was listened to."""
        self._selector.close()
        self._meter.close()
        for one in self._descriptors:
            if isinstance(one, int):
                os.close(one)
            else:
                one.close()


def system_limits(job: Job) -> dict[str, int]:
    """Limits of the system's for each single process: what is beyond them is refused.

    Those of all processes together are watched.
    """
    limits = job.limits
    found = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits.max_scratch_bytes,
        "RLIMIT_NOFILE": 4096,
    }
    if job.device == "cpu":
        # Memory that is no file's, touched or not; a graphics card's maps are far
        # larger than what they take.
        found["RLIMIT_DATA"] = 2 * limits.max_memory_bytes
    if _counts_by_namespace():
        found["RLIMIT_NPROC"] = limits.max_processes + _SPARE_PROCESSES
    return found


def _counts_by_namespace() -> bool:
    """Whether the system counts a user's processes in each user namespace alone."""
    major, minor, *_ = re.findall(r"\d+", os.uname().release)
    return (int(major), int(minor)) >= (5, 14)


def start(
    argv: Sequence[str], job: Job, *, keep: Sequence[int] = (), plan: bytes = b""
) -> Group:
    """Starts a process in a session of its own, and writes the plan into it.

    Args:
        argv: the process, by its whole path.
        job: what it is started for.
        keep: descriptors that stay open in it.
        plan: what it reads from its standard input.
    """
    process = Group(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(job.env),
        cwd=str(job.scratch),
        pass_fds=keep,
        start_new_session=True,
    )
    # Where the machine's memory runs out all the same, this goes first.
    with suppress(OSError):
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(FIRST_TO_BE_KILLED)
    if process.stdin is not None:
        with process.stdin as pipe, suppress(BrokenPipeError):
            pipe.write(plan)
    return process
