"""Which sandbox this machine has, and a program run in it."""

import functools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from flair_client.errors import NoSandbox
from flair_client.training.sandbox.layout import devices, links, readable_paths
from flair_client.training.sandbox.running import Started, start, system_limits, watch
from flair_client.training.sandbox.values import (
    Finished,
    Job,
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

    Raises:
        NoSandbox: this machine has none; tells why.
    """
    job = Job(argv, readable, scratch.resolve(), limits, env, on_line, device)
    if not sandboxed:
        return watch(Started(start(argv, job, status=None), None), job)
    kind = find_sandbox()
    if kind is None:
        raise NoSandbox(_why_not())
    return _RUN[kind](job)


@functools.cache
def find_sandbox() -> SandboxKind | None:
    """Gives the sandbox of this machine, found by trying; None where there is none."""
    for kind, run_in in _RUN.items():
        try:
            if _tries(run_in):
                return kind
        except (NoSandbox, OSError):
            continue
    return None


def _tries(run_in: Callable[[Job], Finished]) -> bool:
    with tempfile.TemporaryDirectory(prefix="flair-") as folder:
        argv = [sys.executable, "-I", "-S", "-c", "open('written', 'w').close()"]
        job = Job(argv, (), Path(folder).resolve(), _TRIAL)
        return run_in(job).exit_code == 0 and (Path(folder) / "written").exists()


def _why_not() -> str:
    try:
        with tempfile.TemporaryDirectory(prefix="flair-") as folder:
            argv = [sys.executable, "-I", "-S", "-c", ""]
            ended = _in_namespaces(Job(argv, (), Path(folder).resolve(), _TRIAL))
    except (NoSandbox, OSError) as exc:
        return str(exc)
    return f"a trial ended with exit code {ended.exit_code}"


def _in_namespaces(job: Job) -> Finished:
    readable, status = os.pipe()
    plan = {
        "argv": list(job.argv),
        "env": dict(job.env),
        "scratch": str(job.scratch),
        "links": links(),
        "readable": readable_paths(job.readable, job.device),
        "devices": devices(job.device),
        "limits": system_limits(job),
        "shm_bytes": job.limits.max_memory_bytes // 2,
        "tmp_bytes": _TMP_BYTES,
        "status_fd": status,
    }
    argv = [sys.executable, "-I", "-S", str(_LAUNCHER)]
    try:
        process = start(argv, job, status=status, plan=json.dumps(plan).encode())
    except OSError:
        os.close(readable)
        raise
    finally:
        os.close(status)
    return watch(Started(process, readable), job)


def _in_bwrap(job: Job) -> Finished:
    program = shutil.which("bwrap")
    if program is None:
        raise NoSandbox("bubblewrap is not installed")
    readable, status = os.pipe()
    try:
        process = start(
            [program, *_bwrap_options(job, status), "--", *_limited(job)],
            job,
            status=status,
        )
    except OSError:
        os.close(readable)
        raise
    finally:
        os.close(status)
    return watch(Started(process, readable), job)


def _bwrap_options(job: Job, status: int) -> list[str]:
    """Arguments of bubblewrap for the same root as the launcher makes."""
    options = [
        *("--unshare-all", "--die-with-parent", "--new-session"),
        *("--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"),
        *("--json-status-fd", str(status)),
    ]
    for link, to in links():
        options += ["--symlink", to, link]
    # Before what is shown: some of it may lie below /tmp.
    options += ["--proc", "/proc", "--dev", "/dev", "--size", str(_TMP_BYTES)]
    options += ["--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own
    for one in devices(job.device):
        options += ["--dev-bind", one, one]
    shared = str(job.limits.max_memory_bytes // 2)
    options += ["--size", shared, "--tmpfs", "/dev/shm"]  # noqa: S108 - as above
    for source, target in readable_paths(job.readable, job.device):
        options += ["--ro-bind", source, target]
    scratch = str(job.scratch)
    options += ["--bind", scratch, scratch, "--chdir", scratch, "--clearenv"]
    for name, value in job.env.items():
        options += ["--setenv", name, value]
    return options


def _limited(job: Job) -> list[str]:
    """The program, behind one that sets the system's limits."""
    code = (
        "import json, os, resource, sys\n"
        "for name, value in json.loads(sys.argv[1]).items():\n"
        "    number = getattr(resource, name)\n"
        "    hard = resource.getrlimit(number)[1]\n"
        "    value = value if hard == resource.RLIM_INFINITY else min(value, hard)\n"
        "    resource.setrlimit(number, (value, value))\n"
        "os.execv(sys.argv[2], sys.argv[2:])\n"
    )
    limits = json.dumps(system_limits(job))
    return [sys.executable, "-I", "-S", "-c", code, limits, *job.argv]


_RUN: Final[Mapping[SandboxKind, Callable[[Job], Finished]]] = {
    "bwrap": _in_bwrap,
    "namespaces": _in_namespaces,
}
