"""What a program in the sandbox cannot reach, each tried by a program that tries."""

import os
import socket
import stat
import threading

import pytest

from flair_client.errors import UsageError


def tried(sandbox, code, **more):
    """Runs code that should fail, and gives the error that it met."""
    indented = "\n".join(f"    {line}" for line in code.strip().splitlines())
    ended = sandbox.run(
        f"try:\n{indented}\nexcept Exception as exc:\n"
        f"    print(type(exc).__name__, exc)\nelse:\n    print('REACHED')",
        **more,
    )
    assert (ended.exit_code, ended.ended_by) == (0, "exit"), ended
    [line] = sandbox.lines
    assert not line.startswith("REACHED")
    return line


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_tcp_connection_to_the_machine_itself_is_refused(sandbox, listener):
    line = tried(
        sandbox,
        f"import socket; socket.create_connection(('127.0.0.1', {listener}), 5)",
    )

    assert line.startswith("PermissionError")


def test_no_socket_of_a_network_is_even_made(sandbox):
    # AF_VSOCK leads out of a virtual machine, and belongs to no network namespace.
    families = {
        "INET": 2,
        "INET6": 10,
        "NETLINK": 16,
        "PACKET": 17,
        "BLUETOOTH": 31,
        "ALG": 38,
        "VSOCK": 40,
    }
    sandbox.run(
        "import socket\n"
        f"for name, family in {families}.items():\n"
        "    for kind in (1, 2, 3):\n"
        "        try: socket.socket(family, kind)\n"
        "        except PermissionError: pass\n"
        "        else: print(name, kind)\n"
        "print('tried')"
    )

    assert sandbox.lines == ["tried"]


def test_no_name_is_looked_up(sandbox):
    line = tried(sandbox, "import socket; socket.getaddrinfo('example.org', 443)")

    assert line.startswith("gaierror")


def test_a_unix_socket_of_the_machine_is_not_there(sandbox, tmp_path):
    path = tmp_path / "host.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        line = tried(
            sandbox,
            f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})",
        )

    assert line.startswith("FileNotFoundError")


def test_an_abstract_unix_socket_of_the_machine_is_not_there(sandbox):
    name = f"\0{sandbox.mark}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()

        line = tried(
            sandbox, f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        )

    assert line.startswith("ConnectionRefusedError")


@pytest.mark.parametrize(
    "path", ["/usr/written", "/etc/written", "/written", "/dev/written", "/etc/passwd"]
)
def test_the_machine_is_not_written(sandbox, path):
    line = tried(sandbox, f"open({path!r}, 'r+' if {path!r} == '/etc/passwd' else 'w')")

    assert "Read-only file system" in line or line.startswith("PermissionError")


def test_folders_beside_the_scratch_are_not_the_machines(sandbox, tmp_path):
    (tmp_path / "beside").write_text("secret")

    tried(sandbox, f"print(open({str(tmp_path / 'beside')!r}).read())")
    sandbox.run(f"open({str(tmp_path / 'written')!r}, 'w').write('x')")

    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/1/oom_score_adj",
    ],
)
def test_settings_of_the_kernel_are_not_changed(sandbox, path):
    if not os.path.exists(path):  # noqa: PTH110 - as the program sees it
        pytest.skip(f"this kernel has no {path}")
    tried(sandbox, f"open({path!r}, 'r+')")


def test_wallets_and_home_folder_are_not_read(sandbox, tmp_path):
    wallet = tmp_path / "home" / "wallets" / "default.json"
    wallet.parent.mkdir(parents=True)
    wallet.write_text("[1, 2, 3]")

    line = tried(sandbox, f"open({str(wallet)!r})")

    assert line.startswith("FileNotFoundError")
    sandbox.run(
        "import pathlib\n"
        "for one in ('.ssh', '.config', '.bashrc', '.aws', '.flair'):\n"
        f"    print((pathlib.Path({os.path.expanduser('~')!r}) / one).exists())"  # noqa: PTH111
    )
    assert set(sandbox.lines) == {"False"}


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/hostname", "/etc/machine-id"])
def test_the_machines_configuration_is_not_read(sandbox, path):
    assert tried(sandbox, f"open({path!r})").startswith("FileNotFoundError")


