"""The parts of the sandbox that need none: filter, layout, counting, tidying up."""

import os
import re
import shutil
import struct
import sys
from pathlib import Path

import pytest

from flair_client.errors import UsageError
from flair_client.training.sandbox import SandboxLimits, choosing, seccomp, watching
from flair_client.training.sandbox.layout import (
    check_readable,
    devices,
    home_folder,
    readable_paths,
)
from flair_client.training.sandbox.running import system_limits
from flair_client.training.sandbox.seccomp import filter_for
from flair_client.training.sandbox.tidy import tidy
from flair_client.training.sandbox.values import Job
from flair_client.training.sandbox.watching import scratch_bytes

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(steps, arch, number, *arguments):
    """Runs a filter as linux/filter.h describes it, on a made-up call."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    at, loaded = 0, 0
    while True:
        code, yes, no, value = struct.unpack_from("<HBBI", steps, 8 * at)
        at += 1
        match code:
            case 0x20:
                [loaded] = struct.unpack_from("<I", data, value)
            case 0x15:
                at += yes if loaded == value else no
            case 0x35:
                at += yes if loaded >= value else no
            case 0x45:
                at += yes if loaded & value else no
            case 0x06:
                return value
            case _:
                raise AssertionError(code)


def names_in(header, pattern):
    if not Path(header).is_file():
        pytest.skip(f"{header} is not installed")
    found = re.findall(pattern, Path(header).read_text())
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("machine", ARCH)
def test_ordinary_calls_pass_the_filter(machine):
    steps = filter_for(machine)
    ordinary = {"x86_64": (0, 1, 9, 59, 202, 231), "aarch64": (63, 64, 222, 221, 98)}

    for number in ordinary[machine]:
        assert verdict(steps, ARCH[machine], number) == ALLOWED


def test_another_machines_calls_end_the_process():
    assert verdict(filter_for("x86_64"), 0x40000003, 1) == KILLED
    assert verdict(filter_for("aarch64"), 0x40000028, 1) == KILLED
    # x32, whose numbers are x86_64's with one more bit.
    refused = verdict(filter_for("x86_64"), ARCH["x86_64"], 0x40000000 | 101)
    assert refused == 0x50000 | 38


@pytest.mark.parametrize(
    ("number", "arguments", "wanted"),
    [
        (41, (1, 1), ALLOWED),  # socket(AF_UNIX)
        (41, (2, 1), 0x5000D),  # socket(AF_INET)
        (41, (40, 1), 0x5000D),  # socket(AF_VSOCK)
        (53, (1, 1), ALLOWED),  # socketpair
        (56, (0x1200011,), ALLOWED),  # clone, as fork
        (56, (0x3D0F00,), ALLOWED),  # clone, as a thread
        (56, (0x10000011,), 0x50001),  # clone(CLONE_NEWUSER)
        (56, (0x40000011,), 0x50001),  # clone(CLONE_NEWNET)
        (435, (), 0x50026),  # clone3
        (16, (0, 0x5401), ALLOWED),  # ioctl(TCGETS)
        (16, (0, 0x5412), 0x50001),  # ioctl(TIOCSTI)
        (16, (0, 0x541C), 0x50001),  # ioctl(TIOCLINUX)
        (16, (0, 0x100005412), 0x50001),  # the kernel looks at 32 bits alone
        (101, (), 0x50001),  # ptrace
        (117, (), 0x50001),  # setresuid
        (319, (), 0x50026),  # memfd_create
    ],
)
def test_calls_are_judged_by_their_arguments(number, arguments, wanted):
    assert verdict(filter_for("x86_64"), ARCH["x86_64"], number, *arguments) == wanted


@pytest.mark.parametrize(
    ("machine", "header", "pattern"),
    [
        (
            "x86_64",
            "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
            r"#define __NR_(\w+) (\d+)",
        ),
        (
            "aarch64",
            "/usr/include/asm-generic/unistd.h",
            r"#define __NR(?:3264)?_(\w+) (\d+)",
        ),
    ],
)
def test_numbers_are_those_of_the_systems_headers(machine, header, pattern):
    known = names_in(header, pattern)
    column = list(ARCH).index(machine)
    for name, numbers in {**seccomp._REFUSED, **seccomp._MISSING}.items():
        if numbers[column] is not None and name in known:
            assert numbers[column] == known[name], name
    assert known["socket"] == seccomp._SOCKET[column]
    assert known["clone"] == seccomp._CLONE[column]
    assert known["ioctl"] == seccomp._IOCTL[column]


def test_other_machines_have_no_filter_and_so_no_sandbox():
    assert filter_for("s390x") is None


def job(tmp_path, device="cpu", **limits):
    made = SandboxLimits(
        **{
            "max_seconds": 1,
            "max_memory_bytes": 1 << 30,
            "max_processes": 8,
            "max_scratch_bytes": 1 << 20,
            **limits,
        }
    )
    return Job(
        [sys.executable], [tmp_path / "rows.csv"], tmp_path, made, {}, print, device
    )


def test_limits_of_single_processes_follow_from_those_of_all(tmp_path):
    found = system_limits(job(tmp_path))

    assert found["RLIMIT_FSIZE"] == 1 << 20
    assert found["RLIMIT_DATA"] == 2 << 30
    assert found["RLIMIT_CORE"] == 0
    # A graphics card's maps are far larger than what they take.
    assert "RLIMIT_DATA" not in system_limits(job(tmp_path, "cuda"))


def test_graphics_devices_are_shown_where_they_are_asked_for_alone():
    assert devices("cpu") == [
        f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")
    ]
    assert set(devices("cpu")) <= set(devices("cuda"))


def test_bubblewrap_gets_paths_as_arguments_of_their_own(tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text("1")

    options = choosing._bwrap_options(job(tmp_path), 7)

    at = options.index(str(data))
    assert options[at - 1 : at + 2] == ["--ro-bind", str(data), str(data)]
    assert {"--unshare-all", "--die-with-parent", "--as-pid-1"} < set(options)
    assert options.index("/tmp") < at  # noqa: S108 - what it shows, not a file
    assert options[-3:] == ["--remount-ro", "/", "--clearenv"]


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_bubblewrap_works_where_it_is_installed():
    # Then all tests of the sandbox are run in it as well.
    assert choosing._refusal("bwrap") is None


def test_what_is_shown_never_holds_the_home_folder():
    home = home_folder()

    for source, _ in readable_paths((), "cpu"):
        assert not home.is_relative_to(source)


@pytest.mark.parametrize("text", ["/", "/usr/../"])
def test_the_whole_machine_is_not_shown(text):
    with pytest.raises(UsageError, match="a folder of its own"):
        check_readable([Path(text)], ())


def test_a_link_to_the_home_folder_is_not_shown(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(home_folder())

    with pytest.raises(UsageError, match="a folder of its own"):
        check_readable([link], ())


def test_counting_a_folder_follows_no_link(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * (1 << 20))
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "big")
    (folder / "up").symlink_to(tmp_path)

    assert scratch_bytes(folder, 1 << 30) < 1 << 16
    assert scratch_bytes(tmp_path, 1 << 19) >= 1 << 19


def test_what_cannot_be_counted_counts_as_too_much(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    inner = folder
    for _ in range(70):
        inner /= "d"
        inner.mkdir()
    assert scratch_bytes(folder, 1 << 30) == 1 << 30

    if os.geteuid() != 0:
        shut = tmp_path / "shut"
        (shut / "in").mkdir(parents=True)
        (shut / "in").chmod(0)
        assert scratch_bytes(shut, 1 << 30) == 1 << 30


def test_too_many_files_count_as_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "MAX_ENTRIES", 20)
    for number in range(20):
        (tmp_path / str(number)).touch()
    assert scratch_bytes(tmp_path, 1 << 30) == 0
    for number in range(20, 21):
        (tmp_path / str(number)).touch()

    assert scratch_bytes(tmp_path, 1 << 30) == 1 << 30


def test_a_folder_that_is_not_there_any_more_counts_nothing(tmp_path):
    assert scratch_bytes(tmp_path / "gone", 1 << 30) == 0


def test_tidying_keeps_plain_files_and_what_is_in_them(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "checkpoint").write_text("half")
    (tmp_path / "a").chmod(0)
    (tmp_path / "tool").write_text("x")
    (tmp_path / "tool").chmod(0o6777)
    (tmp_path / "link").symlink_to("/")
    os.mkfifo(tmp_path / "pipe")

    tidy(tmp_path)

    assert (tmp_path / "a" / "b" / "checkpoint").read_text() == "half"
    assert (tmp_path / "tool").stat().st_mode & 0o7777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "tool"]


def test_tidying_removes_folders_of_any_depth(tmp_path):
    start = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(300):
            Path("d").mkdir()
            os.chdir("d")
        Path("end").touch()
    finally:
        os.chdir(start)

    tidy(tmp_path)

    inner, depth = tmp_path, 0
    while (inner / "d").is_dir():
        inner, depth = inner / "d", depth + 1
    assert depth <= 65
