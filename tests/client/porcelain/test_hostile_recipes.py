"""Recipes that misbehave: each ends in one sentence and its exit code, and is gone."""

import fcntl
import itertools
import os
import socket
import subprocess
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from flair_client.cli.errors import outcome_of
from flair_client.errors import FlairError
from flair_client.objects import Role
from flair_client.porcelain import recipe_run
from flair_client.porcelain.new_update import write_update
from flair_client.porcelain.recipe_run import RecipeJob, RunSource, run_recipe
from flair_client.training.recipe import parse_recipe
from flair_client.training.sandbox import choosing, find_sandbox, keep_template

pytestmark = pytest.mark.skipif(
    find_sandbox() is None, reason="this machine has neither bwrap nor user namespaces"
)

TOML = """
[recipe]
model = "python"
[data]
target = "y"
[training]
max_seconds = {seconds}
max_memory_bytes = {memory}
"""
TRAIN = """
import json, os, socket, sys, time
import numpy as np
from flair_client.training.doors import TrainResult

MARK = {mark!r}

def train(weights, data, ctx):
    {body}
    return TrainResult(weights, len(data))
"""
NUMBERS = itertools.count()
GIGABYTE = 1 << 30


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


class Site:
    """Somebody's machine, with data, weights and secrets on it."""

    def __init__(self, folder):
        self.folder = folder
        # A space and a quote, as people have them.
        self.data = folder / "my data" / "rows'.npz"
        self.data.parent.mkdir()
        rows = np.eye(3, 2, dtype=np.float32)
        np.savez(self.data, x=rows, y=np.arange(3, dtype=np.float32))
        self.base = folder / "base.safetensors"
        safetensors.numpy.save_file({"w": np.zeros(2, np.float32)}, self.base)
        self.home = folder / "home"
        self.wallet = self.home / "wallets" / "default.json"
        self.wallet.parent.mkdir(parents=True)
        self.wallet.write_text("[1, 2, 3]")
        self.mark = f"hostile-{os.getpid()}-{next(NUMBERS)}"

    def run(self, body, *, seconds=20, memory=GIGABYTE):
        """Trains and keeps the update, as `flair train` does."""
        toml = TOML.format(seconds=seconds, memory=memory).encode()
        text = TRAIN.format(mark=self.mark, body=body.replace("\n", "\n    "))
        run_folder = self.folder / "run"
        run = run_recipe(
            RecipeJob(
                files={"flair.toml": toml, "train.py": text.encode()},
                recipe=parse_recipe(toml),
                identity="one",
                base=self.base,
                roles={"w": Role.TRAIN},
                source=RunSource({"path": str(self.data)}, (self.data.parent,), "rows"),
                seed=1,
                device="cpu",
                round_index=1,
                is_statistics=False,
                hidden=(self.home,),
            ),
            run_folder,
        )
        write_update(
            self.base,
            run.weights,
            {"w": Role.TRAIN},
            self.folder / "update.safetensors",
            norm_bound=1.0,
            is_sent=lambda role: role is Role.TRAIN,
        )
        return run

    def refusal(self, body, **limits):
        """How the command would end."""
        with pytest.raises(FlairError) as caught:
            self.run(body, **limits)
        outcome = outcome_of(caught.value)
        assert "\n" not in outcome.message
        assert not outcome.message.endswith(".")
        assert len(outcome.message) < 900
        assert not (self.folder / "update.safetensors").exists()
        return outcome.exit_code, outcome.message

    def leftovers(self):
        """Processes that name the folder, or have it mounted."""
        folder = str(self.folder)
        found = subprocess.run(
            ["ps", "-eo", "args", "-ww"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        named = [line for line in found if folder in line]
        processes = Path("/proc").glob("[0-9]*")
        return named + [one.name for one in processes if folder in _mounts(one)]


def _mounts(process):
    try:
        return (process / "mountinfo").read_text()
    except OSError:
        return ""


@pytest.fixture(scope="module", params=["afresh", "from a template"])
def start(request):
    """How runs begin; one template is kept for all that come from it."""
    has_template = request.param == "from a template"
    with keep_template() if has_template else nullcontext():
        yield request.param


@pytest.fixture
def site(tmp_path, monkeypatch, start):
    made = Site(tmp_path)
    forked = choosing._forked

    def checked(job):
        ended = forked(job)
        wanted = start == "from a template" and find_sandbox() == "namespaces"
        assert (ended is not None) == wanted
        return ended

    monkeypatch.setattr(choosing, "_forked", checked)
    yield made
    assert made.leftovers() == []
    assert made.wallet.read_text() == "[1, 2, 3]"


def test_a_harmless_recipe_trains(site):
    assert site.run("print('hello')").num_samples == 3


def test_a_recipe_that_opens_a_socket(site, listener):
    port = listener.getsockname()[1]
    code, told = site.refusal(f"socket.create_connection(('127.0.0.1', {port}), 5)")

    assert code == 1
    assert "PermissionError at train.py, line 9" in told
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_recipe_that_opens_a_socket_and_says_nothing_of_it(site, listener):
    port = listener.getsockname()[1]
    site.run(
        "try:\n"
        f"    socket.create_connection(('127.0.0.1', {port}), 5).send(b'rows')\n"
        "except OSError:\n"
        "    pass"
    )

    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_recipe_that_writes_outside_of_its_scratch(site):
    for path in ("/usr/written", "/written", site.data.parent / "written"):
        code, told = site.refusal(f"open({str(path)!r}, 'w')")

        assert code == 1
        assert "Read-only file system" in told
    assert list(site.data.parent.iterdir()) == [site.data]


def test_a_recipe_that_changes_the_data(site):
    before = site.data.read_bytes()
    code, told = site.refusal(f"open({str(site.data)!r}, 'r+b').write(b'x')")

    assert (code, "Read-only file system" in told) == (1, True)
    assert site.data.read_bytes() == before


def test_a_recipe_that_changes_its_own_code_or_base(site):
    for name in ("run/recipe/train.py", "run/spec.json", "base.safetensors"):
        code, told = site.refusal(f"open({str(site.folder / name)!r}, 'r+b')")
        assert (code, "Read-only file system" in told) == (1, True)


def test_a_recipe_that_reads_the_wallet(site):
    code, told = site.refusal(f"open({str(site.wallet)!r}).read()")

    assert code == 1
    assert "FileNotFoundError" in told


def test_a_recipe_that_forks_without_end(site, monkeypatch):
    monkeypatch.setattr(recipe_run, "_MIN_PROCESSES", 64)
    monkeypatch.setattr(recipe_run, "_PROCESSES_PER_CPU", 0)
    code, told = site.refusal(
        # It stops by itself before it starves a machine on which the limit fails.
        "import mmap\n"
        "count, end = mmap.mmap(-1, 4096), time.monotonic() + 20\n"
        "while time.monotonic() < end:\n"
        "    n = int.from_bytes(count[:8], 'little')\n"
        "    if n < 500:\n"
        "        count[:8] = (n + 1).to_bytes(8, 'little')\n"
        "        try: os.fork()\n"
        "        except OSError: pass\n"
        "    else:\n"
        "        time.sleep(0.1)",
        memory=16 * GIGABYTE,
        seconds=60,
    )

    assert (code, told) == (1, "the recipe's code started too many processes")


def test_a_recipe_that_allocates_everything(site):
    code, told = site.refusal(
        "kept = []\nwhile True:\n    kept.append(bytes(1 << 24)); kept[-1].count(1)",
        memory=400 << 20,
    )

    assert code == 1
    assert "memory" in told.lower()


def test_a_recipe_that_hangs(site):
    code, told = site.refusal(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(99)",
        seconds=3,
    )

    assert (code, told) == (1, "the recipe's code took longer than 3 s")


def test_a_recipe_that_exits(site):
    assert site.refusal("os._exit(0)") == (
        1,
        "the recipe's code left no result behind",
    )
    assert site.refusal("sys.exit(0)")[0] == 1
    assert site.refusal("os._exit(41)") == (
        1,
        "the recipe's code ended with exit code 41",
    )


def test_a_recipe_that_is_killed(site):
    code, told = site.refusal("os.kill(os.getpid(), 11)")

    assert code == 1
    assert told.startswith("the recipe's code ended with signal 11")


def test_a_recipe_that_floods_its_output(site):
    code, told = site.refusal("while True: os.write(2, b'x' * 65536)")

    assert (code, told) == (1, "the recipe's code printed without end")


def test_a_recipe_that_leaves_processes_behind(site):
    # Each of them holds a lock until it ends, and the recipe sees that both do.
    run = site.run(
        "import fcntl\n"
        "for name in ('child', 'grandchild'):\n"
        "    told, tell = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        if name == 'grandchild' and os.fork() != 0: os._exit(0)\n"
        "        os.setsid()\n"
        "        held = open(ctx.scratch / name, 'w')\n"
        "        fcntl.flock(held, fcntl.LOCK_EX)\n"
        "        os.write(tell, b'x')\n"
        "        time.sleep(600)\n"
        "        os._exit(0)\n"
        "    os.read(told, 1)\n"
        "    try: fcntl.flock(open(ctx.scratch / name, 'w'), 6)\n"
        "    except BlockingIOError: pass\n"
        "    else: raise RuntimeError(name)"
    )

    for name in ("child", "grandchild"):
        with (run.weights.parent / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert site.leftovers() == []


RESULT = "result.safetensors"
AFTER = """import atexit
def late():
    path = str(ctx.scratch / {name!r})
    if os.path.lexists(path): os.unlink(path)
    {body}
atexit.register(late)
"""


def after(name, body):
    """Code that swaps a result for something else when all is written."""
    return AFTER.format(name=name, body=body)


@pytest.mark.parametrize("name", ["result.json", RESULT])
@pytest.mark.parametrize(
    "body",
    [
        "os.symlink('/etc/passwd', path)",
        "os.symlink('/dev/zero', path)",
        "os.mkfifo(path)",
        "os.mkdir(path)",
        "socket.socket(socket.AF_UNIX).bind(path)",
    ],
)
def test_a_result_that_is_no_file(site, name, body):
    what = "result" if name == "result.json" else "weights"

    assert site.refusal(after(name, body)) == (
        1,
        f"the recipe's code left no {what} behind",
    )
    # What it left does not stop the next run.
    site.run("pass")


def test_a_result_that_leads_to_somebody_elses_file(site):
    other = site.folder / "other.safetensors"
    safetensors.numpy.save_file({"w": np.ones(2, np.float32)}, other)

    code, told = site.refusal(after(RESULT, f"os.symlink({str(other)!r}, path)"))

    assert (code, told) == (1, "the recipe's code left no weights behind")


@pytest.mark.parametrize("name", ["result.json", RESULT])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("open(path, 'wb').truncate(1 << 31)", ""),
        ("open(path, 'wb').write(b'x' * (64 << 20))", ""),
        ("open(path, 'wb').write(b'[' * 60000)", ""),
        ("open(path, 'wb').write(b'')", ""),
        ("open(path, 'wb').write((1 << 62).to_bytes(8, 'little') + b'{}')", ""),
    ],
)
def test_a_result_that_is_huge_or_nonsense(site, name, body, says):
    code, told = site.refusal(after(name, body))

    assert code == 5
    assert name.partition(".")[0] in told


def test_a_result_made_of_false_words(site):
    code, told = site.refusal(
        "for one in range(1, 10):\n"
        '    try: os.write(one, b\'{"done": 1e99}\\n{"error": 7}\\n\\xff\\n[]\\n\')\n'
        "    except OSError: pass\n"
        "raise KeyError('\\x1b[31m' + 'x' * 100000)"
    )

    assert code == 1
    assert "\x1b" not in told


def test_data_in_the_home_folder_itself_is_refused(site):
    site.data = site.home / "rows.npz"

    code, told = site.refusal("pass")

    assert code == 2
    assert str(site.home) in told
