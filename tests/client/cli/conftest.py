"""Runs the command in this process, as a shell would."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flair_client.cli.app import run

# The builder of whole worlds lies beside these tests.
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Ran:
    """What a run of the command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def line(self):
        """The one line of JSON on stdout."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's folder of its own, and no variables from outside."""
    for name in ("FLAIR_NETWORK", "FLAIR_WALLET", "FLAIR_NO_PROGRESS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv("FLAIR_HOME", str(folder))
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return folder


@pytest.fixture
def flair(home, capsys):
    """Calls `flair` with arguments."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call


@pytest.fixture
def workspace(home):
    """The current folder with a `.flair` in it."""
    (Path.cwd() / ".flair").mkdir()
    return Path.cwd()
