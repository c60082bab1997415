"""Limits of time, memory, processes, disk and output, for all processes together."""

import os

import pytest

from flair_client.porcelain.recipe_run import forget_run
from flair_client.training.sandbox import running

# Forks without end, as far as anybody can see; it stops by itself before it starves a
# machine on which the limit does not hold.
BOMB = """
import mmap, os, time
count = mmap.mmap(-1, 4096)
end = time.monotonic() + 15
while time.monotonic() < end:
    n = int.from_bytes(count[:8], "little")
    if n < 500:
        count[:8] = (n + 1).to_bytes(8, "little")
        try: os.fork()
        except OSError: pass
    else:
        time.sleep(0.1)
"""
FORKED = """
import os, time
for _ in range({n}):
    if os.fork() == 0:
        {child}
        time.sleep(60)
time.sleep(60)
"""


def test_a_program_that_hangs_and_ignores_signals_is_stopped_at_its_time(sandbox):
    ended = sandbox.run(
        "import signal, time\n"
        "for one in range(1, 65):\n"
        "    try: signal.signal(one, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "time.sleep(60)",
        seconds=1,
    )

    assert ended.ended_by == "time"


def test_grandchildren_in_sessions_of_their_own_end_with_it(sandbox):
    ended = sandbox.run(
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "print('done')"
    )

    assert (ended.exit_code, ended.ended_by) == (0, "exit")
    assert sandbox.lines == ["done"]


def test_a_program_that_forks_without_end_is_stopped(sandbox):
    if sandbox.kind == "bwrap" and os.geteuid() == 0:
        pytest.skip("root's programs do not run in bubblewrap, for this reason")
    ended = sandbox.run(BOMB, processes=32)

    assert ended.ended_by == "processes"


def test_the_system_itself_refuses_more_processes_than_there_may_be(
    sandbox, monkeypatch
):
    if sandbox.kind == "bwrap" and os.geteuid() == 0:
        pytest.skip("root's programs do not run in bubblewrap, for this reason")
    if not running._counts_by_namespace():
        pytest.skip("this kernel counts all processes of a user together")
    monkeypatch.setattr(running.Meter, "exceeded", lambda *_, **__: None)

    ended = sandbox.run(
        "import os, time\n"
        "n = 0\n"
        "while n < 500:\n"
        "    try:\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "    except BlockingIOError: break\n"
        "    n += 1\n"
        "print(n)",
        processes=8,
    )

    assert (ended.exit_code, ended.ended_by) == (0, "exit")
    assert 8 <= int(sandbox.lines[0]) <= 8 + 16


def test_threads_count_as_processes_do(sandbox):
    ended = sandbox.run(
        "import threading, time\n"
        "for _ in range(500):\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "time.sleep(60)",
        processes=100,
        memory=8 << 30,
    )

    assert (
        ended.ended_by == "processes" or "can't start new thread" in ended.stderr_tail
    )


ALLOCATIONS = {
    "private": "kept.append(b'x' * (16 << 20))",
    "shared": "m = mmap.mmap(-1, 16 << 20); m.write(b'x' * (16 << 20)); kept.append(m)",
    "shared file": (
        "f = open(f'/dev/shm/{len(kept)}', 'wb'); "
        "kept.append(f); f.write(b'x' * (16 << 20))"
    ),
    "temporary file": (
        "f = open(f'/tmp/{len(kept)}', 'wb'); "
        "kept.append(f); f.write(b'x' * (16 << 20))"
    ),
}


@pytest.mark.parametrize("how", ALLOCATIONS)
def test_a_program_that_takes_all_memory_is_stopped(sandbox, how):
    ended = sandbox.run(
        f"import mmap, time\nkept = []\nwhile True:\n    {ALLOCATIONS[how]}\n"
        f"    time.sleep(.005)",
        memory=256 << 20,
    )

    told = ("MemoryError", "No space left on device", "Cannot allocate memory")
    assert ended.ended_by == "memory" or any(one in ended.stderr_tail for one in told)
    assert ended.exit_code != 0


