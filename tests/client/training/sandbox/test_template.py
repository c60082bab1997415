"""A template of runs: nothing of one reaches the next, and it may end at any time."""

import os
import select
import signal
import subprocess
import sys
from contextvars import ContextVar
from pathlib import Path

import pytest

from flair_client.training.sandbox import (
    Prepared,
    SandboxLimits,
    choosing,
    keep_template,
)
from flair_client.training.sandbox import run as run_in_sandbox
from flair_client.training.sandbox.keeping import kept


@pytest.fixture
def forked(sandbox):
    if sandbox.kind != "template":
        pytest.skip("is about templates alone")
    return sandbox


@pytest.fixture
def own(forked, monkeypatch):
    """A sandbox with a template that nobody else uses."""
    nobody = ContextVar("nobody", default=None)
    monkeypatch.setattr("flair_client.training.sandbox.keeping._KEPT", nobody)
    with keep_template():
        yield forked


def template():
    return kept()._standing.process


def has_ended(descriptor):
    # Readable once the process has ended; the limit is for a test that fails.
    return select.select([descriptor], [], [], 30)[0] == [descriptor]


LEAVES = """
import builtins, os, random, socket, sys, tempfile, threading
mark = "".join(reversed({reversed!r}))
builtins.left = os.environ["LEFT"] = mark
sys.path.append("/" + mark)
sys.modules[mark] = sys
tempfile.tempdir = "/" + mark
random.seed(1)
for folder in ("/tmp", "/dev/shm"):
    open(folder + "/" + mark, "w").write(mark)
held = socket.socket(socket.AF_UNIX); held.bind("\\0" + mark); held.listen()
kept = [mark * 1000 for _ in range(1000)]
if os.fork() == 0:
    os.setsid(); import time; time.sleep(600)
print("left")
"""
LOOKS = """
import builtins, os, socket, sys, tempfile
mark = "".join(reversed({reversed!r}))
print(hasattr(builtins, "left"), "LEFT" in os.environ, mark in sys.modules)
print("/" + mark in sys.path, tempfile.gettempdir() == "/" + mark)
print([mark in os.listdir(one) for one in ("/tmp", "/dev/shm")])
pids = [int(one) for one in os.listdir("/proc") if one.isdigit()]
print(sorted(pids) == [1, os.getpid()])
try: socket.socket(socket.AF_UNIX).connect("\\0" + mark)
except OSError as exc: print(type(exc).__name__)
"""


def test_nothing_of_a_run_is_there_in_the_next(forked):
    turned = os.urandom(12).hex()
    first = forked.run(LEAVES.format(reversed=turned))
    assert (first.exit_code, forked.lines) == (0, ["left"]), first

    second = forked.run(LOOKS.format(reversed=turned))

    assert forked.lines == [
        "False False False",
        "False False",
        "[False, False]",
        "True",
        "ConnectionRefusedError",
    ], second