def test_data_is_read_and_not_written(sandbox, tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n1,2\n")

    sandbox.run(f"print(open({str(data)!r}).read())", readable=[data])
    assert sandbox.lines[:2] == ["a,b", "1,2"]

    for code in (
        f"open({str(data)!r}, 'a')",
        f"import os; os.chmod({str(data)!r}, 0o777)",
        f"import os; os.unlink({str(data)!r})",
        f"import os; os.utime({str(data)!r}, (0, 0))",
    ):
        tried(sandbox, code, readable=[data])
    assert data.read_text() == "a,b\n1,2\n"


def test_a_link_in_the_data_does_not_lead_out_of_it(sandbox, tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")

    line = tried(sandbox, f"open({str(folder / 'link')!r})", readable=[folder])

    assert line.startswith("FileNotFoundError")


def test_data_named_by_a_link_is_read_under_both_names(sandbox, tmp_path):
    (tmp_path / "rows.csv").write_text("1")
    (tmp_path / "named.csv").symlink_to(tmp_path / "rows.csv")

    sandbox.run(
        f"print(open({str(tmp_path / 'named.csv')!r}).read())\n"
        f"print(open({str(tmp_path / 'rows.csv')!r}).read())",
        readable=[tmp_path / "named.csv"],
    )

    assert sandbox.lines == ["1", "1"]


def test_a_readable_folder_around_the_scratch_stays_read_only(sandbox, tmp_path):
    ended = sandbox.run(
        f"import os; print(os.path.exists({str(tmp_path)!r}))\n"
        f"open('mine', 'w').close(); open({str(tmp_path / 'out')!r}, 'w')",
        readable=[tmp_path],
    )

    assert ended.exit_code == 1
    assert "Read-only file system" in ended.stderr_tail
    assert (sandbox.scratch / "mine").exists()


def test_a_folder_that_holds_the_home_folder_is_refused_by_name(sandbox, tmp_path):
    home = tmp_path / "someone" / "flair"
    home.mkdir(parents=True)

    with pytest.raises(UsageError, match=str(tmp_path / "someone")):
        sandbox.run("", readable=[tmp_path / "someone"], hidden=[home])
    with pytest.raises(UsageError, match=str(home)):
        sandbox.run("", readable=[home], hidden=[home])
    # What is named itself may lie in there.
    (home / "rows.csv").write_text("1")
    assert sandbox.run("", readable=[home / "rows.csv"], hidden=[home]).exit_code == 0


def test_other_processes_are_neither_seen_nor_reached(sandbox):
    ended = sandbox.run(
        "import os, signal\n"
        "print(sorted(int(one) for one in os.listdir('/proc') if one.isdigit()))\n"
        f"print(os.path.exists('/proc/{os.getpid()}/environ'))\n"
        "for pid in (-1, 1):\n"
        "    try: os.kill(pid, signal.SIGTERM)\n"
        "    except OSError as exc: print(exc.strerror)\n"
        f"try: os.kill({os.getpid()}, 9)\n"
        "except ProcessLookupError: print('no such process')\n"
    )

    assert ended.ended_by == "exit", ended
    seen = eval(sandbox.lines[0])  # noqa: S307 - our own list of numbers
    assert os.getpid() not in seen
    assert seen[0] == 1
    assert len(seen) <= 3
    assert sandbox.lines[-1] == "no such process"


SYSTEM_CALLS = {
    # x86_64, aarch64; what each would be good for
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "fsopen": (430, 430),
    "open_by_handle_at": (304, 265),
    "pidfd_getfd": (438, 438),
    "init_module": (175, 105),
    "personality": (135, 92),
}


def test_system_calls_that_training_never_needs_are_refused(sandbox):
    machine = os.uname().machine
    column = ("x86_64", "aarch64").index(machine)
    numbers = {name: both[column] for name, both in SYSTEM_CALLS.items()}

    sandbox.run(
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, number in {numbers}.items():\n"
        # An argument for which the system itself would answer something else.
        "    ended = libc.syscall(number, 0x10000000, 0, 0, 0, 0)\n"
        "    if (ended, ctypes.get_errno()) not in ((-1, 1), (-1, 38)):\n"
        "        print(name, ended, ctypes.get_errno())\n"
        "print('tried')"
    )

    assert sandbox.lines == ["tried"]


def test_no_right_is_held_nor_won(sandbox):
    sandbox.run(
        "for line in open('/proc/self/status'):\n"
        "    if line.startswith(('Cap', 'NoNewPrivs', 'Seccomp:')): print(line.split())"
    )

    found = dict(eval(line) for line in sandbox.lines)  # noqa: S307 - as above
    # Of all five sets; the bounding set alone gives nothing.
    held = {
        found[name] for name in found if name.startswith("Cap") and "Bnd" not in name
    }
    assert held == {"0" * 16}
    assert found["NoNewPrivs:"] == "1"
    assert found["Seccomp:"] == "2"


def test_the_environment_is_what_was_given_alone(sandbox, monkeypatch):
    monkeypatch.setenv("FLAIR_SECRET", "1")

    sandbox.run("import os; print('FLAIR_SECRET' in os.environ); print(os.getcwd())")

    assert sandbox.lines == ["False", str(sandbox.scratch)]


def test_standard_input_is_empty(sandbox):
    sandbox.run("import sys; print(repr(sys.stdin.read()))")

    assert sandbox.lines == ["''"]


def test_no_descriptor_of_ours_is_left_open(sandbox):
    sandbox.run(
        "import os\n"
        "for one in range(3, 4096):\n"
        "    try: print(one, os.fstat(one))\n"
        "    except OSError: pass"
    )

    assert sandbox.lines == []


def test_graphics_devices_and_disks_are_not_there(sandbox):
    sandbox.run(
        "import os, stat\n"
        "for one in os.listdir('/dev'):\n"
        "    mode = os.stat('/dev/' + one).st_mode\n"
        "    if stat.S_ISBLK(mode) or one.startswith(('nvidia', 'dri', 'kfd')):\n"
        "        print(one)"
    )

    assert sandbox.lines == []


def test_no_device_is_made(sandbox):
    tried(
        sandbox,
        f"import os; os.mknod('disk', {stat.S_IFBLK | 0o600}, os.makedev(254, 0))",
    )


def test_it_runs_beside_others_of_its_kind(sandbox, tmp_path):
    answers = []

    def one(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        ended = sandbox.run("import time; time.sleep(.3)", scratch=folder)
        answers.append(ended.exit_code)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [0, 0, 0]


def test_worker_processes_of_a_recipe_can_talk_to_each_other(sandbox):
    ended = sandbox.run(
        "import multiprocessing as m\n"
        "def double(x): return 2 * x\n"
        "with m.get_context('fork').Pool(2) as pool:\n"
        "    print(pool.map(double, range(5)))\n"
        "import multiprocessing.connection as c\n"
        "a, b = c.Pipe(); a.send(1); print(b.recv())\n"
        "print(c.Listener(family='AF_UNIX').address != '')\n"
        "q = m.get_context('fork').Array('d', 1000); print(len(q))"
    )

    assert sandbox.lines == ["[0, 2, 4, 6, 8]", "1", "True", "1000"], ended
