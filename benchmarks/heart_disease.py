"""The four hospitals of FLamby's Fed-Heart-Disease: its FedAvg again, then Flair's.

First FLamby's own setting, in NumPy: each centre normalises by its own rows, FedAvg
over 15 rounds of 100 steps with batches of 4 and a learning rate of 0.001. It shows
that rows, split and scoring are those of the published table (mean of centres .685,
deviation .025 over five seeds).

Then Flair's: a round of statistics, so that all centres normalise alike, and 15 rounds
of the recipe's logistic regression with FedAvg. Training, clipping, integers and the
merge are the package's own functions; chain, store and signatures change no number and
are left out, so that 20 seeds take seconds. The pooled model is trained by the same
recipe on all training rows in one place.

`--choose` shows how the recipe's settings were chosen: by the log-loss of held-out
training rows (five folds, four times). Test rows have no part in it.
"""

import argparse
import itertools
import json
import math
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

# A matrix product of 13 columns gains nothing from threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import from_fixed, to_fixed
from flair_client.delta_integers import make_integers, norm_sq
from flair_client.demo.datasets import load_dataset
from flair_client.demo.prepare import make_recipe
from flair_client.errors import FlairError
from flair_client.objects import DType
from flair_client.porcelain.commit import bucket
from flair_client.strategies import Facts, get_strategy
from flair_client.training.data import Table
from flair_client.training.recipe import TrainingRecipe
from flair_client.training.run import RoundKind, evaluate, initial_weights, train

Array = npt.NDArray[Any]
N_ROUNDS: Final = 15
# Settings of FLamby's FedAvg.
_FLAMBY_STEPS: Final = 100
_FLAMBY_BATCH: Final = 4
_FLAMBY_RATE: Final = 1e-3
PUBLISHED: Final = 0.685
PUBLISHED_DEVIATION: Final = 0.025
MIN_MEAN_OF_CENTRES: Final = 0.80
MIN_POOLED_AUC: Final = 0.875

CHOSEN: Final[Mapping[str, Any]] = {
    "epochs": 1,
    "learning_rate": 0.05,
    "batch_size": 16,
    "l2": 0.0,
}
_GRID: Final[Mapping[str, tuple[Any, ...]]] = {
    "epochs": (1, 2, 5),
    "learning_rate": (0.005, 0.01, 0.02, 0.05),
    "batch_size": (4, 16),
    "l2": (0.0, 0.01, 0.1),
}
_N_FOLDS: Final = 5
_N_REPEATS: Final = 4
_ETA_Q24: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Policy:
    """Bits, scale and norm bound of the demo's policy, in the units of a delta."""

    bits: int
    scale_exp: int
    n_params: int
    norm_bound_sq: int


@dataclass(frozen=True, slots=True)
class Result:
    """One model.

    Attributes:
        mean_of_centres: accuracy at 0.5 on each centre's rows, the mean of the four.
        auc, log_loss: on all these rows together; log-loss in nats.
    """

    mean_of_centres: float
    auc: float
    log_loss: float


