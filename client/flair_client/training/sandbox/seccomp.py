"""Which system calls a program in the sandbox may not make, as the kernel reads it.

A list of what training never needs and attacks begin with: other processes' memory,
mounts and namespaces, the kernel's modules, keys and counters, memory that no limit
sees. Of sockets only those between processes of the sandbox itself are left: a virtual
machine's AF_VSOCK, for one, belongs to no network namespace.

Format: linux/filter.h and linux/seccomp.h. Numbers: asm/unistd_64.h for x86_64,
asm-generic/unistd.h for aarch64.
"""

import struct
from typing import Final

_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN: Final = {"x86_64": 0, "aarch64": 1}

# Name: number on x86_64, on aarch64; None where it has none.
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setfsgid": (123, 152),
    "setfsuid": (122, 151),
    "setgid": (106, 144),
    "setgroups": (116, 159),
    "setns": (308, 268),
    "setregid": (114, 143),
    "setresgid": (119, 149),
    "setresuid": (117, 147),
    "setreuid": (113, 145),
    "settimeofday": (164, 170),
    "setuid": (105, 146),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
# Said not to exist: libraries then do without.
_MISSING: Final[dict[str, tuple[int | None, int | None]]] = {
    "clone3": (435, 435),  # its flags lie in memory, where a filter does not look
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}
_SOCKET: Final = (41, 198)
_CLONE: Final = (56, 220)
_IOCTL: Final = (16, 29)
_AF_UNIX: Final = 1
_EPERM, _EACCES, _ENOSYS = 1, 13, 38
# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NEW_NAMESPACES: Final = 0x80 | 0x20000 | 0x7E000000
# Words put into a terminal's input as if its user had typed them.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_X32_BIT: Final = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW: Final = 0x7FFF0000
_KILL_PROCESS: Final = 0x80000000
_ERRNO: Final = 0x00050000
# Where in `struct seccomp_data`; arguments are 8 bytes, little end first.
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def _argument(index: int) -> bytes:
    return _step(_LOAD, _ARGUMENTS_AT + 8 * index)


def _refuse(errno: int) -> bytes:
    return _step(_RETURN, _ERRNO | errno)


def filter_for(machine: str) -> bytes | None:
    """Gives the program of a filter, steps of 8 bytes; None for unknown machines.

    Another architecture's calls, which have other numbers, end the process.
    """
    if machine not in _ARCH:
        return None
    column = _COLUMN[machine]
    steps = [
        _step(_LOAD, _ARCH_AT),
        _step(_EQUAL, _ARCH[machine], yes=1),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER_AT),
        _step(_AT_LEAST, _X32_BIT, no=1),
        _refuse(_ENOSYS),
    ]
    for calls, errno in ((_REFUSED, _EPERM), (_MISSING, _ENOSYS)):
        for numbers in calls.values():
            number = numbers[column]
            if number is not None:
                steps += [_step(_EQUAL, number, no=1), _refuse(errno)]
    steps += [
        _step(_EQUAL, _SOCKET[column], no=4),
        _argument(0),
        _step(_EQUAL, _AF_UNIX, yes=1),
        _refuse(_EACCES),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, _CLONE[column], no=4),
        _argument(0),
        _step(_ANY_BIT, _NEW_NAMESPACES, no=1),
        _refuse(_EPERM),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, _IOCTL[column], no=4),
        _argument(1),
        _step(_EQUAL, _TIOCSTI, yes=1),
        _step(_EQUAL, _TIOCLINUX, no=1),
        _refuse(_EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)
