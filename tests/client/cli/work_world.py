"""A localnet, and people with homes and folders who run `flair`."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from flair_client.cli.app import run
from flair_client.config_file import write_config
from flair_client.localnet import start_localnet

ROWS = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40))


@dataclass(frozen=True)
class Ran:
    """What a run of the command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def result(self):
        """The result in the one line of JSON."""
        assert self.code == 0, self.err or self.out
        return json.loads(self.out)["result"]


@dataclass(frozen=True)
class Person:
    """Somebody with a home of their own, a wallet with money, and a folder."""

    home: Path
    folder: Path

    def __call__(self, *arguments, cwd=None) -> Ran:
        """Runs `flair` in this process, as this person."""
        words = [*map(str, arguments), "--home", str(self.home)]
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder if cwd is None else cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(words)
        return Ran(code, out.getvalue(), err.getvalue())

    def json(self, *arguments, cwd=None):
        """Runs `flair … --json` and gives its result; it must succeed."""
        return self(*arguments, "--json", cwd=cwd).result


@dataclass(frozen=True)
class Net:
    """A localnet with its store."""

    url: str
    genesis_hash: str
    store: str
    folder: Path

    def person(self, name: str) -> Person:
        """Makes somebody whose profile is this localnet."""
        made = Person(self.folder / name / "home", self.folder / name / "work")
        made.folder.mkdir(parents=True)
        write_config(
            made.home / "config.toml",
            {
                "network.localnet.url": self.url,
                "network.localnet.genesis_hash": self.genesis_hash,
                "network.localnet.store": self.store,
            },
        )
        assert made("wallet", "new").code == 0
        assert made("wallet", "airdrop", "10").code == 0
        return made

    def publish(self, owner: Person, name: str, *flags) -> str:
        """Makes a workspace `name` of the owner's and publishes it."""
        (owner.folder / "rows.csv").write_text(ROWS)
        owner.json("init", name, "--columns-from", "rows.csv")
        flags = flags or ("--open", "--min-updates", 1)
        made = owner.json("repo", "create", name, *flags, cwd=owner.folder / name)
        return made["repo"]


@contextlib.contextmanager
def running_net(folder: Path):
    """Runs a localnet."""
    with start_localnet(folder / "net") as net:
        yield Net(net.url, net.genesis_hash, (folder / "store").as_uri(), folder)


def shifted(path: Path, target: Path, by: float = 0.25) -> Path:
    """Writes the weights of a file, each a little larger."""
    tensors = safetensors.numpy.load_file(path)
    for name in tensors:
        tensors[name] = np.asarray(tensors[name] + tensors[name].dtype.type(by))
    safetensors.numpy.save_file(tensors, target)
    return target
