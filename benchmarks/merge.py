"""FedAvg of ten updates of 100 million values: Flair's own, Flower's, a copy.

Flair merges integers of 16 bits as they come out of the store, by `merge_arrays`: the
rule of the strategy, part by part, which aggregator and verify use as well. Flower gets
the same updates as the float32 arrays that its contributors send, in a process of its
own, and the faster counts of what its two interfaces do with arrays in memory:
`flwr.server.strategy.aggregate.aggregate` and
`flwr.serverapp.strategy.FedAvg.aggregate_train`. The copy moves the bytes of the
updates from one place in memory to another. All three take turns, and the least time of
each counts.

flwr pins other versions than Flair's lock holds: it needs an environment of its own.

    python -m venv flower && flower/bin/pip install flwr
    python benchmarks/merge.py --flower flower/bin/python [--json]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from flair_client.history.merge_arrays import merge_arrays
from flair_client.strategies import Choice, get_strategy

_N_UPDATES, _N_VALUES, _TIMES = 10, 100_000_000, 3
_SCALE_EXP = -13
_FASTER, _COPIES, _MODELS = 5.0, 3.0, 2.0
# What Flower runs; an interface a line comes in, its seconds go out.
_FLOWER = """
import logging, sys, time
from types import SimpleNamespace
import numpy as np
from flwr.common import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.server.strategy.aggregate import aggregate
from flwr.serverapp.strategy import FedAvg
logging.disable(logging.CRITICAL)
folder, weights = sys.argv[1], [int(one) for one in sys.argv[2:]]
def load(place):
    ints = np.load(f"{folder}/{place}.npy", mmap_mode="r")
    return ints.astype(np.float32) * np.float32(2.0 ** SCALE_EXP)
def ours_beside(merged):
    expected = np.load(f"{folder}/merged.npy", mmap_mode="r")
    return float(np.abs(merged[:expected.size] - expected).max())
def plain():
    arrays = [([load(place)], weight) for place, weight in enumerate(weights)]
    start = time.perf_counter()
    merged = aggregate(arrays)[0]
    return time.perf_counter() - start, ours_beside(merged)
def messages():
    sent = []
    for place, weight in enumerate(weights):
        content = RecordDict({
            "arrays": ArrayRecord({"w": Array(load(place))}),
            "metrics": MetricRecord({"num-examples": float(weight)}),
        })
        sent.append(SimpleNamespace(content=content, has_error=lambda: False))
    start = time.perf_counter()
    merged, _ = FedAvg().aggregate_train(1, sent)
    seconds = time.perf_counter() - start
    return seconds, ours_beside(merged["w"].numpy())
for line in sys.stdin:
    run = {"plain": plain, "messages": messages}[line.strip()]
    print(*run(), flush=True)
""".replace("SCALE_EXP", str(_SCALE_EXP))


def make_updates(n_values: int) -> list[tuple[int, npt.NDArray[np.int16]]]:
    """Weight and integers of each, as thirteen bits of a trained model's change."""
    numbers = np.random.default_rng(1)
    return [
        (
            1 << (place % 9),
            numbers.integers(-4096, 4096, n_values, dtype=np.int16),
        )
        for place in range(_N_UPDATES)
    ]


class Memory:
    """How much memory this process takes beyond what it had, at the most."""

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._ended = threading.Event()
        self._before = self._now()
        self.most = 0
        self._thread = threading.Thread(target=self._watch)

    def _now(self) -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * self._page

    def _watch(self) -> None:
        while not self._ended.wait(0.002):
            self.most = max(self.most, self._now() - self._before)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.most = max(self.most, self._now() - self._before)


class Flower:
    """Flower in its own environment, asked for one run after another."""

    def __init__(self, python: Path, folder: Path, weights: list[int]) -> None:
        command = [str(python), "-c", _FLOWER, str(folder), *map(str, weights)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, interface: str) -> tuple[float, float]:
        """Seconds, and the largest difference to what Flair merged."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("Flower has no pipes")
        print(interface, file=stdin, flush=True)
        words = stdout.readline().split()
        if len(words) != 2:
            raise SystemExit("Flower ended; what it said stands above")
        return float(words[0]), float(words[1])

    def close(self) -> None:
        """Ends it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def run(n_values: int, times: int, flower_python: Path | None) -> dict[str, float]:
    """All figures; without Flower those that need none of it."""
    updates = make_updates(n_values)
    base = np.random.default_rng(2).integers(-(1 << 40), 1 << 40, n_values)
    choice = Choice(get_strategy("fedavg"), {}, 1 << 24, _SCALE_EXP)
    norms = [1] * _N_UPDATES
    copies = [np.ones_like(values) for _, values in updates]

    def merge() -> npt.NDArray[np.int64]:
        return merge_arrays(choice, base, updates, (), norms_sq=norms).values

    def copy() -> None:
        for into, (_, values) in zip(copies, updates, strict=True):
            np.copyto(into, values)

    with Memory() as memory:
        merged = merge()
    found: dict[str, float] = {
        # A model is the exact state, 8 bytes a value; the result is one of them.
        "peak_models": memory.most / (8 * n_values),
        "peak_mib": memory.most / 2**20,
    }
    with tempfile.TemporaryDirectory() as name:
        flower = None
        if flower_python is not None:
            folder = Path(name)
            for place, (_, values) in enumerate(updates):
                np.save(folder / f"{place}.npy", values)
            change = (merged - base)[:1_000_000] * 2.0 ** (_SCALE_EXP - 24)
            np.save(folder / "merged.npy", change)
            flower = Flower(flower_python, folder, [weight for weight, _ in updates])
        del merged
        rounds = [_turn(merge, copy, flower) for _ in range(times)]
        if flower is not None:
            flower.close()
    least = {name: min(one[name] for one in rounds) for name in rounds[0]}
    found |= least
    found["times_memory_copy"] = least["merge_s"] / least["copy_s"]
    found["times_memory_copy_cpu"] = least["merge_cpu_s"] / least["copy_cpu_s"]
    if flower is not None:
        fastest = min(least["flower_plain_s"], least["flower_messages_s"])
        found["times_faster_than_flower"] = fastest / least["merge_s"]
    return found


def _turn(
    merge: Callable[[], object], copy: Callable[[], object], flower: Flower | None
) -> dict[str, float]:
    found = {}
    found["copy_s"], found["copy_cpu_s"] = timed(copy)
    found["merge_s"], found["merge_cpu_s"] = timed(merge)
    if flower is not None:
        for interface in ("plain", "messages"):
            seconds, difference = flower.run(interface)
            if difference > 1e-5:
                raise SystemExit(f"Flower and Flair differ by {difference}")
            found[f"flower_{interface}_s"] = seconds
    return found


def main() -> int:
    """Prints the figures; 1 where one is over its limit, 2 without Flower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument(
        "--flower", type=Path, metavar="PYTHON", help="the python that has flwr"
    )
    parser.add_argument("--values", type=int, default=_N_VALUES, metavar="N")
    parser.add_argument("--times", type=int, default=_TIMES, metavar="N")
    given = parser.parse_args()
    found = run(given.values, given.times, given.flower)
    print(
        json.dumps(found)
        if given.json
        else "\n".join(f"{name:24} {value:.4g}" for name, value in found.items())
    )
    if given.flower is None:
        print(
            "Flower was not measured: give --flower PYTHON, that of an environment in "
            "which `pip install flwr` was run",
            file=sys.stderr,
        )
        return 2
    held = (
        found["times_faster_than_flower"] >= _FASTER
        and found["times_memory_copy"] <= _COPIES
        and found["peak_models"] <= _MODELS
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
