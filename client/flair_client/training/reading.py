"""Rows for a recipe's code from a file, checked against what the recipe declares."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flair_client.errors import DataError
from flair_client.training.data import ColumnMap, Source, load_table
from flair_client.training.doors import Array, TrainData
from flair_client.training.recipe import Input, TrainingRecipe


def read_file(
    path: Path, recipe: TrainingRecipe, column_map: ColumnMap | None = None
) -> TrainData:
    """Reads CSV or Parquet for declared columns, `.npz` for declared arrays.

    Raises:
        DataError: file, column, array or cell cannot be used; names it.
    """
    if path.suffix.lower() == ".npz":
        return TrainData(checked_arrays(read_npz(path), recipe, path), recipe.target)
    if not recipe.columns:
        raise DataError(f"{path} is a table, and the recipe declares no columns")
    table = load_table(path, recipe.columns, recipe.target, column_map, any_target=True)
    names = tuple(column.name for column in recipe.columns)
    arrays: dict[str, Array] = {
        name: table.x[:, n].copy() for n, name in enumerate(names)
    }
    arrays[recipe.target] = table.y
    limits = {column.name: (column.min, column.max) for column in recipe.columns}
    return TrainData(arrays, recipe.target, names, limits)


def read_plain(plain: Mapping[str, Any], recipe: TrainingRecipe) -> TrainData:
    """Reads what `plain_source` describes.

    Raises:
        DataError: as `read_file`.
    """
    return read_file(Path(plain["path"]), recipe, map_from_plain(plain.get("map")))


def plain_source(path: Path, column_map: ColumnMap | None) -> dict[str, Any]:
    """A file and its map as JSON holds them."""
    plain: dict[str, Any] = {"path": str(path.absolute())}
    if column_map is not None:
        plain["map"] = {
            "missing": list(column_map.missing),
            "sources": {
                name: [one.column, one.equals, dict(one.values)]
                for name, one in column_map.sources.items()
            },
        }
    return plain


def map_from_plain(plain: Mapping[str, Any] | None) -> ColumnMap | None:
    """The map that `plain_source` wrote."""
    if plain is None:
        return None
    sources = {name: Source(*fields) for name, fields in plain["sources"].items()}
    return ColumnMap(sources, tuple(plain["missing"]))


def read_npz(path: Path) -> dict[str, Array]:
    """Reads the arrays of an `.npz` file; nothing in it is unpickled.

    Raises:
        DataError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as exc:
        raise DataError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError) as exc:
        raise DataError(f"{path} is no .npz file of plain arrays: {exc}") from exc


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
    _check_rows({name: len(value) for name, value in found.items()}, where)
    return found


def _check_rows(counts: Mapping[str, int], where: object) -> None:
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
        row = int(np.argwhere(~np.isfinite(value))[0][0])
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
