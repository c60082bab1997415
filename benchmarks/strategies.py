"""Strategies beside Flower's: the same arrays, the same attacks.

`pip install flwr scikit-learn` in an environment of its own beside the packages of
Flair: flwr pins other versions of what Flair's own lock holds.

    python benchmarks/strategies.py [--json]
"""

import argparse
import json
import logging
import math
from collections.abc import Sequence
from types import SimpleNamespace

import flwr
import numpy as np
import numpy.typing as npt
from flwr.common import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower

from flair_client.arithmetic import (
    FloatArray,
    Int16Array,
    IntArray,
    from_fixed,
    to_fixed,
)
from flair_client.history.merge_arrays import MergedArray, merge_arrays
from flair_client.objects import DType
from flair_client.porcelain.simulate import Merge, Setting, breast_cancer, simulate
from flair_client.strategies import Choice, get_strategy
from flair_client.strategies.parameters import from_numbers
from flair_client.strategies.scaffold import moved
from flair_client.training.logistic_regression import fit, n_steps

SCALE_EXP = -13
ETA = 0.5
BATCH = 16
ROBUST = ("fedavg", "median", "trimmed_mean", "krum", "multi_krum")
# Flower has none of these.
OURS_ALONE = ("geometric_median", "norm_clipping", "scaffold")
STATEFUL = ("fedavgm", "fedadam", "fedyogi", "fedadagrad")


def theirs(name: str, n_updates: int, params: dict[str, int]) -> flower.FedAvg:
    """Flower's strategy with the parameters of ours."""
    f = params.get("f", 0)
    real = {key: value / 2**48 for key, value in params.items() if key.endswith("_q48")}
    adaptive = {
        "eta": ETA,
        "beta_1": real.get("beta_1_q48", 0.0),
        "tau": real.get("tau_q48", 0.0),
    }
    beta_2 = real.get("beta_2_q48", 0.0)
    made = {
        "fedavg": flower.FedAvg,
        "median": flower.FedMedian,
        "trimmed_mean": lambda: flower.FedTrimmedAvg(beta=(f + 0.5) / n_updates),
        "krum": lambda: flower.Krum(num_malicious_nodes=f),
        "multi_krum": lambda: flower.MultiKrum(
            num_malicious_nodes=f, num_nodes_to_select=n_updates - f - 2
        ),
        "fedavgm": lambda: flower.FedAvgM(
            server_learning_rate=ETA, server_momentum=real["momentum_q48"]
        ),
        "fedadam": lambda: flower.FedAdam(**adaptive, beta_2=beta_2),
        "fedyogi": lambda: flower.FedYogi(**adaptive, beta_2=beta_2),
        # Without a first moment, as ours by default.
        "fedadagrad": lambda: flower.FedAdagrad(eta=ETA, tau=adaptive["tau"]),
    }
    return made[name]()


def replies(
    weights: FloatArray, updates: Sequence[tuple[int, Int16Array]]
) -> list[SimpleNamespace]:
    """What Flower's contributors would send: whole weights and a count."""
    sent = []
    for weight, delta in updates:
        arrays = ArrayRecord({"w": Array(weights + delta * 2.0**SCALE_EXP)})
        metrics = MetricRecord({"num-examples": float(weight)})
        content = RecordDict({"arrays": arrays, "metrics": metrics})
        # A real message belongs to a run of Flower's; the strategies read only these.
        sent.append(SimpleNamespace(content=content, has_error=lambda: False))
    return sent


def step(
    strategy: flower.FedAvg,
    index: int,
    weights: FloatArray,
    updates: Sequence[tuple[int, Int16Array]],
) -> FloatArray:
    """One of Flower's rounds; gives the next weights."""
    current = ArrayRecord({"w": Array(weights)})
    is_opt = hasattr(strategy, "beta_1")
    strategy.current_arrays = {"w": weights} if is_opt else current
    if isinstance(strategy, flower.FedAdam):
        # Flower's bias correction, which the paper does not have, taken back.
        first, second = (
            1 - beta ** (index + 1.0) for beta in (strategy.beta_1, strategy.beta_2)
        )
        strategy.eta = ETA * first / math.sqrt(second)
    arrays, _ = strategy.aggregate_train(index, replies(weights, updates))
    merged: FloatArray = arrays["w"].numpy()
    return merged


