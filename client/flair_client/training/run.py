"""One local run of a recipe: weights and data in, new weights and metrics out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from flair_client.errors import NotTrainable, OneClass, TensorMismatch, UsageError
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.training import metrics as measure
from flair_client.training.correction import Correction
from flair_client.training.data import ColumnMap, Table, load_table
from flair_client.training.logistic_regression import fit, n_steps, probability
from flair_client.training.recipe import (
    BIAS,
    LOGISTIC_REGRESSION,
    STATISTICS_MEAN,
    STATISTICS_MEAN_SQUARE,
    STATISTICS_PRESENT,
    WEIGHT,
    TrainingRecipe,
)
from flair_client.training.statistics import local_statistics, normalise

Weights: TypeAlias = Mapping[str, npt.NDArray[Any]]
Array: TypeAlias = npt.NDArray[np.float64]


class RoundKind(StrEnum):
    """What a round collects."""

    STATISTICS = "statistics"
    TRAINING = "training"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run gives back; nothing of it has left the machine yet.

    Attributes:
        weights: all tensors of the model, same names, shapes and dtypes as before.
        num_samples: rows used.
        metrics_before: name → value of the given weights over the same rows; finite.
        metrics: name → value of the new weights over the training rows; finite.
        epochs: passes over the data (0 for statistics).
        seed: of the order of the rows; None for statistics.
        norm: length of the difference to the given weights, before it was clipped.
        n_clipped: column → values outside the recipe's plausible range.
    """

    weights: dict[str, npt.NDArray[Any]]
    num_samples: int
    metrics_before: dict[str, float]
    metrics: dict[str, float]
    epochs: int
    seed: int | None
    norm: float
    n_clipped: Mapping[str, int]


def tensor_shapes(recipe: TrainingRecipe) -> dict[str, tuple[int, ...]]:
    """Name → shape of the tensors of a recipe's built-in model (all F32)."""
    n = len(recipe.columns)
    shapes: dict[str, tuple[int, ...]] = {WEIGHT: (n,), BIAS: (1,)}
    if recipe.statistics:
        names = (STATISTICS_PRESENT, STATISTICS_MEAN, STATISTICS_MEAN_SQUARE)
        shapes |= dict.fromkeys(names, (n,))
    return shapes


def initial_weights(recipe: TrainingRecipe) -> dict[str, npt.NDArray[np.float32]]:
    """The model before any round: zeros."""
    return {
        name: np.zeros(shape, dtype=np.float32)
        for name, shape in tensor_shapes(recipe).items()
    }


def check_weights(recipe: TrainingRecipe, weights: Weights) -> None:
    """Refuses weights that are not of the recipe's model.

    Raises:
        TensorMismatch: a tensor is missing, unknown, or of another shape or dtype.
    """
    expected = tensor_shapes(recipe)
    for name in sorted(set(expected) | set(weights)):
        if name not in expected:
            raise TensorMismatch(name, "no such tensor", _described(weights[name]))
        wanted = f"float32 {list(expected[name])}"
        if name not in weights:
            raise TensorMismatch(name, wanted, "nothing")
        tensor = weights[name]
        if tensor.shape != expected[name] or tensor.dtype != np.float32:
            raise TensorMismatch(name, wanted, _described(tensor))


def _described(tensor: npt.NDArray[Any]) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def statistics_of(recipe: TrainingRecipe, weights: Weights) -> dict[str, Array] | None:
    """The shared statistics in a model's weights, or None where it has none."""
    if not recipe.statistics:
        return None
    names = (STATISTICS_PRESENT, STATISTICS_MEAN, STATISTICS_MEAN_SQUARE)
    return {name: weights[name].astype(np.float64) for name in names}


def evaluate(
    recipe: TrainingRecipe, weights: Weights, table: Table
) -> dict[str, float]:
    """AUC, accuracy and log-loss of a model on a table; AUC left out for one class."""
    x = normalise(table.x, recipe.columns, statistics_of(recipe, weights))
    p = probability(
        x, weights[WEIGHT].astype(np.float64), weights[BIAS].astype(np.float64)
    )
    values = {
        "auc": measure.auc(table.y, p),
        "accuracy": measure.accuracy(table.y, p),
        "log_loss": measure.log_loss(table.y, p),
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}


