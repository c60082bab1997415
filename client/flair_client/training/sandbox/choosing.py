"""Which sandbox this machine has, and a program run in it."""

import functools
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flair_client.errors import NoSandbox
from flair_client.training.sandbox.keeping import kept
from flair_client.training.sandbox.layout import (
    check_readable,
    devices,
    links,
    readable_paths,
)
from flair_client.training.sandbox.running import Started, start, system_limits, watch
from flair_client.training.sandbox.seccomp import filter_for
from flair_client.training.sandbox.tidy import tidy
from flair_client.training.sandbox.values import (
    Finished,
    Job,
    Prepared,
    SandboxKind,
    SandboxLimits,
)

_LAUNCHER: Final = Path(__file__).with_name("launch.py")
_TMP_BYTES: Final = 64 << 20
_TRIAL: Final = SandboxLimits(20, 1 << 30, 64, 1 << 20)


def run(
    argv: Sequence[str],
    *,
    readable: Sequence[Path],
    scratch: Path,
    limits: SandboxLimits,
    env: Mapping[str, str],
    on_line: Callable[[str], None],
    device: str = "cpu",
    sandboxed: bool = True,
    hidden: Sequence[Path] = (),
    prepared: Prepared | None = None,
) -> Finished:
    """Runs a program until it ends or reaches a limit.

    Args:
        argv: the program by its whole path, and its arguments.
        readable: files and folders that it may read, besides Python and the system's.
        scratch: the one folder that it may write; it is its current one.
        limits: of all its processes together.
        env: its whole environment.
        on_line: hears each line of its standard output.
        device: other than `cpu`, graphics devices are visible.
        sandboxed: False runs it as any other program of the user's; only the limits
            hold, as far as it does not evade them.
        hidden: folders that no readable one may hold, besides the home folder.
        prepared: a template that does the same as the program, which is asked for it
            where one is kept (`keep_template`); else the program starts afresh.

    Raises:
        UsageError: a readable folder holds one that may not be read.
        NoSandbox: this machine has none; tells why.
    """
    check_readable(readable, hidden)
    job = Job(argv, readable, scratch.resolve(), limits, env, on_line, device, prepared)
    if not sandboxed:
        return watch(Started(start(argv, job), None), job)
    kind = find_sandbox()
    if kind is None:
        raise NoSandbox(_why_not())
    # Before as well: nobody tidied up after one who was killed.
    tidy(job.scratch)
    try:
        # Bubblewrap starts programs, and cannot be entered by one that runs.
        finished = _forked(job) if kind == "namespaces" else None
        return finished or _RUN[kind](job)
    finally:
        tidy(job.scratch)


@functools.cache
def find_sandbox() -> SandboxKind | None:
    """Gives the sandbox of this machine, found by trying; None where there is none."""
    kinds = list(_RUN)
    if os.geteuid() == 0:
        # In bubblewrap programs stay root's, whose processes are never too many.
        kinds.reverse()
    return next((kind for kind in kinds if _refusal(kind) is None), None)


@functools.cache
def _refusal(kind: SandboxKind) -> str | None:
    """Why a kind of sandbox does not work here; None where a trial went well."""
    try:
        with tempfile.TemporaryDirectory(prefix="flair-") as folder:
            argv = [sys.executable, "-I", "-S", "-c", "open('written', 'w').close()"]
            ended = _RUN[kind](Job(argv, (), Path(folder).resolve(), _TRIAL))
            if ended.exit_code == 0 and (Path(folder) / "written").exists():
                return None
    except (NoSandbox, OSError) as exc:
        return str(exc)
    last = ended.stderr_tail.strip().rpartition("\n")[2]
    return f"a trial ended with exit code {ended.exit_code}: {last}"


def _why_not() -> str:
    return "; ".join(f"{kind}: {_refusal(kind)}" for kind in _RUN)


def _plan(job: Job, status: int) -> dict[str, Any]:
    steps = filter_for(platform.machine())
    if steps is None:
        raise NoSandbox(f"no filter of system calls for {platform.machine()}")
    return {
        "argv": list(job.argv),
        "env": dict(job.env),
        "scratch": str(job.scratch),
        "limits": system_limits(job),
        "filter": steps.hex(),
        "status_fd": status,
        "parent": os.getpid(),
    }


def _in_namespaces(job: Job) -> Finished:
    return _started(job, lambda _: (), is_made=False, **_root(job))


def _root(job: Job) -> dict[str, Any]:
    return {
        "links": links(),
        "readable": readable_paths(job.readable, job.device),
        "devices": devices(job.device),
        "shm_bytes": _shared_bytes(job),
        "tmp_bytes": _TMP_BYTES,
    }


def _forked(job: Job) -> Finished | None:
    """Has a template run it; None where none is kept or can be had, or it ended."""
    keeper = kept()
    if keeper is None or job.prepared is None:
        return None
    # A run tells its own descriptor and parent.
    plan = json.dumps(_plan(job, -1) | _root(job)).encode()
    started = keeper.begin(job.prepared, job.env, plan)
    if started is None:
        return None
    try:
        finished = watch(started, job)
    except NoSandbox:
        return None
    if finished.ended_by == "signal" and not keeper.is_standing():
        # Whoever killed the template ended the run with it.
        tidy(job.scratch)
        return None
    return finished


def _in_bwrap(job: Job) -> Finished:
    program = shutil.which("bwrap")
    if program is None:
        raise NoSandbox("bubblewrap is not installed")
    return _started(
        job, lambda status: (program, *_bwrap_options(job, status), "--"), is_made=True
    )


def _started(
    job: Job, before: Callable[[int], Sequence[str]], **more: object
) -> Finished:
    """Runs the launcher, behind the arguments that come before it."""
    readable, status = os.pipe()
    # Bubblewrap keeps its own from the launcher.
    others = os.dup(status)
    try:
        plan = json.dumps(_plan(job, status) | more).encode()
        argv = [*before(others), sys.executable, "-I", "-S", str(_LAUNCHER)]
        process = start(argv, job, keep=(status, others), plan=plan)
    except BaseException:
        os.close(readable)
        raise
    finally:
        os.close(status)
        os.close(others)
    return watch(Started(process, readable), job)


def _shared_bytes(job: Job) -> int:
    return job.limits.max_memory_bytes // 4


def _bwrap_options(job: Job, status: int) -> list[str]:
    """Arguments of bubblewrap for the same root as the launcher makes."""
    options = [
        *("--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1"),
        *("--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"),
        *("--json-status-fd", str(status)),
    ]
    for link, to in links():
        options += ["--symlink", to, link]
    # Whoever is root outside may change the kernel's settings there, rights or no.
    options += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
    for one in devices(job.device):
        options += ["--dev-bind", one, one]
    shared = str(_shared_bytes(job))
    options += ["--size", shared, "--tmpfs", "/dev/shm"]  # noqa: S108 - its own
    options += ["--remount-ro", "/dev"]
    # Before the paths that may lie below it.
    options += ["--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - as above
    for source, target in readable_paths(job.readable, job.device):
        options += ["--ro-bind", source, target]
    scratch = str(job.scratch)
    options += ["--bind", scratch, scratch, "--chdir", scratch]
    return [*options, "--remount-ro", "/", "--clearenv"]


_RUN: Final[Mapping[SandboxKind, Callable[[Job], Finished]]] = {
    "bwrap": _in_bwrap,
    "namespaces": _in_namespaces,
}
