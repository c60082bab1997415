"""Whoever runs several programs of a kind keeps a template of them, see `template`.

Where none can be had, each program starts afresh, which takes longer and is the same.
"""

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.training.sandbox.running import FIRST_TO_BE_KILLED, Started
from flair_client.training.sandbox.template import READY, RUN
from flair_client.training.sandbox.values import Prepared

_ANSWER_S: Final = 300.0
_MAX_MESSAGE: Final = 16
# Each run has its own.
_OWN: Final = ("HOME", "TMPDIR")


class ForkedProcess:
    """A process of a template's, which has the template for its parent."""

    def __init__(self, pid: int, descriptor: int, output: int, errors: int) -> None:
        self.pid = pid
        self.stdout = open(output, "rb", buffering=0)  # noqa: SIM115 - closed by whoever listens
        self.stderr = open(errors, "rb", buffering=0)  # noqa: SIM115
        self._descriptor: int | None = descriptor

    def poll(self) -> int | None:
        """Gives 0 where it has ended, else None."""
        return self._ended(0)

    def wait(self) -> int:
        """Waits for its end; how it ended is told elsewhere."""
        self._ended(None)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        return 0

    def _ended(self, timeout_s: float | None) -> int | None:
        if self._descriptor is None:
            return 0
        return 0 if select.select([self._descriptor], [], [], timeout_s)[0] else None

    def kill(self) -> None:
        """Ends it, and so what is in its namespaces."""
        if self._descriptor is not None:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)


class _Standing:
    """A template that stands ready."""

    def __init__(self, prepared: Prepared, env: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                [*prepared.argv, str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(env),
                cwd="/",
                start_new_session=True,
            )
        self._control.settimeout(_ANSWER_S)
        with suppress(OSError):
            score = Path(f"/proc/{self.process.pid}/oom_score_adj")
            score.write_text(FIRST_TO_BE_KILLED)

    def is_ready(self) -> bool:
        """Waits until it is; False where it ended instead."""
        try:
            return self._control.recv(_MAX_MESSAGE) == READY
        except OSError:
            return False

    def fork(self, plan: bytes) -> Started | None:
        """Begins a run; None where the template has ended."""
        pipes = [os.pipe() for _ in range(4)]
        (plan_there, plan_here), *outputs = pipes
        there = [plan_there, *(writable for _, writable in outputs)]
        here = [readable for readable, _ in outputs]
        try:
            socket.send_fds(self._control, [RUN], there)
            answer, given, _, _ = socket.recv_fds(self._control, _MAX_MESSAGE, 1)
        except OSError:
            answer, given = b"", []
        finally:
            for one in there:
                os.close(one)
        if not given:
            for one in (plan_here, *here):
                os.close(one)
            return None
        with suppress(BrokenPipeError), os.fdopen(plan_here, "wb") as file:
            file.write(plan)
        output, errors, status = here
        return Started(ForkedProcess(int(answer), given[0], output, errors), status)

    def end(self) -> None:
        """Ends it, and what it has begun."""
        self._control.close()
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Keeper:
    """Keeps one template; starts another where it has ended, or another is wanted."""

    _standing: _Standing | None = None
    _kept_for: object = None
    _is_refused: bool = False

    def begin(
        self, prepared: Prepared, env: Mapping[str, str], plan: bytes
    ) -> Started | None:
        """Begins a run; None where no template can be had."""
        own = {name: value for name, value in env.items() if name not in _OWN}
        wanted = (prepared, own)
        if wanted != self._kept_for:
            self.close()
            self._kept_for, self._is_refused = wanted, False
        for _ in range(2):
            if self._standing is None and not self._is_refused:
                # No home, or Python would look for libraries in the user's.
                self._stand(prepared, own | {"HOME": "/nonexistent"})
            if self._standing is None:
                return None
            started = self._standing.fork(plan)
            if started is not None:
                return started
            # It has ended since it was asked last.
            self.close()
        return None

    def _stand(self, prepared: Prepared, env: Mapping[str, str]) -> None:
        self._standing = _Standing(prepared, env)
        if not self._standing.is_ready():
            self.close()
            self._is_refused = True

    def is_standing(self) -> bool:
        """Whether its template lives."""
        return self._standing is not None and self._standing.process.poll() is None

    def close(self) -> None:
        """Ends its template."""
        if self._standing is not None:
            self._standing.end()
            self._standing = None


_KEPT: Final[ContextVar[Keeper | None]] = ContextVar("kept", default=None)


@contextmanager
def keep_template() -> Iterator[None]:
    """Programs that are run in here by this thread may share a template."""
    if _KEPT.get() is not None:
        yield
        return
    keeper = Keeper()
    before = _KEPT.set(keeper)
    try:
        yield
    finally:
        _KEPT.reset(before)
        keeper.close()


def kept() -> Keeper | None:
    """Gives who keeps a template here; None where nobody does."""
    return _KEPT.get()
