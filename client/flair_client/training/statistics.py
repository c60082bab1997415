"""Means and deviations that sites share once, and the scaling made from them.

Each site gives, per column, over all its rows: the share `p` of rows where the column
was measured, and the sums over those rows of `u` and `u²` divided by the number of all
rows, with `u = (x - min) / (max - min)` in 0…1. These three are plain averages over
rows, so the weighted average over sites is the statistic of the pooled table.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from flair_client.errors import DataError
from flair_client.training.recipe import (
    STATISTICS_MEAN,
    STATISTICS_MEAN_SQUARE,
    STATISTICS_PRESENT,
    Column,
)

Array: TypeAlias = npt.NDArray[np.float64]

# A deviation below this share of the plausible range is quantisation noise.
MIN_DEVIATION = 1e-3


def unit_scale(x: Array, columns: Sequence[Column]) -> Array:
    """Scales columns from their plausible range to 0…1. Shape [rows, columns]."""
    low = np.array([column.min for column in columns])
    high = np.array([column.max for column in columns])
    scaled: Array = (x - low) / (high - low)
    return scaled


def local_statistics(
    x: Array, columns: Sequence[Column], min_rows: int
) -> dict[str, Array]:
    """The three averages of one site, each of shape [columns].

    Raises:
        DataError: fewer rows than the recipe asks for.
    """
    n_rows = x.shape[0]
    if n_rows < min_rows:
        raise DataError(
            f"{n_rows} rows are too few to share statistics; the recipe asks for "
            f"{min_rows}"
        )
    scaled = unit_scale(x, columns)
    measured = ~np.isnan(scaled)
    values = np.where(measured, scaled, 0.0)
    return {
        STATISTICS_PRESENT: measured.mean(axis=0),
        STATISTICS_MEAN: values.mean(axis=0),
        STATISTICS_MEAN_SQUARE: np.square(values).mean(axis=0),
    }


def normalise(
    x: Array, columns: Sequence[Column], statistics: Mapping[str, Array] | None
) -> Array:
    """Inputs of mean 0 and deviation 1 over all sites; 0 where not measured.

    Without statistics, or for a column that no site measured, the plausible range is
    scaled to -1…1 instead.
    """
    scaled = unit_scale(x, columns)
    result = 2.0 * scaled - 1.0
    if statistics is not None:
        present = np.asarray(statistics[STATISTICS_PRESENT], dtype=np.float64)
        known = present > 0.0
        share = np.where(known, present, 1.0)
        mean = statistics[STATISTICS_MEAN] / share
        variance = statistics[STATISTICS_MEAN_SQUARE] / share - np.square(mean)
        deviation = np.sqrt(np.maximum(variance, MIN_DEVIATION**2))
        result = np.where(known, (scaled - mean) / deviation, result)
    return np.where(np.isnan(result), 0.0, result)
