"""A user's own network with batch norms, federated over three sites, against pooling.

The user's package goes through `flair init --torch`, its train.py is edited, and all
the rest is commands, each in a process of its own: `flair policy suggest`, `flair repo
create`, `flair aggregator run`, at each site `flair clone` and `flair contribute
--rounds`, and `flair export --own` at the end. The sites' mixes of digits differ.

Three accuracies are measured over the same held-out pictures: of each site's exported
model (loaded with strict=True into the user's class; their mean is the federated one),
and of the same network trained on all rows in one place for as many epochs.

The time with Flair runs from the start of the sites' commands until each has the last
round's merge: every start of a process, import, sandbox, digest, signature, transfer,
merge and check is in it. The time without is that of three plain Python processes, one
a site, side by side as well, that start once and call the same training function as
often for the same number of epochs, and exchange nothing. They train half of their
rounds before the time with Flair and half after it, and wait in between, so that what
else the machine does meets both alike. Localnet, aggregator and the
sites share this machine's processors with each other.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from digits_user import EDITS, N_SITES, NETWORK, PLAIN, write_data
from round import Ground, cpu_s, open_ground
from watch import started

MAX_DIFFERENCE: Final = 0.02
MAX_RATIO: Final = 1.3
_BATCH_SIZE: Final = 32
_LEARNING_RATE: Final = 0.05
_DATA_TABLE: Final = """
[[data.inputs]]
name = "x"
dtype = "float32"
shape = [-1, 1, 8, 8]
min = 0.0
max = 1.0

[[data.inputs]]
name = "y"
dtype = "int64"
shape = [-1]
min = 0
max = 9
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it.

    Attributes:
        federated_accuracy: mean of the sites' own models over all held-out pictures.
        pooled_accuracy: of the network trained on all rows in one place.
        alone_accuracy: mean of the networks that each site would have trained alone.
        times_plain_training: seconds with Flair by seconds without.
        export_loads_strict: whether each export fits the user's class exactly.
        sites: pictures of each digit at each site.
        flair_cpu_s, plain_cpu_s: processor time of the sites' processes.
    """

    federated_accuracy: float
    pooled_accuracy: float
    alone_accuracy: float
    site_accuracies: tuple[float, ...]
    times_plain_training: float
    flair_s: float
    plain_s: float
    flair_cpu_s: float
    plain_cpu_s: float
    export_loads_strict: bool
    rounds: int
    epochs_per_round: int
    sites: tuple[tuple[int, ...], ...]
    load: float


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock on the wall, and of the processors."""

    wall_s: float
    cpu_s: float


class _Clock:
    """Begins now."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), cpu_s()

    def spent(self) -> Spent:
        """Gives what went since."""
        return Spent(time.perf_counter() - self._wall, cpu_s() - self._cpu)


def run(ground: Ground, who: str, folder: Path, *arguments: str) -> Any:
    """Runs a command to its end; gives the result that it prints.

    Raises:
        RuntimeError: it failed.
    """
    flair = [sys.executable, "-m", "flair_client.cli", *arguments]
    done = subprocess.run(
        [*flair, "--wallet", str(ground.wallet(who)), "--json"],
        cwd=folder,
        env={**os.environ, "FLAIR_HOME": str(ground.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stdout} {done.stderr}")
    return json.loads(done.stdout)["result"]


def write_package(ground: Ground, epochs: int) -> Path:
    """Makes the user's recipe; gives its folder."""
    user = ground.folder
    (user / "digits_net.py").write_text(NETWORK)
    run(ground, "owner", user, "init", "model", "--torch", "digits_net:Net")
    folder = user / "model"
    settings = folder / "flair.toml"
    text = settings.read_text()
    for old, new in (
        ('target = "y"\n', f'target = "y"\n{_DATA_TABLE}'),
        ("epochs = 1\n", f"epochs = {epochs}\n"),
        ("learning_rate = 0.05\n", f"learning_rate = {_LEARNING_RATE}\n"),
        ("batch_size = 32\n", f"batch_size = {_BATCH_SIZE}\n"),
    ):
        text = _replaced(text, old, new)
    settings.write_text(text)
    code = folder / "train.py"
    text = code.read_text()
    for old, new in EDITS:
        text = _replaced(text, old, new)
    code.write_text(text)
    suggest = ("policy", "suggest", "--data", str(user / "site0.npz"), "--write")
    run(ground, "owner", folder, *suggest)
    return folder


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise RuntimeError(f"{old!r} is not there once")
    return text.replace(old, new)