def memory_of(pid):
    """All that a process can read of its own memory."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            places, rights = line.split()[:2]
            begin, end = (int(place, 16) for place in places.split("-"))
            # What the system shows of itself is not read this way.
            if rights.startswith("r") and "[v" not in line:
                memory.seek(begin)
                parts.append(memory.read(end - begin))
    return b"".join(parts)


def test_a_template_learns_nothing_of_the_runs_that_it_forks(own):
    turned = os.urandom(12).hex()
    own.run(LEAVES.format(reversed=turned))
    assert own.lines == ["left"]

    memory = memory_of(template().pid)

    # Neither the code, nor what it made, nor where it ran.
    for secret in (turned, turned[::-1], str(own.scratch), own.mark):
        assert secret.encode() not in memory
    assert b"flair_client.training.sandbox.template" in memory


def test_each_run_has_random_numbers_of_its_own(forked):
    told = set()
    for _ in range(2):
        forked.run("import random; print(random.random())")
        told.add(forked.lines[0])

    assert len(told) == 2


def test_a_run_starts_as_python_starts(forked):
    code = (
        "import os, signal, sys, threading\n"
        "print(os.getcwd(), sorted(os.environ.items()), os.umask(0))\n"
        "print([(n, str(signal.getsignal(n))[:22]) for n in range(1, 32)])\n"
        "print(threading.active_count(), sys.argv[1:], sys.flags.isolated)\n"
        "print(os.getsid(0) == os.getpid(), os.getppid(), sys.stdin.read())"
    )
    env = {"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
    forked.run(code, env=env)
    told = forked.lines[:]
    forked.kind = "namespaces"
    forked.run(code, env=env)

    assert told == forked.lines


@pytest.mark.parametrize(
    "code",
    [
        "print('a', end='')",
        "import sys; sys.exit()",
        "import sys; sys.exit(3)",
        "import sys; sys.exit(-1)",
        "import sys; sys.exit('last words')",
        "raise ValueError('x')",
        "raise KeyboardInterrupt",
        "import sys; sys.stderr.write('no line')",
        "import atexit, os; atexit.register(os._exit, 9)",
        "import atexit; atexit.register(print, 'late')",
        "import threading as t; t.Thread(target=lambda: print('later')).start()",
        "import sys; sys.stdout.close()",
    ],
)
def test_a_run_ends_as_python_ends(forked, code):
    ended = forked.run(code)
    told = (ended.exit_code, ended.stderr_tail[-20:], forked.lines[:])
    forked.kind = "namespaces"
    afresh = forked.run(code)

    if code != "raise KeyboardInterrupt":
        # Python shows itself to a shell as one that the signal ended.
        assert told[0] == afresh.exit_code
    assert told[1:] == (afresh.stderr_tail[-20:], forked.lines)


def test_a_template_that_was_killed_between_runs_is_replaced(own):
    assert own.run("print(1)").exit_code == 0
    first = template().pid
    os.kill(first, signal.SIGKILL)

    assert own.run("print(2)").exit_code == 0

    assert own.lines == ["2"]
    assert template().pid != first


def test_a_run_whose_template_is_killed_is_done_afresh(own):
    heard = []

    def on_line(line):
        heard.append(line)
        if len(heard) == 1:
            template().kill()

    own.kind = "namespaces"
    ended = own.run(
        "import os, time\nprint(os.path.exists('begun'), flush=True)\n"
        "if not os.path.exists('begun'):\n"
        "    open('begun', 'w').close(); time.sleep(600)",
        prepared=Prepared((sys.executable, "-P", "-c", own.template_code)),
        on_line=on_line,
    )

    assert (ended.exit_code, ended.ended_by) == (0, "exit"), ended
    # The same scratch, so that a training goes on from its checkpoint.
    assert heard in (["False", "True"], ["False", "False", "True"])


def test_a_run_that_kills_itself_is_not_done_again(own):
    ended = own.run("import os; print('once'); os.kill(os.getpid(), 9)")

    assert (ended.exit_code, ended.ended_by) == (-9, "signal")


IDLE = """
import os, sys
from pathlib import Path
from flair_client.training.sandbox import Prepared, SandboxLimits, choosing, run
from flair_client.training.sandbox.keeping import keep_template, kept
choosing.find_sandbox = lambda: "namespaces"
with keep_template():
    run([sys.executable, "-c", "pass", ""], readable=(), scratch=Path({scratch!r}),
        limits=SandboxLimits(60, 1 << 29, 64, 1 << 24), env={{}}, on_line=print,
        prepared=Prepared((sys.executable, "-P", "-c", {template!r})))
    print(kept()._standing.process.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_template_ends_with_the_one_who_keeps_it(forked, number):
    program = IDLE.format(scratch=str(forked.scratch), template=forked.template_code)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as keeper:
        process = os.pidfd_open(int(keeper.stdout.readline()))
        if number is None:
            keeper.stdin.close()
        else:
            keeper.send_signal(number)
        keeper.wait(30)

        assert has_ended(process)
    os.close(process)


UNFIT = {
    "a thread": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "an open file": "import os; os.dup(1)",
    "shared memory": "import mmap; kept = mmap.mmap(-1, 4096)",
    "an error": "raise SystemExit(1)",
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_template_that_would_hand_on_more_than_a_copy_is_not_used(own, name):
    own.template_code = f"{UNFIT[name]}\n{own.template_code}"
    own.kind = "namespaces"
    prepared = Prepared((sys.executable, "-P", "-c", own.template_code))
    for _ in range(2):
        ended = own.run("print('afresh')", prepared=prepared)

        assert (ended.exit_code, own.lines) == (0, ["afresh"])
        # It is not tried again and again: an import takes seconds.
        assert kept()._is_refused


def test_a_template_that_nobody_asked_for_long_ends_and_is_not_missed(own):
    own.template_code = (
        "from flair_client.training.sandbox import template\n"
        f"template._IDLE_S = 0.001\n{own.template_code}"
    )
    ended = run_in_sandbox(
        [sys.executable, "-c", "print('done')", own.mark],
        readable=(),
        scratch=own.scratch,
        limits=SandboxLimits(20, 1 << 29, 64, 1 << 20),
        env={},
        on_line=own.lines.append,
        prepared=Prepared((sys.executable, "-P", "-c", own.template_code)),
    )

    assert (ended.exit_code, own.lines) == (0, ["done"])


def test_a_run_may_take_longer_than_a_template_waits_for_the_next(own):
    own.template_code = (
        "from flair_client.training.sandbox import template\n"
        f"template._IDLE_S = 0.2\n{own.template_code}"
    )
    program = "import time; print('begun', flush=True); time.sleep(1); print('done')"
    ended = run_in_sandbox(
        [sys.executable, "-c", program, own.mark],
        readable=(),
        scratch=own.scratch,
        limits=SandboxLimits(20, 1 << 29, 64, 1 << 20),
        env={},
        on_line=own.lines.append,
        prepared=Prepared((sys.executable, "-P", "-c", own.template_code)),
    )

    assert (ended.exit_code, own.lines) == (0, ["begun", "done"])


def test_other_libraries_or_another_environment_take_another_template(own):
    prepared = Prepared((sys.executable, "-P", "-c", own.template_code), ("1.0",))
    pids = []
    for stamp, seed in (("1.0", "1"), ("1.0", "1"), ("1.1", "1"), ("1.1", "2")):
        own.run(
            "import os; print(os.environ['PYTHONHASHSEED'], hash('a') % 1000)",
            prepared=Prepared(prepared.argv, (stamp,)),
            env={"PYTHONHASHSEED": seed, "HOME": str(own.scratch)},
        )
        pids.append(template().pid)

    assert pids[0] == pids[1]
    assert len(set(pids)) == 3


def test_without_anybody_who_keeps_one_a_run_starts_afresh(own, monkeypatch):
    monkeypatch.setattr(choosing, "kept", lambda: None)
    own.kind = "namespaces"

    ended = own.run(
        "print(1)", prepared=Prepared((sys.executable, "-c", "raise SystemExit"))
    )

    assert (ended.exit_code, own.lines) == (0, ["1"])
