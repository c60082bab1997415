"""Runs small hostile programs in each sandbox that this machine has."""

import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flair_client.training.sandbox import Finished, SandboxLimits, choosing, run

# Bubblewrap is tried where it is installed; test_parts.py says so where it is not.
KINDS = ["namespaces", *(["bwrap"] if shutil.which("bwrap") else [])]
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
        return run(
            [sys.executable, "-c", code, self.mark],
            **{
                "readable": (),
                "scratch": self.scratch,
                "limits": SandboxLimits(seconds, memory, processes, scratch_bytes),
                "env": {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch)},
                "on_line": self.lines.append,
                **more,
            },
        )

    def leftovers(self) -> list[str]:
        found = subprocess.run(
            ["ps", "-eo", "pid,stat,args", "-ww"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        return [line for line in found if self.mark in line]


@pytest.fixture(params=KINDS)
def sandbox(request, tmp_path, monkeypatch):
    _skip_where_the_kernel_refuses(request.param)
    monkeypatch.setattr(choosing, "find_sandbox", lambda: request.param)
    scratch = tmp_path / "own"
    scratch.mkdir()
    made = Sandbox(request.param, scratch)
    yield made
    assert made.leftovers() == []