def train(
    recipe: TrainingRecipe,
    weights: Weights,
    data: Path | Table,
    *,
    round_kind: RoundKind,
    column_map: ColumnMap | None = None,
    seed: int | None = None,
    norm_bound: float = math.inf,
    allow_one_class: bool = False,
    label: object = None,
    correction: Correction | None = None,
    progress: Progress = NO_PROGRESS,
) -> TrainResult:
    """Runs the recipe's built-in model on a file, or on rows that were read already.

    What comes out is at most `norm_bound` away from the given weights: the metrics are
    those of the update that can be pushed.

    A site whose rows are all of one class learns only to say that class; among other
    sites its update can still help, so `allow_one_class` lets it take part.
    Rows that were read already are called by their `label` in messages.
    With SCAFFOLD's `correction` the policy's rate stands for the learning rate.

    Raises:
        DataError: the file cannot be used; OneClass where it has one class only.
        TensorMismatch: the weights are not of this recipe.
        NotTrainable: the recipe has no built-in model.
        UsageError: the recipe has no statistics to collect.
    """
    if recipe.model != LOGISTIC_REGRESSION:
        raise NotTrainable("the recipe names no built-in model")
    check_weights(recipe, weights)
    table = (
        data
        if isinstance(data, Table)
        else load_table(data, recipe.columns, recipe.target, column_map)
    )
    if round_kind is RoundKind.STATISTICS:
        return _collect(recipe, weights, table, norm_bound)
    classes = np.unique(table.y)
    if classes.size == 1 and not allow_one_class:
        raise OneClass(
            f"{label or data}: all {table.y.size} rows have target {classes[0]}; "
            f"training needs both classes"
        )
    return _fit(
        recipe,
        weights,
        table,
        seed=recipe.seed if seed is None else seed,
        norm_bound=norm_bound,
        correction=correction,
        progress=progress,
    )


def _collect(
    recipe: TrainingRecipe, weights: Weights, table: Table, norm_bound: float
) -> TrainResult:
    if not recipe.statistics:
        raise UsageError("the recipe collects no statistics")
    local = local_statistics(table.x, recipe.columns, recipe.statistics_min_rows)
    new, norm = _clipped(weights, local, norm_bound)
    return TrainResult(
        weights=new,
        num_samples=table.y.size,
        metrics_before={},
        metrics={},
        epochs=0,
        seed=None,
        norm=norm,
        n_clipped=table.n_clipped,
    )


def _fit(
    recipe: TrainingRecipe,
    weights: Weights,
    table: Table,
    *,
    seed: int,
    norm_bound: float,
    correction: Correction | None,
    progress: Progress,
) -> TrainResult:
    learning_rate, corrected = recipe.learning_rate, None
    if correction is not None:
        steps = n_steps(table.y.size, recipe.epochs, recipe.batch_size)
        learning_rate = correction.step_size(steps)
        corrected = correction.of(WEIGHT), correction.of(BIAS)
    # Steps that are too large run off to infinity; whoever writes the weights refuses
    # them, and NumPy's warnings would only say so for each step.
    with np.errstate(over="ignore", invalid="ignore"):
        fitted = fit(
            normalise(table.x, recipe.columns, statistics_of(recipe, weights)),
            table.y,
            weights[WEIGHT].astype(np.float64),
            weights[BIAS].astype(np.float64),
            epochs=recipe.epochs,
            learning_rate=learning_rate,
            batch_size=recipe.batch_size,
            l2=recipe.l2,
            seed=seed,
            correction=corrected,
            progress=progress,
        )
        changed = {WEIGHT: fitted.weight, BIAS: fitted.bias}
        new, norm = _clipped(weights, changed, norm_bound)
        before = evaluate(recipe, weights, table)
        after = evaluate(recipe, new, table)
    return TrainResult(
        weights=new,
        num_samples=table.y.size,
        metrics_before=before,
        metrics=after,
        epochs=recipe.epochs,
        seed=seed,
        norm=norm,
        n_clipped=table.n_clipped,
    )


def _clipped(
    weights: Weights, changed: Mapping[str, Array], norm_bound: float
) -> tuple[dict[str, npt.NDArray[Any]], float]:
    """All weights with the changed ones, not farther than the bound; and how far.

    Just inside of the bound, so that rounding to float32 does not lead out of it.
    """
    base = {name: weights[name].astype(np.float64) for name in changed}
    norm = math.sqrt(
        sum(float(np.square(changed[name] - base[name]).sum()) for name in changed)
    )
    factor = norm_bound * (1 - 2.0**-20) / norm if norm > norm_bound else 1.0
    new: dict[str, npt.NDArray[Any]] = {
        name: tensor.copy() for name, tensor in weights.items()
    }
    for name, values in changed.items():
        moved = values if factor == 1.0 else base[name] + factor * (values - base[name])
        new[name] = moved.astype(np.float32)
    return new, norm