def publish(ground: Ground, folder: Path) -> str:
    """Publishes the recipe; gives its address."""
    three = str(N_SITES)
    return str(
        run(
            *(ground, "owner", folder, "repo", "create", "digits", "--open"),
            *("--min-updates", three, "--max-updates", three, "--challenge", "0s"),
        )["repo"]
    )


def federate(ground: Ground, repo: str, n_rounds: int) -> "Spent":
    """Trains with Flair."""
    names = [f"site{number}" for number in range(N_SITES)]
    for name in names:
        ground.context(name)
        run(ground, name, ground.folder, "clone", repo, name, "--trust")
    bot = ["aggregator", "run", "--repo", repo, "--open-rounds", "--interval", "1s"]
    with ExitStack() as stack:
        stack.enter_context(started(ground, bot, "owner", ground.folder))
        _wait_for_round(ground, names[0])
        clock = _Clock()
        processes = [
            ground.start(
                [
                    *("contribute", "--rounds", str(n_rounds), "--interval", "1s"),
                    *("--data", str(ground.folder / f"{name}.npz")),
                ],
                name,
                ground.folder / name,
            )
            for name in names
        ]
        _wait_for_all(processes)
        for name in names:
            run(ground, name, ground.folder / name, "pull")
        return clock.spent()


def _wait_for_round(ground: Ground, name: str) -> None:
    # Until the aggregator is up and has opened the first one.
    for _ in range(120):
        found = run(ground, name, ground.folder / name, "round", "list")
        if found.get("rounds"):
            return
        time.sleep(0.5)
    raise RuntimeError("no round was opened")


def _wait_for_all(processes: "Sequence[subprocess.Popen[str]]") -> None:
    for process in processes:
        with process:
            _, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"ended with {process.returncode}: {err}")


class Plain:
    """Trains `NAME.npz` without Flair, all side by side.

    The processes are started once, and wait between two calls of `train`. The weights
    are `NAME.plain/made.safetensors` after `end`.
    """

    def __init__(self, folder: Path, model: Path, epochs: int) -> None:
        self._folder, self._model = folder, model
        settings = {
            "EPOCHS": str(epochs),
            "BATCH_SIZE": str(_BATCH_SIZE),
            "LEARNING_RATE": str(_LEARNING_RATE),
        }
        text = PLAIN
        for name, value in settings.items():
            text = text.replace(name, value)
        (model / "plain.py").write_text(text)
        self._processes: list[subprocess.Popen[str]] = []
        self.wall_s = self.cpu_s = 0.0

    def start(self, names: Sequence[str]) -> None:
        """Starts a process for each; what they import counts as training."""
        clock = _Clock()
        for name in names:
            target = self._folder / f"{name}.plain"
            target.mkdir()
            rows, base = self._folder / f"{name}.npz", "weights.safetensors"
            files = [rows, self._model / base, target / "made.safetensors"]
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, str(self._model / "plain.py"), *map(str, files)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        self.wall_s += clock.spent().wall_s

    def train(self, n_rounds: int) -> None:
        """Goes on for some rounds.

        Raises:
            RuntimeError: one of them ended.
        """
        clock = _Clock()
        for process in self._processes:
            print(n_rounds, file=process.stdin, flush=True)
        for process in self._processes:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("training without Flair ended")
        self.wall_s += clock.spent().wall_s

    def end(self) -> None:
        """Has the weights written."""
        # The system tells their processor time at their end, all at once.
        clock = _Clock()
        _wait_for_all(self._processes)
        self.wall_s += clock.spent().wall_s
        self.cpu_s = clock.spent().cpu_s


