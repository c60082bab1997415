"""Rows for training from a data source, checked against what the recipe declares."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flair_client.errors import DataError
from flair_client.training.data import (
    ColumnMap,
    Source,
    Table,
    clipped_table,
    load_table,
)
from flair_client.training.doors import Array, TrainData
from flair_client.training.loading import load_arrays
from flair_client.training.npz_rows import read_npz
from flair_client.training.recipe import Input, TrainingRecipe


def read_file(
    path: Path, recipe: TrainingRecipe, column_map: ColumnMap | None = None
) -> TrainData:
    """Reads CSV or Parquet for declared columns, `.npz` for declared arrays.

    Raises:
        DataError: file, column, array or cell cannot be used; names it.
    """
    if path.suffix.lower() == ".npz":
        return data_of_arrays(read_npz(path), recipe, path)
    if not recipe.columns:
        raise DataError(f"{path} is a table, and the recipe declares no columns")
    table = load_table(path, recipe.columns, recipe.target, column_map, any_target=True)
    return data_of_table(table, recipe)


def data_of_table(table: Table, recipe: TrainingRecipe) -> TrainData:
    """A table as a recipe's code is handed it."""
    names = tuple(column.name for column in recipe.columns)
    arrays: dict[str, Array] = {
        name: table.x[:, n].copy() for n, name in enumerate(names)
    }
    arrays[recipe.target] = table.y
    limits = {column.name: (column.min, column.max) for column in recipe.columns}
    return TrainData(arrays, recipe.target, names, limits, table.n_clipped)


def read_plain(
    plain: Mapping[str, Any], recipe: TrainingRecipe, *, is_statistics: bool = False
) -> TrainData:
    """Reads what `DataSource.plain` describes.

    Args:
        plain: the source; a loader's function is imported and called.
        recipe: what it must be.
        is_statistics: whether statistics of the rows are shared: few rows are refused.

    Raises:
        DataError: as `read_file`; or the loader failed, or gave something else.
    """
    path = Path(plain["path"])
    if plain.get("function"):
        name = str(plain.get("name") or path)
        arrays = load_arrays(
            path, str(plain["function"]), plain["arguments"], names_of(recipe), name
        )
        data = data_of_arrays(arrays, recipe, f"data source {name!r}")
    else:
        data = read_file(path, recipe, map_from_plain(plain.get("map")))
    if is_statistics and len(data) < recipe.statistics_min_rows:
        raise DataError(
            f"{len(data)} rows are too few to share statistics; the recipe asks for "
            f"{recipe.statistics_min_rows}"
        )
    return data


def read_plain_table(plain: Mapping[str, Any], recipe: TrainingRecipe) -> Table:
    """Reads what `DataSource.plain` describes; the target must be 0 or 1.

    Raises:
        DataError: as `read_plain`.
    """
    path = Path(plain["path"])
    where: object = path
    if plain.get("function"):
        name = str(plain.get("name") or path)
        where = f"data source {name!r}"
        arrays = load_arrays(
            path, str(plain["function"]), plain["arguments"], names_of(recipe), name
        )
    elif path.suffix.lower() == ".npz":
        arrays = read_npz(path)
    else:
        column_map = map_from_plain(plain.get("map"))
        return load_table(path, recipe.columns, recipe.target, column_map)
    return table_of_arrays(arrays, recipe, where, any_target=False)


def names_of(recipe: TrainingRecipe) -> tuple[str, ...]:
    """What rows are made of, in the order in which a loader may give them."""
    if recipe.columns:
        return (*(column.name for column in recipe.columns), recipe.target)
    return tuple(one.name for one in recipe.inputs)


def data_of_arrays(
    arrays: Mapping[str, Array], recipe: TrainingRecipe, where: object
) -> TrainData:
    """Checks arrays by name: the recipe's columns one by one, or its inputs.

    Raises:
        DataError: as `checked_arrays`, or a column or target is no number.
    """
    if not recipe.columns:
        return TrainData(checked_arrays(arrays, recipe, where), recipe.target)
    return data_of_table(table_of_arrays(arrays, recipe, where), recipe)


def table_of_arrays(
    arrays: Mapping[str, Array],
    recipe: TrainingRecipe,
    where: object,
    *,
    any_target: bool = True,
) -> Table:
    """The recipe's columns from arrays of one number a row; NaN is not measured.

    Raises:
        DataError: one is missing, no number or not finite; names it and the row.
    """
    columns = []
    for name in names_of(recipe):
        if name not in arrays:
            shown = ", ".join(repr(one) for one in list(arrays)[:12])
            raise DataError(f"{where} has no column {name!r}; it has {shown}")
        value = np.asarray(arrays[name])
        if value.ndim != 1 or value.dtype.kind not in "biuf":
            raise DataError(
                f"{where}: column {name!r} is {value.dtype} {list(value.shape)}, not "
                "one number a row"
            )
        columns.append(value.astype(np.float64))
    check_rows(
        {n: len(v) for n, v in zip(names_of(recipe), columns, strict=True)}, where
    )
    x = np.stack(columns[:-1], axis=1)
    _check_column_values(x, columns[-1], recipe, where, any_target=any_target)
    y = columns[-1] if any_target else columns[-1].astype(np.int8)
    return clipped_table(x, y, recipe.columns)


