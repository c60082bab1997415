"""How programs end, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from flair_client.errors import NoSandbox
from flair_client.training.sandbox import SandboxLimits, choosing, run


def test_its_exit_code_and_last_words_come_back(sandbox):
    ended = sandbox.run("import sys; sys.exit('last words')")

    assert (ended.exit_code, ended.ended_by) == (1, "exit")
    assert ended.stderr_tail == "last words\n"


@pytest.mark.parametrize("code", [0, 3, 125, 126, 127, 255])
def test_each_exit_code_is_told_apart(sandbox, code):
    ended = sandbox.run(f"import os; os._exit({code})")

    assert (ended.exit_code, ended.ended_by) == (code, "exit")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_is_told(sandbox, number):
    ended = sandbox.run(
        f"import os, signal; signal.signal({int(number)}, 0) "
        f"if {int(number)} == 15 else None; os.kill(os.getpid(), {int(number)})"
    )

    assert (ended.exit_code, ended.ended_by) == (-number, "signal")


def test_a_program_that_closes_its_output_is_waited_for(sandbox):
    ended = sandbox.run(
        "import os, time; os.close(1); os.close(2); time.sleep(.5); os._exit(5)"
    )

    assert (ended.exit_code, ended.ended_by) == (5, "exit")


def test_a_program_that_is_not_there_is_told(sandbox):
    ended = run(
        ["/nowhere/python"],
        readable=(),
        scratch=sandbox.scratch,
        limits=SandboxLimits(10, 1 << 29, 8, 1 << 20),
        env={},
        on_line=print,
    )

    assert ended.exit_code != 0
    assert "No such file" in ended.stderr_tail


PARENT = """
import signal, sys
from pathlib import Path
from flair_client.training.sandbox import (
    Prepared, SandboxLimits, choosing, keep_template, run)
choosing.find_sandbox = lambda: {kind!r}
template = Prepared((sys.executable, "-P", "-c", {template!r}, {mark!r}))
# Whoever runs in the background of a shell has it ignored, and hands that on.
signal.signal(signal.SIGINT, signal.default_int_handler)
with keep_template():
    run([sys.executable, "-c", {code!r}, {mark!r}], readable=(),
        scratch=Path({scratch!r}), limits=SandboxLimits(60, 1 << 29, 64, 1 << 24),
        env={{}}, on_line=lambda line: print(line, flush=True),
        prepared=template if {is_template} else None)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_where_the_one_who_started_it_is_killed(sandbox, number):
    code = (
        "import os, time; os.fork(); os.setsid() if os.getpid() != 2 else None; "
        "print('begun', flush=True); time.sleep(60)"
    )
    program = PARENT.format(
        kind=sandbox.system,
        code=code,
        mark=sandbox.mark,
        scratch=str(sandbox.scratch),
        is_template=sandbox.kind == "template",
        template=sandbox.template_code,
    )
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as parent:
        assert parent.stdout.readline() == b"begun\n"
        assert len(sandbox.leftovers()) >= 2
        parent.send_signal(number)
        parent.wait(10)

    # The template too: its mark is in its arguments.
    deadline = time.monotonic() + 10
    while sandbox.leftovers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sandbox.leftovers() == []


def test_an_error_of_whoever_listens_ends_the_program(sandbox):
    def on_line(line):
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="begun"):
        sandbox.run(
            "import time; print('begun', flush=True); time.sleep(60)", on_line=on_line
        )


def test_false_words_about_the_end_are_not_believed(sandbox):
    ended = sandbox.run(
        "import json, os\n"
        "for one in range(3, 64):\n"
        f"    for said in ({{'first': {os.getpid()}}}, {{'code': 0}}, "
        "{'exit-code': 0}, {'child-pid': 1}):\n"
        "        try: os.write(one, json.dumps(said).encode())\n"
        "        except OSError: pass\n"
        "os._exit(9)"
    )

    assert (ended.exit_code, ended.ended_by) == (9, "exit")


def test_without_any_sandbox_it_refuses_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "find_sandbox", lambda: None)

    with pytest.raises(NoSandbox):
        run(
            [sys.executable, "-c", ""],
            readable=(),
            scratch=tmp_path,
            limits=SandboxLimits(10, 1 << 29, 8, 1 << 20),
            env={},
            on_line=print,
        )


def test_without_the_sandbox_the_limits_hold_all_the_same(tmp_path):
    def ended(code, seconds=1):
        return run(
            [sys.executable, "-c", code],
            readable=(),
            scratch=tmp_path,
            limits=SandboxLimits(seconds, 256 << 20, 32, 16 << 20),
            env={},
            on_line=print,
            sandboxed=False,
        ).ended_by

    assert ended("pass") == "exit"
    assert ended("import time; time.sleep(60)") == "time"
    assert ended("import os, time; os.fork(); os.fork(); time.sleep(60)") == "time"
    hoard = "kept = [b'x' * (1 << 20) for _ in range(1 << 12)]"
    assert ended(f"{hoard}; import time; time.sleep(60)", 30) == "memory"
