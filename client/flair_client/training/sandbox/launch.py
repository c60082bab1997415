"""Starts a program in namespaces of its own; a script that needs nothing but Python.

Reads one JSON object from its standard input, the plan: what is shown read-only, the
one folder that can be written, devices, limits, program and environment. The program
then sees a root made of nothing else, no network, no other process, and has no rights
over any of it. How it ended goes, as JSON, to the file descriptor that the plan names.

Process 1 of the new process namespace is this script: when it ends, by itself or by a
signal, the system kills everything that the program left behind.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)

_CLONE_NEWNS = 0x00020000
_CLONE_NEWCGROUP = 0x02000000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_NAMESPACES = (
    _CLONE_NEWUSER
    | _CLONE_NEWNS
    | _CLONE_NEWPID
    | _CLONE_NEWNET
    | _CLONE_NEWIPC
    | _CLONE_NEWUTS
    | _CLONE_NEWCGROUP
)
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MS_NOATIME, _MS_NODIRATIME, _MS_RELATIME = 1024, 2048, 1 << 21
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 4, 22, 2
_LAST_CAPABILITY = 63
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
# A mount keeps the flags that it has outside, or the system refuses the change.
_KEPT_FLAGS = (
    (os.ST_NOSUID, _MS_NOSUID),
    (os.ST_NODEV, _MS_NODEV),
    (os.ST_NOEXEC, _MS_NOEXEC),
    (os.ST_NOATIME, _MS_NOATIME),
    (os.ST_NODIRATIME, _MS_NODIRATIME),
    (os.ST_RELATIME, _MS_RELATIME),
)
_USER_ID = 1000
_NOBODY = 65534
_USERS = "flair:x:1000:1000::/:/bin/false\n"


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(option: int, value: int) -> int:
    long = ctypes.c_ulong
    return int(_LIBC.prctl(option, long(value), long(0), long(0), long(0)))


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, data: str = ""
) -> None:
    _call(
        f"mount {target}",
        _LIBC.mount(
            None if source is None else os.fsencode(source),
            os.fsencode(target),
            None if kind is None else kind.encode(),
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
    )


def _pivot_root(new: str, old: str) -> None:
    syscall = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203}
    number = syscall.get(os.uname().machine)
    if number is None:
        raise OSError(0, f"no sandbox for {os.uname().machine}")
    _call("pivot_root", _LIBC.syscall(number, os.fsencode(new), os.fsencode(old)))


def _enter_namespaces() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        # Root's processes are never too many; those whose real user is another's are.
        # What may be read goes by the effective user, and the filter keeps both.
        os.setresuid(_NOBODY, 0, 0)
    _call("unshare", _LIBC.unshare(_NAMESPACES))
    # Nobody in there is root, so that no right comes back with a new program.
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_USER_ID} {uid} 1"),
        ("gid_map", f"{_USER_ID} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, "ascii")


def die_with_parent() -> None:
    """Has the kernel end this process when its parent ends, however it does."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _make_root(plan: dict[str, Any]) -> None:
    """Builds the new root under `/newroot` of a small file system, and goes there."""
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    base = plan["scratch"]
    _mount("tmpfs", base, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=4m")
    os.chdir(base)
    Path("newroot").mkdir()
    Path("oldroot").mkdir()
    _pivot_root(base, "oldroot")
    os.chdir("/")
    _mount("tmpfs", "/newroot", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=4m")
    for link, to in plan["links"]:
        _place(link).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _place(link).symlink_to(to)
    # Before what is shown: some of it may lie below /tmp.
    _system_folders(plan)
    for source, target in plan["readable"]:
        _bind(source, target, writable=False)
    _bind(plan["scratch"], plan["scratch"], writable=True)
    _mount(None, "/newroot", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID)
    _leave_old_root()


def _system_folders(plan: dict[str, Any]) -> None:
    small = _MS_NOSUID | _MS_NODEV
    for name in ("proc", "dev", "tmp", "etc"):
        _place(f"/{name}").mkdir(exist_ok=True)
    with contextlib.suppress(OSError):
        (_place("/etc/passwd")).write_text(_USERS, "ascii")
    try:
        # Whoever is root outside may change the kernel's settings there, rights or no.
        _mount("proc", "/newroot/proc", "proc", small | _MS_NOEXEC | _MS_RDONLY)
    except OSError:
        # In containers that hide parts of it; what libraries ask of it is little.
        for name in ("cpuinfo", "meminfo", "stat", "version"):
            _bind(f"/proc/{name}", f"/proc/{name}", writable=False)
    for device in plan["devices"]:
        _bind(device, device, writable=True)
    for name in ("fd", "stdin", "stdout", "stderr"):
        number = {"stdin": "/0", "stdout": "/1", "stderr": "/2"}.get(name, "")
        _place(f"/dev/{name}").symlink_to(f"/proc/self/fd{number}")
    _place("/dev/shm").mkdir()  # noqa: S108 - the sandbox's own
    _mount("tmpfs", "/newroot/dev/shm", "tmpfs", small, f"size={plan['shm_bytes']}")
    _mount("tmpfs", "/newroot/tmp", "tmpfs", small, f"size={plan['tmp_bytes']}")


def _place(path: str) -> Path:
    return Path("/newroot") / path.lstrip("/")


def _bind(source: str, target: str, *, writable: bool) -> None:
    old, new = Path("/oldroot") / source.lstrip("/"), _place(target)
    if not old.exists():
        return
    if old.is_dir():
        new.mkdir(parents=True, exist_ok=True)
    else:
        new.parent.mkdir(parents=True, exist_ok=True)
        if not new.exists():
            new.touch()
    _mount(str(old), str(new), None, _MS_BIND | _MS_REC)
    if not writable:
        for path in _mounts_below(str(new)):
            _make_read_only(path)


def _mounts_below(folder: str) -> list[str]:
    lines = Path("/oldroot/proc/self/mountinfo").read_text("utf-8").splitlines()
    points = [_unescaped(line.split(" ")[4]) for line in lines]
    return [one for one in points if one == folder or one.startswith(f"{folder}/")]


def _unescaped(text: str) -> str:
    # Spaces and the like are written as \040.
    parts = text.split("\\")
    return parts[0] + "".join(chr(int(one[:3], 8)) + one[3:] for one in parts[1:])


def _make_read_only(path: str) -> None:
    has = os.statvfs(path).f_flag
    kept = sum(flag for name, flag in _KEPT_FLAGS if has & name)
    flags = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | kept
    try:
        _mount(None, path, None, flags)
    except OSError:
        # Below another mount that hides it, nobody reaches it either.
        if os.access(path, os.F_OK) and os.statvfs(path).f_flag & os.ST_RDONLY == 0:
            raise


def _leave_old_root() -> None:
    _call("umount", _LIBC.umount2(b"/oldroot", _MNT_DETACH))
    old = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.chdir("/newroot")
    _pivot_root(".", ".")
    os.fchdir(old)
    _call("umount", _LIBC.umount2(b".", _MNT_DETACH))
    os.close(old)
    os.chdir("/")


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _drop_rights() -> None:
    for number in range(_LAST_CAPABILITY + 1):
        # Numbers that this system does not know are refused.
        _prctl(_PR_CAPBSET_DROP, number)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = _CapHeader(_LINUX_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    _call("capset", _LIBC.capset(ctypes.byref(header), data))
    _call("no_new_privs", _prctl(_PR_SET_NO_NEW_PRIVS, 1))


class _Filter(ctypes.Structure):
    _fields_ = (("n_steps", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def _set_filter(steps: bytes) -> None:
    # Needs no_new_privs, and cannot be undone.
    program = _Filter(len(steps) // 8, steps)
    long = ctypes.c_ulong
    _call(
        "seccomp",
        _LIBC.prctl(
            _PR_SET_SECCOMP,
            long(_SECCOMP_MODE_FILTER),
            ctypes.byref(program),
            long(0),
            long(0),
        ),
    )


def _set_limits(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (most, most))


def _confine(plan: dict[str, Any]) -> None:
    """Takes everything from this process that the program must not have."""
    os.setsid()
    os.chdir(plan["scratch"])
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.closerange(3, 65536)
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    _set_limits(plan["limits"])
    _drop_rights()
    _set_filter(bytes.fromhex(plan["filter"]))


def _tell(plan: dict[str, Any], **what: object) -> None:
    os.write(plan["status_fd"], (json.dumps(what) + "\n").encode())


def _first_process(plan: dict[str, Any]) -> None:
    """Process 1: starts the program and waits for it alone, then all others end.

    Returns in the program's process, and in no other.
    """
    program = os.fork()
    if program == 0:
        try:
            _confine(plan)
        except OSError as exc:
            _end(exc)
        return
    # Nothing that the program prints after its end is waited for.
    os.closerange(0, 3)
    while True:
        ended, status = os.wait()
        if ended == program:
            _tell(plan, code=os.waitstatus_to_exitcode(status))
            os._exit(0)


def _first_in_new_root(plan: dict[str, Any], go: int) -> None:
    try:
        die_with_parent()
        if os.read(go, 1) != b"g":
            os._exit(1)
        _make_root(plan)
    except OSError as exc:
        _tell(plan, failed=str(exc))
        os._exit(1)
    _first_process(plan)


def enter(plan: dict[str, Any]) -> None:
    """Goes on in the sandbox: returns in a new process in there, and in no other.

    This process enters the namespaces, stays outside of the last as the one who waits,
    and ends. It has one thread, and its parent is the plan's.
    """
    die_with_parent()
    # Whoever started us may have ended before that.
    if os.getppid() != plan["parent"]:
        os._exit(1)
    try:
        _enter_namespaces()
    except OSError as exc:
        _tell(plan, failed=str(exc))
        os._exit(1)
    wait, go = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(go)
        _first_in_new_root(plan, wait)
        return
    _tell(plan, first=first)
    os.closerange(0, 3)
    os.write(go, b"g")
    os.waitpid(first, 0)
    os._exit(0)


def _end(error: OSError) -> NoReturn:
    os.write(2, f"{error}\n".encode())
    os._exit(127)


def main() -> None:
    """Makes the sandbox, or completes the one that bubblewrap made around us."""
    plan = json.loads(sys.stdin.buffer.read())
    if plan["is_made"]:
        # The program has the same rights as we have, and must not change our mind.
        _prctl(_PR_SET_DUMPABLE, 0)
        _first_process(plan)
    else:
        enter(plan)
    try:
        os.execve(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606 - meant so
    except OSError as exc:
        _end(exc)


if __name__ == "__main__":
    main()
