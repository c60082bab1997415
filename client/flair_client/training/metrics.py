"""Measures of a classifier with two classes."""

import numpy as np
import numpy.typing as npt

# Probabilities are kept this far from 0 and 1, as in scikit-learn for float64.
_EPSILON = float(np.finfo(np.float64).eps)


def auc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counted half.

    Returns:
        0…1, or NaN where only one class is present.
    """
    truth = np.asarray(y).astype(bool)
    values = np.asarray(score, dtype=np.float64)
    n_positive = int(truth.sum())
    n_negative = truth.size - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    # The mean rank of a group of equal scores.
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    rank_sum = float(ranks[truth].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def accuracy(y: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Share of rows where probability ≥ 0.5 says the class."""
    truth = np.asarray(y).astype(bool)
    return float(np.mean((np.asarray(probability) >= 0.5) == truth))


def log_loss(y: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean negative log-likelihood, in nats."""
    truth = np.asarray(y, dtype=np.float64)
    p = np.clip(np.asarray(probability, dtype=np.float64), _EPSILON, 1.0 - _EPSILON)
    return float(-np.mean(truth * np.log(p) + (1.0 - truth) * np.log1p(-p)))
