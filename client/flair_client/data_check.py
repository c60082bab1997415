"""Whether a data source fits a recipe: every row is read as training would read it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flair_client.data_sources import DataSource
from flair_client.training.doors import Array
from flair_client.training.reading import (
    data_of_table,
    read_plain,
    read_plain_table,
)
from flair_client.training.recipe import LOGISTIC_REGRESSION, TrainingRecipe


@dataclass(frozen=True, slots=True)
class CheckedArray:
    """One array, or column, of a source that fits a recipe.

    Attributes:
        shape: rows first.
        low, high: smallest and largest value; None where there is no number.
        n_missing: values that were not measured.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    n_missing: int


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """A source whose every row fits a recipe.

    Attributes:
        n_clipped: column → values outside the plausible range.
    """

    num_rows: int
    arrays: tuple[CheckedArray, ...]
    n_clipped: Mapping[str, int]


def check_source(source: DataSource, recipe: TrainingRecipe) -> CheckedSource:
    """Reads a whole source as training would; a loader is called.

    Raises:
        DataError: a row does not fit the recipe; names file, row and column.
    """
    plain = source.absolute().plain()
    if recipe.model == LOGISTIC_REGRESSION:
        data = data_of_table(read_plain_table(plain, recipe), recipe)
    else:
        data = read_plain(plain, recipe)
    arrays = tuple(_checked(name, value) for name, value in data.arrays.items())
    return CheckedSource(len(data), arrays, data.n_clipped)


def _checked(name: str, value: Array) -> CheckedArray:
    missing = np.isnan(value) if value.dtype.kind == "f" else np.zeros(1, dtype=bool)
    known = value[~missing] if missing.any() else value
    has_numbers = known.size > 0 and known.dtype.kind in "biuf"
    return CheckedArray(
        name,
        value.dtype.name,
        value.shape,
        float(known.min()) if has_numbers else None,
        float(known.max()) if has_numbers else None,
        int(missing.sum()),
    )