def accuracy(folder: Path, weights: Path, test: Path) -> float:
    """Share of the held-out pictures that a model tells right.

    Raises:
        RuntimeError: the weights are not exactly those of the user's class.
    """
    import torch
    from safetensors.torch import load_file

    sys.path.insert(0, str(folder))
    from digits_net import Net

    sys.path.pop(0)
    model = Net()
    model.load_state_dict(load_file(weights), strict=True)
    model.eval()
    with np.load(test) as arrays, torch.no_grad():
        guess = model(torch.from_numpy(arrays["x"])).argmax(dim=1).numpy()
        return float((guess == arrays["y"]).mean())


def measure(folder: Path, n_rounds: int, epochs: int) -> Figures:
    """Runs all of it."""
    counts, test = write_data(folder)
    names = [f"site{number}" for number in range(N_SITES)]
    with open_ground(folder) as ground:
        ground.context("owner")
        model = write_package(ground, epochs)
        # Half before and half after, so that other load of the machine meets both.
        alone = Plain(folder, model, epochs)
        alone.start(names)
        alone.train(n_rounds // 2)
        _tell(f"half of it without Flair {alone.wall_s:.1f} s")
        repo = publish(ground, model)
        _tell(f"{N_SITES} sites train {repo}")
        flair = federate(ground, repo, n_rounds)
        _tell(f"with Flair {flair.wall_s:.1f} s")
        exported = []
        for name in names:
            file = folder / f"{name}.safetensors"
            run(ground, name, folder / name, "export", "--own", "-o", str(file))
            exported.append(file)
    load = os.getloadavg()[0]
    alone.train(n_rounds - n_rounds // 2)
    alone.end()
    _tell(f"without Flair {alone.wall_s:.1f} s")
    pooled = Plain(folder, model, epochs)
    pooled.start(["pooled"])
    pooled.train(n_rounds)
    pooled.end()
    found = [accuracy(folder, file, test) for file in exported]
    plain = {
        name: accuracy(folder, folder / f"{name}.plain" / "made.safetensors", test)
        for name in (*names, "pooled")
    }
    return Figures(
        federated_accuracy=sum(found) / N_SITES,
        pooled_accuracy=plain["pooled"],
        alone_accuracy=sum(plain[name] for name in names) / N_SITES,
        site_accuracies=tuple(found),
        times_plain_training=flair.wall_s / alone.wall_s,
        flair_s=flair.wall_s,
        plain_s=alone.wall_s,
        flair_cpu_s=flair.cpu_s,
        plain_cpu_s=alone.cpu_s,
        export_loads_strict=True,
        rounds=n_rounds,
        epochs_per_round=epochs,
        sites=tuple(tuple(int(n) for n in one) for one in counts),
        load=load,
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 4)
        return [plain(one) for one in value] if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in values.items()}


def main() -> int:
    """Measures and prints; 1 when a figure misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--rounds", type=int, default=10, help="default 10")
    parser.add_argument("--epochs", type=int, default=25, help="a round; default 25")
    parser.add_argument("--folder", type=Path, help="kept afterwards")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = arguments.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(folder.absolute(), arguments.rounds, arguments.epochs)
    values = _rounded(asdict(found))
    if arguments.json:
        print(json.dumps(values))
    else:
        for name, value in values.items():
            print(f"{name.replace('_', ' '):24} {value}")
    close = found.federated_accuracy >= found.pooled_accuracy - MAX_DIFFERENCE
    return 0 if close and found.times_plain_training <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