def test_memory_of_many_processes_counts_together(sandbox):
    ended = sandbox.run(
        FORKED.format(n=8, child="kept = b'x' * (64 << 20)"), memory=256 << 20
    )

    assert ended.ended_by == "memory"


def test_memory_that_forks_share_counts_once(sandbox):
    ended = sandbox.run(
        "import os, time\n"
        "kept = b'x' * (100 << 20)\n"
        "children = []\n"
        "for _ in range(6):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        time.sleep(1); os._exit(0)\n"
        "    children.append(pid)\n"
        "for pid in children: os.waitpid(pid, 0)\n",
        memory=400 << 20,
    )

    assert (ended.exit_code, ended.ended_by) == (0, "exit"), ended


def test_a_program_that_hides_from_debuggers_is_counted_all_the_same(sandbox):
    ended = sandbox.run(
        "import ctypes, time\n"
        "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
        "kept = []\n"
        "while True: kept.append(b'x' * (16 << 20)); time.sleep(.005)",
        memory=256 << 20,
    )

    assert ended.ended_by == "memory" or "MemoryError" in ended.stderr_tail


FILLINGS = {
    "one file": "f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20))",
    "many files": (
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    open(f'{n}', 'wb').write(b'x' * (1 << 20)); time.sleep(.002)"
    ),
    "files without end": (
        "n = 0\nwhile True:\n    n += 1\n    open(f'{n}', 'wb').close()"
    ),
    "folders ever deeper": (
        "n = 0\nwhile n < 20000:\n    n += 1\n    os.mkdir('d'); os.chdir('d')\n"
        "time.sleep(60)"
    ),
    "a file without a name": (
        "import tempfile\n"
        "files = []\n"
        "while True:\n"
        "    f = tempfile.TemporaryFile(dir='.'); files.append(f)\n"
        "    f.write(b'x' * (1 << 20)); f.flush(); time.sleep(.002)"
    ),
}


@pytest.mark.parametrize("how", FILLINGS)
def test_a_program_that_fills_the_disk_is_stopped(sandbox, how):
    ended = sandbox.run(
        f"import os, time\n{FILLINGS[how]}", scratch_bytes=16 << 20, memory=2 << 30
    )

    assert ended.ended_by == "scratch", ended


def test_what_a_stopped_program_left_can_be_removed(sandbox):
    sandbox.run("import os, time\n" + FILLINGS["folders ever deeper"])
    sandbox.run(
        "import os\n"
        "os.makedirs('shut/in', exist_ok=True); os.chmod('shut', 0)\n"
        "os.mkfifo('pipe'); os.symlink('/etc/shadow', 'result.json')"
    )

    assert not (sandbox.scratch / "result.json").is_symlink()
    assert not (sandbox.scratch / "pipe").exists()
    forget_run(sandbox.scratch)
    assert not sandbox.scratch.exists()


def test_a_flood_of_output_is_stopped_and_takes_no_memory(sandbox):
    ended = sandbox.run("import os\nwhile True: os.write(1, b'x' * 65536)", seconds=60)

    assert ended.ended_by == "output"
    assert sandbox.lines == []


def test_a_flood_of_errors_is_stopped_and_only_its_end_is_kept(sandbox):
    ended = sandbox.run("import os\nwhile True: os.write(2, b'y' * 65536)", seconds=60)

    assert ended.ended_by == "output"
    assert len(ended.stderr_tail) <= 1 << 16


def test_a_long_line_is_passed_by_and_the_next_is_heard(sandbox):
    sandbox.run("print('x' * (1 << 20)); print('next')")

    assert sandbox.lines == ["next"]


def test_no_core_is_left(sandbox):
    ended = sandbox.run("import os; os.abort()")

    assert (ended.ended_by, ended.exit_code) == ("signal", -6)
    assert list(sandbox.scratch.iterdir()) == []
