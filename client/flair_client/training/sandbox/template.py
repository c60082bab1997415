"""A process that stands ready and forks each run into a sandbox of the run's own.

It has imported what every run imports, and learns nothing of any of them: what a run is
about, the run reads itself, after the fork. No recipe's code and no row is ever in it,
so that nothing of one run can reach the next. It ends with the one who started it.
"""

import atexit
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from flair_client.training.sandbox.launch import die_with_parent, enter

READY: Final = b"ready"
RUN: Final = b"run"
# A framework takes some hundred MiB, which nobody holds for a round that is far away.
_IDLE_S: Final = 600.0
_MAX_MESSAGE: Final = 16
_PIPES: Final = 4


def serve(run: Callable[[list[str]], int], parent: int) -> int:
    """Forks a run whenever it is asked to, from its standard input, a socket.

    Args:
        run: what a run does in its sandbox, with its arguments.
        parent: number of the process that started this one.

    Returns:
        Here alone, and never in a run: 0 once nobody asks any more, 1 where a fork
        would hand on more than a copy of this process.
    """
    die_with_parent()
    # It may have ended before that.
    if os.getppid() != parent:
        return 0
    gc.collect()
    # The collector writes to what it looks at, and would copy it in each run.
    gc.freeze()
    control = socket.socket(fileno=0)
    if not shares_nothing():
        return 1
    control.settimeout(_IDLE_S)
    control.sendall(READY)
    argv = _next_run(control)
    if argv is not None:
        _run_to_end(run, argv)
    return 0


def shares_nothing() -> bool:
    """Whether a fork is a whole copy of this process and has nothing in common with it.

    It has one thread, no memory that both would write, and no file but the three.
    """
    # Libraries of numbers end their waiting threads at a fork, until they need them.
    ended = os.fork()
    if ended == 0:
        os._exit(0)
    os.waitpid(ended, 0)
    return _has_one_thread() and _open_files() == {0, 1, 2} and not _shares_memory()


def _has_one_thread() -> bool:
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - read anew each time


def _open_files() -> set[int]:
    found = set()
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        # The one that was listed with is closed by now.
        with suppress(OSError):
            os.fstat(number)
            found.add(number)
    return found


def _shares_memory() -> bool:
    lines = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
    rights = [line.split(" ")[1] for line in lines]
    return any(one[1] == "w" and one[3] == "s" for one in rights)


def _next_run(control: socket.socket) -> list[str] | None:
    """In a run its arguments; here None, once nobody asks any more."""
    own, last = os.getpid(), None
    while True:
        try:
            message, files, _, _ = socket.recv_fds(control, _MAX_MESSAGE, _PIPES)
        except TimeoutError:
            # A run ends with its parent, and may take longer than this one waits.
            if last is not None and _lives(last):
                continue
            return None
        if message != RUN or len(files) != _PIPES:
            return None
        _reap()
        pid = os.fork() if _has_one_thread() else None
        if pid == 0:
            control.detach()
            return _begin(files, own)
        for one in files:
            os.close(one)
        if pid is None:
            return None
        last = pid
        process = os.pidfd_open(pid)
        socket.send_fds(control, [str(pid).encode()], [process])
        os.close(process)


def _lives(pid: int) -> bool:
    """Whether a run goes on; one that has ended is kept all the same."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is None


def _reap() -> None:
    # Not earlier: as long as an ended run is kept, its number is nobody else's.
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _begin(files: Sequence[int], parent: int) -> list[str]:
    """Enters the sandbox; returns in there alone, as if Python had just started."""
    plan_file, output, errors, status = files
    os.setsid()
    with os.fdopen(plan_file, "rb") as file:
        plan = json.loads(file.read())
    for old, new in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (errors, 2)):
        os.dup2(old, new)
        os.close(old)
    enter({**plan, "status_fd": status, "parent": parent})
    os.environ.clear()
    os.environ.update(plan["env"])
    tempfile.tempdir = None
    # What Python sets when it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    argv: list[str] = plan["argv"]
    sys.argv = argv[-1:]
    return argv


def _run_to_end(run: Callable[[list[str]], int], argv: list[str]) -> NoReturn:
    """Ends as Python does, but that it does not take a framework apart before it.

    That takes longer than a model's evaluation: nearly all of it would be copied first.
    """
    code: Any
    try:
        code = run(argv)
    except SystemExit as exc:
        code = exc.code
    except BaseException:  # noqa: BLE001 - whatever Python would show
        sys.excepthook(*sys.exc_info())
        code = 1
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    # As the library's own multiprocessing does: Python has no public names for them.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit((code or 0) & 0xFF)
