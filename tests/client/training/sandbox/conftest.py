"""Runs small hostile programs in each sandbox that this machine has."""

import shutil
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flair_client.training.sandbox import (
    Finished,
    Prepared,
    SandboxLimits,
    choosing,
    keep_template,
    run,
)

# Bubblewrap is tried where it is installed; test_parts.py says so where it is not. A
# template forks its runs into namespaces: nothing may be otherwise in there.
KINDS = ["namespaces", "template", *(["bwrap"] if shutil.which("bwrap") else [])]
# Does what `python -c CODE MARK` does.
TEMPLATE = """
import sys
from flair_client.training.sandbox.template import serve

def run(argv):
    sys.argv = ["-c", *argv[3:]]
    exec(compile(argv[2], "<string>", "exec"), sys.modules["__main__"].__dict__)
    return 0

sys.exit(serve(run, int(sys.argv[-1])))
"""
# What a kernel says that allows no namespaces; whatever else is a fault of ours.
REFUSALS = (
    "Operation not permitted",
    "Permission denied",
    "No space left",
    "No filter",
)


def _skip_where_the_kernel_refuses(kind):
    refusal = choosing._refusal(kind)
    if refusal is None:
        return
    if not sys.platform.startswith("linux") or any(one in refusal for one in REFUSALS):
        pytest.skip(refusal)
    pytest.fail(refusal)


@dataclass
class Sandbox:
    """A sandbox of one kind, and what the last program in it said."""

    kind: str
    scratch: Path
    lines: list[str] = field(default_factory=list)
    # Stands in the arguments of each process, so that leftovers are found.
    mark: str = field(default_factory=lambda: f"mark-{uuid.uuid4().hex}")
    # Whether each run was forked from a template.
    forked: list[bool] = field(default_factory=list)
    template_code: str = TEMPLATE

    @property
    def system(self) -> str:
        """What makes its namespaces."""
        return "namespaces" if self.kind == "template" else self.kind

    def run(
        self,
        code,
        *,
        seconds=20,
        memory=1 << 29,
        processes=64,
        scratch_bytes=32 << 20,
        **more,
    ) -> Finished:
        self.lines.clear()
        self.forked.clear()
        template = Prepared((sys.executable, "-P", "-c", self.template_code))
        ended = run(
            [sys.executable, "-c", code, self.mark],
            **{
                "prepared": template if self.kind == "template" else None,
                "readable": (),
                "scratch": self.scratch,
                "limits": SandboxLimits(seconds, memory, processes, scratch_bytes),
                "env": {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch)},
                "on_line": self.lines.append,
                **more,
            },
        )
        if threading.current_thread() is threading.main_thread():
            assert any(self.forked) == (self.kind == "template")
        return ended

    def leftovers(self) -> list[str]:
        """Processes with the mark, and those that have the scratch folder mounted."""
        found = subprocess.run(
            ["ps", "-eo", "pid,stat,args", "-ww"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        marked = [line for line in found if self.mark in line]
        return marked + processes_with(self.scratch)


def processes_with(folder):
    """Numbers of processes elsewhere in whose root a folder is mounted."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mounts = (process / "mountinfo").read_text()
        except OSError:
            continue
        if f" {folder} " in mounts:
            found.append(process.name)
    return found


@pytest.fixture(scope="module", autouse=True)
def template():
    # One for all of them: what a run leaves in it, a later one would meet.
    with keep_template():
        yield


@pytest.fixture(params=KINDS)
def sandbox(request, tmp_path, monkeypatch):
    scratch = tmp_path / "own"
    scratch.mkdir()
    made = Sandbox(request.param, scratch)
    _skip_where_the_kernel_refuses(made.system)
    forked = choosing._forked

    def noted(job):
        ended = forked(job)
        made.forked.append(ended is not None)
        return ended

    monkeypatch.setattr(choosing, "_forked", noted)
    monkeypatch.setattr(choosing, "find_sandbox", lambda: made.system)
    yield made
    assert made.leftovers() == []