def main() -> int:
    """Measures; gives 1 where a figure is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/heart-disease"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--choose", action="store_true", help="try all settings")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        dataset = load_dataset("heart-disease", options.data)
    except FlairError as exc:
        parser.error(f"{exc}; name the folder of the four files with --data")
    train_rows = [hospital.train for hospital in dataset.hospitals]
    test_rows = [hospital.test for hospital in dataset.hospitals]
    recipe = make_recipe(dataset)
    if options.choose:
        _choose(recipe, train_rows)
        return 0
    recipe = replace(recipe, **CHOSEN)
    seeds = range(options.seeds)
    theirs = [flamby_fedavg(train_rows, test_rows, seed) for seed in seeds]
    ours = [federated(recipe, train_rows, test_rows, seed) for seed in seeds]
    pooled = [
        federated(recipe, [np.concatenate(train_rows)], test_rows, seed)
        for seed in seeds
    ]
    return _report(theirs, ours, pooled, as_json=options.json)


def federated(
    recipe: TrainingRecipe, rows: Sequence[Array], test: Sequence[Array], seed: int
) -> Result:
    """Trains over the sites and scores; one site with all rows is pooled training.

    Args:
        recipe: of the built-in model, with statistics.
        rows: of each site, the target last; shape [rows, columns + 1].
        test: of each centre, likewise.
        seed: fixes the order of the rows.
    """
    policy = _policy(recipe)
    tables = [_table(one) for one in rows]
    state = {
        name: to_fixed(values, policy.scale_exp, name)
        for name, values in initial_weights(recipe).items()
    }
    weights = _floats(state, policy)
    for index in range(N_ROUNDS + 1):
        updates = []
        for table in tables:
            trained = train(
                recipe,
                weights,
                table,
                round_kind=RoundKind.TRAINING if index else RoundKind.STATISTICS,
                seed=seed * (N_ROUNDS + 1) + index,
                norm_bound=math.ldexp(
                    math.sqrt(policy.norm_bound_sq), policy.scale_exp
                ),
                allow_one_class=True,
            )
            difference = {
                name: new.astype(np.float64) - weights[name]
                for name, new in trained.weights.items()
            }
            updates.append(
                (bucket(trained.num_samples), make_integers(difference, policy))
            )
        state = _merged(state, updates, policy.scale_exp)
        weights = _floats(state, policy)
    return _score(recipe, weights, test)


def _merged(
    state: dict[str, Array],
    updates: Sequence[tuple[int, dict[str, Any]]],
    scale_exp: int,
) -> dict[str, Array]:
    facts = Facts(
        eta_q24=_ETA_Q24,
        scale_exp=scale_exp,
        params={},
        weights=tuple(weight for weight, _ in updates),
        norms_sq=tuple(sum(map(norm_sq, delta.values())) for _, delta in updates),
    )
    rule = get_strategy("fedavg").rule(facts)
    merged = {}
    for name, values in state.items():
        parts = (delta[name] for _, delta in updates)
        merged[name], _ = rule.merge_part(values, parts, (), name)
    return merged


def _floats(state: dict[str, Array], policy: Policy) -> dict[str, Array]:
    return {
        name: from_fixed(values, policy.scale_exp, DType.F32, name)
        for name, values in state.items()
    }


def _policy(recipe: TrainingRecipe) -> Policy:
    scale_exp = int(recipe.policy["scale_exp"])
    bound = float(recipe.policy["norm_bound"])
    n_params = sum(values.size for values in initial_weights(recipe).values())
    return Policy(16, scale_exp, n_params, int(math.ldexp(bound, -scale_exp)) ** 2)


def _table(rows: Array) -> Table:
    return Table(x=rows[:, :-1], y=rows[:, -1].astype(np.int8), n_clipped={})


def _score(
    recipe: TrainingRecipe, weights: dict[str, Array], test: Sequence[Array]
) -> Result:
    per_centre = [evaluate(recipe, weights, _table(rows)) for rows in test]
    pooled = evaluate(recipe, weights, _table(np.concatenate(test)))
    return Result(
        float(np.mean([one["accuracy"] for one in per_centre])),
        pooled["auc"],
        pooled["log_loss"],
    )


def flamby_fedavg(rows: Sequence[Array], test: Sequence[Array], seed: int) -> float:
    """Mean of the centres' accuracies by FLamby's setting; seeds start and order."""
    rng = np.random.default_rng(seed)
    means = [one[:, :-1].mean(axis=0) for one in rows]
    deviations = [one[:, :-1].std(axis=0, ddof=1) + 1e-9 for one in rows]
    sites = [
        ((one[:, :-1] - mean) / deviation, one[:, -1])
        for one, mean, deviation in zip(rows, means, deviations, strict=True)
    ]
    n_columns = rows[0].shape[1] - 1
    reach = 1 / math.sqrt(n_columns)
    # The last value is the bias.
    model = rng.uniform(-reach, reach, n_columns + 1)
    batches = [_batches(y.size, rng) for _, y in sites]
    n_rows = sum(y.size for _, y in sites)
    for _ in range(N_ROUNDS):
        trained = [
            _flamby_local(model, x, y, batch)
            for (x, y), batch in zip(sites, batches, strict=True)
        ]
        model = sum(
            (
                one * (y.size / n_rows)
                for one, (_, y) in zip(trained, sites, strict=True)
            ),
            np.zeros_like(model),
        )
    right = [
        np.mean(
            (((one[:, :-1] - mean) / deviation) @ model[:-1] + model[-1] > 0)
            == one[:, -1]
        )
        for one, mean, deviation in zip(test, means, deviations, strict=True)
    ]
    return float(np.mean(right))


def _batches(n_rows: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.intp]]:
    """Batches without end, every pass in an order of its own."""
    while True:
        order = rng.permutation(n_rows)
        for start in range(0, n_rows, _FLAMBY_BATCH):
            yield order[start : start + _FLAMBY_BATCH]


def _flamby_local(
    model: Array, x: Array, y: Array, batches: Iterator[npt.NDArray[np.intp]]
) -> Array:
    model = model.copy()
    for chosen in itertools.islice(batches, _FLAMBY_STEPS):
        z = x[chosen] @ model[:-1] + model[-1]
        residual = 1 / (1 + np.exp(-z)) - y[chosen]
        model[:-1] -= _FLAMBY_RATE * (x[chosen].T @ residual) / chosen.size
        model[-1] -= _FLAMBY_RATE * residual.mean()
    return model


def _choose(recipe: TrainingRecipe, rows: Sequence[Array]) -> None:
    """Prints every setting of the grid, the best last, by held-out training rows."""
    settings = [
        dict(zip(_GRID, values, strict=True))
        for values in itertools.product(*_GRID.values())
    ]
    with multiprocessing.Pool() as pool:
        found = pool.starmap(
            _held_out, [(replace(recipe, **one), rows) for one in settings]
        )
    for one, result in sorted(
        zip(settings, found, strict=True), key=lambda pair: -pair[1].log_loss
    ):
        print(
            f"{one}: log-loss {result.log_loss:.4f}, AUC {result.auc:.4f}, "
            f"mean of centres {result.mean_of_centres:.4f}"
        )


def _held_out(recipe: TrainingRecipe, rows: Sequence[Array]) -> Result:
    results = []
    for repeat in range(_N_REPEATS):
        rng = np.random.default_rng(repeat)
        orders = [rng.permutation(one.shape[0]) for one in rows]
        for fold in range(_N_FOLDS):
            held = [order[fold::_N_FOLDS] for order in orders]
            kept = [
                np.delete(one, places, axis=0)
                for one, places in zip(rows, held, strict=True)
            ]
            test = [one[places] for one, places in zip(rows, held, strict=True)]
            results.append(federated(recipe, kept, test, seed=repeat))
    return _mean(results)


def _mean(results: Sequence[Result]) -> Result:
    return Result(
        float(np.mean([one.mean_of_centres for one in results])),
        float(np.mean([one.auc for one in results])),
        float(np.mean([one.log_loss for one in results])),
    )


def _report(
    theirs: Sequence[float],
    ours: Sequence[Result],
    pooled: Sequence[Result],
    *,
    as_json: bool,
) -> int:
    mean, all_rows = _mean(ours), _mean(pooled)
    figures = {
        "seeds": len(ours),
        "flamby_fedavg": round(float(np.mean(theirs)), 4),
        "flamby_fedavg_deviation": round(float(np.std(theirs)), 4),
        "mean_of_centres": round(mean.mean_of_centres, 4),
        "mean_of_centres_deviation": round(
            float(np.std([one.mean_of_centres for one in ours])), 4
        ),
        "pooled_test_auc": round(mean.auc, 4),
        "log_loss": round(mean.log_loss, 4),
        "pooled_mean_of_centres": round(all_rows.mean_of_centres, 4),
        "pooled_training_auc": round(all_rows.auc, 4),
        "pooled_training_log_loss": round(all_rows.log_loss, 4),
    }
    reached = (
        abs(figures["flamby_fedavg"] - PUBLISHED) <= PUBLISHED_DEVIATION
        and mean.mean_of_centres >= MIN_MEAN_OF_CENTRES
        and mean.auc >= MIN_POOLED_AUC
    )
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:26} {value}")
        print("reached" if reached else "not reached")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