def ours(name: str, n_updates: int) -> Choice:
    """Our strategy; eta 1 for those of Flower that have none."""
    strategy = get_strategy(name)
    names = [one.name for one in strategy.parameters]
    given = {"f": (n_updates - 3) // 2} if "f" in names else {}
    params = from_numbers(name, strategy.parameters, given)
    eta = ETA if name in STATEFUL else 1.0
    return Choice(strategy, params, round(eta * 2**24), SCALE_EXP)


def largest_difference(name: str, n_updates: int = 9, rounds: int = 5) -> float:
    """Over some rounds of random updates, in units of the weights."""
    numbers = np.random.default_rng(7)
    choice = ours(name, n_updates)
    weights = numbers.standard_normal(1000)
    state = to_fixed(weights, SCALE_EXP)
    moments = tuple(np.zeros(1000) for _ in choice.strategy.moments)
    reference = theirs(name, n_updates, dict(choice.params))
    worst = 0.0
    for index in range(1, rounds + 1):
        updates = [
            (
                1 << int(numbers.integers(0, 4))
                if name in ("fedavg", *STATEFUL)
                else 1,
                numbers.normal(50, 400, 1000).astype(np.int16),
            )
            for _ in range(n_updates)
        ]
        merged = merge_arrays(choice, state, updates, moments)
        state, moments = merged.values, merged.moments
        weights = step(reference, index, weights, updates)
        difference = floats_of(state) - weights
        worst = max(worst, float(np.abs(difference).max()))
    return worst


def floats_of(state: IntArray) -> FloatArray:
    """The weights of exact integers."""
    return from_fixed(state, SCALE_EXP, DType.F64).astype(np.float64)


def flower_merge(
    choice: Choice,
    base: IntArray,
    updates: Sequence[tuple[int, Int16Array]],
    moments: tuple[FloatArray, ...],
) -> MergedArray:
    """A round of the simulation, merged by Flower."""
    weights = floats_of(base)
    reference = theirs(choice.strategy.id, len(updates), dict(choice.params))
    return MergedArray(
        to_fixed(step(reference, 1, weights, updates), SCALE_EXP), moments
    )


def table(
    merge: Merge, strategies: Sequence[str] = ROBUST
) -> dict[str, dict[str, float | None]]:
    """Accuracy by strategy and attack; of the backdoor also how often it works."""
    setting = Setting(n_contributors=10, n_hostile=3, rounds=10)
    found = simulate(breast_cancer(), setting, strategies=strategies, merge=merge)
    rows: dict[str, dict[str, float | None]] = {name: {} for name in strategies}
    for cell in found.cells:
        rows[cell.strategy][cell.attack] = cell.accuracy
        if cell.backdoor is not None:
            rows[cell.strategy]["backdoor_works"] = cell.backdoor
    return rows


class Drift:
    """Five sites whose rows differ, and much training between merges.

    The rows are sorted by their first column before they are shared out. What is
    measured is how far the loss of all rows together is above the least there is.
    """

    n_sites, epochs, rate, l2 = 5, 40, 0.05, 0.01

    def __init__(self) -> None:
        """With the breast-cancer set."""
        rows = breast_cancer()
        order = np.argsort(rows.x[:, 0], kind="stable")
        self.rows = rows
        self.sites = np.array_split(order, self.n_sites)
        start = np.zeros(rows.x.shape[1] + 1)
        everything = np.arange(len(rows.y))
        self.least = self.loss(self.train(start, everything, 20_000, 0.5, batch=1000))

    def train(
        self,
        weights: FloatArray,
        rows: npt.NDArray[np.intp],
        epochs: int,
        step: float,
        *,
        batch: int = BATCH,
        correction: FloatArray | None = None,
    ) -> FloatArray:
        """New weights, the bias last."""
        add = np.zeros(len(weights)) if correction is None else correction
        made = fit(
            *(self.rows.x[rows], self.rows.y[rows], weights[:-1], weights[-1:]),
            epochs=epochs,
            learning_rate=step,
            batch_size=batch,
            l2=self.l2,
            seed=1,
            correction=(add[:-1], add[-1:]),
        )
        return np.concatenate([made.weight, made.bias])

    def loss(self, weights: FloatArray) -> float:
        """Mean log-loss of all rows, with the penalty."""
        z = self.rows.x @ weights[:-1] + weights[-1]
        fits = float(np.mean(np.logaddexp(0, z) - self.rows.y * z))
        return fits + self.l2 / 2 * float(np.square(weights[:-1]).sum())

    def run(self, name: str, rounds: int, merge: Merge) -> float:
        """What the loss is above the least after so many rounds."""
        strategy = get_strategy(name)
        steps = n_steps(len(self.sites[0]), self.epochs, BATCH)
        given = {"rate": steps * self.rate} if name == "scaffold" else {}
        params = from_numbers(name, strategy.parameters, given)
        choice = Choice(strategy, params, 1 << 24, SCALE_EXP)
        n_values = self.rows.x.shape[1] + 1
        state = to_fixed(np.zeros(n_values), SCALE_EXP)
        moments = tuple(np.zeros(n_values) for _ in strategy.moments)
        own = np.zeros((self.n_sites, n_values))
        for _ in range(rounds):
            weights = floats_of(state)
            server = moments[0] if moments else np.zeros(n_values)
            sent = []
            for site, rows in enumerate(self.sites):
                step = steps * self.rate / n_steps(len(rows), self.epochs, BATCH)
                made = self.train(
                    weights, rows, self.epochs, step, correction=server - own[site]
                )
                delta = np.rint((made - weights) * 2.0**-SCALE_EXP).astype(np.int16)
                sent.append((1, delta))
                if name == "scaffold":
                    change = delta.astype(np.float64) * 2.0**SCALE_EXP
                    own[site] = moved(own[site], change, steps * self.rate, 1.0, server)
            merged = merge(choice, state, sent, moments)
            state, moments = merged.values, merged.moments
        weights = floats_of(state)
        return self.loss(weights) - self.least


def drift() -> dict[str, dict[str, float]]:
    """Loss above the least by strategy and number of rounds."""
    world = Drift()
    runs = {
        "fedavg": ("fedavg", merge_arrays),
        "fedavg of Flower": ("fedavg", flower_merge),
        "scaffold": ("scaffold", merge_arrays),
    }
    return {
        title: {str(n): world.run(name, n, merge) for n in (1, 10, 40)}
        for title, (name, merge) in runs.items()
    }


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    logging.getLogger("flwr").setLevel(logging.ERROR)
    figures = {
        "flower": flwr.__version__,
        "largest_difference": {
            name: largest_difference(name) for name in (*ROBUST, *STATEFUL)
        },
        "flair": table(merge_arrays, (*ROBUST, *OURS_ALONE)),
        "flower_table": table(flower_merge),
        "drift": drift(),
    }
    if as_json:
        print(json.dumps(figures))
        return
    print(f"largest difference to Flower {flwr.__version__}, in units of the weights")
    for name, value in figures["largest_difference"].items():
        print(f"  {name:14} {value:.2g}")
    for who in ("flair", "flower_table"):
        print(who)
        for name, row in figures[who].items():
            print(f"  {name:16}", *(f"{key} {value:.3f}" for key, value in row.items()))
    print("loss of all rows above the least, by rounds; sites that differ")
    for name, row in figures["drift"].items():
        print(f"  {name:16}", *(f"{key}: {value:.5f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
