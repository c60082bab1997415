"""Logistic regression by mini-batch gradient descent, in NumPy."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from flair_client.progress import NO_PROGRESS, Progress

Array: TypeAlias = npt.NDArray[np.float64]


def n_steps(n_rows: int, epochs: int, batch_size: int) -> int:
    """How many steps `fit` makes."""
    return epochs * -(-n_rows // batch_size)


@dataclass(frozen=True, slots=True)
class FitResult:
    """Fitted weights.

    Attributes:
        weight: shape [columns].
        bias: shape [1].
        losses: mean log-loss before each epoch's steps, in nats.
    """

    weight: Array
    bias: Array
    losses: tuple[float, ...]


def probability(x: Array, weight: Array, bias: Array) -> Array:
    """P(y = 1) per row of `x`, shape [rows]. `1 / (1 + e^-z)` without overflow."""
    z = x @ weight + bias[0]
    positive: Array = np.exp(-np.logaddexp(0.0, -z))
    return positive


def fit(
    x: Array,
    y: npt.NDArray[np.int8],
    weight: Array,
    bias: Array,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    l2: float,
    seed: int,
    correction: tuple[Array, Array] | None = None,
    progress: Progress = NO_PROGRESS,
) -> FitResult:
    """Minimises mean log-loss + l2 / 2·‖weight‖².

    Args:
        x: inputs, shape [rows, columns], finite.
        y: 0 or 1, shape [rows].
        weight: where to start, shape [columns]; not changed.
        bias: where to start, shape [1]; not changed.
        epochs: passes over the data.
        learning_rate: step size, constant.
        batch_size: rows of a step; the last step of an epoch may have fewer.
        l2: strength of the penalty; the bias has none.
        seed: fixes the order of the rows.
        correction: added to every gradient of weight and bias, as SCAFFOLD does.
        progress: told of each epoch.
    """
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    order = np.random.Generator(np.random.PCG64(seed))
    losses = []
    to_weight, to_bias = correction or (np.zeros_like(weight), np.zeros_like(bias))
    with progress.task("training", epochs, "epochs") as task:
        for _ in range(epochs):
            z = x @ weight + bias[0]
            losses.append(float(np.mean(np.logaddexp(0.0, z) - y * z)))
            shuffled = order.permutation(x.shape[0])
            for start in range(0, x.shape[0], batch_size):
                rows = shuffled[start : start + batch_size]
                residual = probability(x[rows], weight, bias) - y[rows]
                gradient = x[rows].T @ residual / rows.size + l2 * weight
                weight = weight - learning_rate * (gradient + to_weight)
                bias = bias - learning_rate * (residual.mean() + to_bias)
            task.advance(1)
    return FitResult(weight, bias, tuple(losses))