def _check_column_values(
    x: Array, y: Array, recipe: TrainingRecipe, where: object, *, any_target: bool
) -> None:
    if np.isinf(x).any():
        row, column = (int(n) for n in np.argwhere(np.isinf(x))[0])
        name = recipe.columns[column].name
        raise DataError(f"{where}: column {name!r} is not finite in row {row + 1}")
    good = np.isfinite(y) if any_target else (y == 0) | (y == 1)
    if not good.all():
        row = int(np.argmin(good))
        what = "no number" if any_target else "neither 0 nor 1"
        raise DataError(
            f"{where}, row {row + 1}: target {recipe.target!r} is {y[row]:g}, {what}"
        )


def plain_source(path: Path, column_map: ColumnMap | None) -> dict[str, Any]:
    """A file and its map as JSON holds them."""
    return {"path": str(path.absolute()), "map": map_to_plain(column_map)}


def map_to_plain(column_map: ColumnMap | None) -> dict[str, Any] | None:
    """A map as JSON and TOML hold it."""
    if column_map is None:
        return None
    columns = {}
    for name, one in column_map.sources.items():
        columns[name] = {"column": one.column, "values": dict(one.values)}
        if one.equals is not None:
            columns[name]["equals"] = one.equals
    return {"missing": list(column_map.missing), "columns": columns}


def map_from_plain(plain: Mapping[str, Any] | None) -> ColumnMap | None:
    """The map that `map_to_plain` wrote."""
    if plain is None:
        return None
    sources = {
        name: Source(
            str(one["column"]),
            one.get("equals"),
            {word: float(number) for word, number in one["values"].items()},
        )
        for name, one in plain["columns"].items()
    }
    return ColumnMap(sources, tuple(str(one) for one in plain["missing"]))


def checked_arrays(
    arrays: Mapping[str, npt.ArrayLike], recipe: TrainingRecipe, where: object
) -> dict[str, Array]:
    """The arrays that a recipe declares, in its dtypes; others are left out.

    Without declared inputs all are taken as they are.

    Raises:
        DataError: one is missing, of another dtype or shape, outside its range, not
            finite, or of another number of rows; names it.
    """
    given = {name: np.asarray(value) for name, value in arrays.items()}
    declared = recipe.inputs or tuple(
        Input(name, value.dtype.name, (-1, *value.shape[1:]))
        for name, value in given.items()
        if value.ndim
    )
    found: dict[str, Array] = {}
    for one in declared:
        if one.name not in given:
            shown = ", ".join(repr(name) for name in list(given)[:12])
            raise DataError(f"{where} has no array {one.name!r}; it has {shown}")
        found[one.name] = _checked(given[one.name], one, where)
    check_rows({name: len(value) for name, value in found.items()}, where)
    return found


def check_rows(counts: Mapping[str, int], where: object) -> None:
    """Checks that arrays belong together.

    Args:
        counts: name → rows.
        where: for the message.

    Raises:
        DataError: there are no rows, or not the same number everywhere.
    """
    if not counts or not min(counts.values()):
        raise DataError(f"{where} has no rows")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise DataError(f"{where}: arrays have different numbers of rows: {told}")


def _checked(value: Array, declared: Input, where: object) -> Array:
    name = declared.name
    if value.ndim != len(declared.shape) or any(
        size not in (-1, has)
        for size, has in zip(declared.shape, value.shape, strict=True)
    ):
        raise DataError(
            f"{where}: array {name!r} has shape {list(value.shape)}, the recipe "
            f"declares {list(declared.shape)}"
        )
    wanted = np.dtype(declared.dtype)
    if not np.can_cast(value.dtype, wanted, casting="same_kind"):
        raise DataError(
            f"{where}: array {name!r} is {value.dtype}, the recipe declares {wanted}"
        )
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        row = int(np.argwhere(~np.isfinite(value))[0][0]) + 1
        raise DataError(f"{where}: array {name!r} is not finite in row {row}")
    _check_range(value, declared, where)
    return value.astype(wanted, copy=False)


def _check_range(value: Array, declared: Input, where: object) -> None:
    low, high = declared.min, declared.max
    if not value.size or (low is None and high is None):
        return
    smallest, largest = float(value.min()), float(value.max())
    if (low is not None and smallest < low) or (high is not None and largest > high):
        raise DataError(
            f"{where}: array {declared.name!r} has values from {smallest:g} to "
            f"{largest:g}, the recipe declares {low} to {high}"
        )
