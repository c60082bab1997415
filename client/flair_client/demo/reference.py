"""What the federated model is compared with: one hospital alone, all rows together.

Both see the same rows, the same recipe and as many passes over the data as the
federated model; only the sharing differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flair_client.training.data import load_table
from flair_client.training.recipe import TrainingRecipe
from flair_client.training.run import RoundKind, evaluate, initial_weights, train


@dataclass(frozen=True, slots=True)
class Score:
    """A model on the pooled test rows.

    Attributes:
        auc, accuracy: 0…1.
        log_loss: nats per row.
    """

    auc: float
    accuracy: float
    log_loss: float


def score(
    recipe: TrainingRecipe, weights: Mapping[str, npt.NDArray[Any]], test: Path
) -> Score:
    """Scores a model on a file."""
    measured = evaluate(
        recipe, weights, load_table(test, recipe.columns, recipe.target)
    )
    return Score(measured["auc"], measured["accuracy"], measured["log_loss"])


def train_alone(
    recipe: TrainingRecipe, data: Path, n_rounds: int
) -> dict[str, npt.NDArray[Any]]:
    """The model of one file: its own statistics, then `n_rounds` times the recipe."""
    weights: dict[str, npt.NDArray[Any]] = dict(initial_weights(recipe))
    kinds = [RoundKind.TRAINING] * n_rounds
    if recipe.statistics:
        kinds.insert(0, RoundKind.STATISTICS)
    for seed, kind in enumerate(kinds):
        weights = train(
            recipe, weights, data, round_kind=kind, seed=seed, allow_one_class=True
        ).weights
    return weights


def mean_score(scores: Sequence[Score]) -> Score:
    """The plain mean over models."""
    return Score(
        auc=float(np.mean([score.auc for score in scores])),
        accuracy=float(np.mean([score.accuracy for score in scores])),
        log_loss=float(np.mean([score.log_loss for score in scores])),
    )
