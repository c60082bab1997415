"""A contributor's table: CSV or Parquet, mapped to the recipe's columns.

The data stays here: nothing in this module writes or sends anything.
"""

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from flair_client.errors import DataError, DataUnreadable
from flair_client.toml_text import TomlInvalid, parse_toml
from flair_client.training.recipe import Column

DEFAULT_MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
MAX_CELL_CHARACTERS = 1000
# 100 million cells are 0.8 GB as float64; larger tables need a loader of their own.
MAX_CELLS = 100_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where a recipe's column is found in a file.

    Attributes:
        column: the file's own name for it.
        equals: with it, the value is 1 where the cell is this text and 0 elsewhere.
        values: text → number, for cells that are words.
    """

    column: str
    equals: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """How a file's columns give the recipe's.

    Attributes:
        sources: recipe's name → source; unlisted names stand for themselves.
        missing: cells that mean "not measured".
    """

    sources: Mapping[str, Source] = field(default_factory=dict)
    missing: tuple[str, ...] = DEFAULT_MISSING

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a map: `missing = [...]` and `[columns.NAME] column, equals, values`.

        Raises:
            DataUnreadable: it is not there.
            DataError: not such a file.
        """
        try:
            tables = parse_toml(path.read_bytes())
        except OSError as exc:
            raise DataUnreadable(
                f"column map {path} cannot be read: {exc.strerror or exc}"
            ) from exc
        except TomlInvalid as exc:
            raise DataError(f"column map {path} cannot be read: {exc}") from exc
        missing = tables.pop("missing", list(DEFAULT_MISSING))
        columns = tables.pop("columns", {})
        if tables or not isinstance(columns, dict) or not isinstance(missing, list):
            raise DataError(
                f"column map {path} holds more than 'missing' and 'columns'"
            )
        sources = {name: _source(path, name, entry) for name, entry in columns.items()}
        return cls(sources, tuple(str(item) for item in missing))

    def with_columns(self, columns: Mapping[str, str]) -> "ColumnMap":
        """The same map, but that some columns come from others of the file.

        Args:
            columns: recipe's name → the file's.
        """
        changed = {
            name: replace(self.source(name), column=column)
            for name, column in columns.items()
        }
        return ColumnMap({**self.sources, **changed}, self.missing)

    def source(self, name: str) -> Source:
        """The source of a recipe's column."""
        return self.sources.get(name) or Source(name)


def _source(path: Path, name: str, entry: Any) -> Source:
    if isinstance(entry, str):
        return Source(entry)
    if not isinstance(entry, dict):
        raise DataError(f"column map {path}: {name!r} is neither a text nor a table")
    unknown = set(entry) - {"column", "equals", "values"}
    values = entry.get("values", {})
    if unknown or not isinstance(values, dict):
        raise DataError(f"column map {path}: {name!r} has unknown fields")
    equals = entry.get("equals")
    try:
        numbers = {str(text): float(number) for text, number in values.items()}
    except (TypeError, ValueError) as exc:
        raise DataError(
            f"column map {path}: values of {name!r} are no numbers"
        ) from exc
    return Source(
        str(entry.get("column", name)), None if equals is None else str(equals), numbers
    )


@dataclass(frozen=True, slots=True)
class Table:
    """Rows ready for training.

    Attributes:
        x: inputs in the columns' own units, clipped to their ranges; NaN where not
            measured. Shape [rows, columns], float64.
        y: target, 0 or 1. Shape [rows], int8; float64 where any number will do.
        n_clipped: column → number of values outside the plausible range.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[Any]
    n_clipped: Mapping[str, int]


def load_table(
    path: Path,
    columns: Sequence[Column],
    target: str,
    column_map: ColumnMap | None = None,
    *,
    any_target: bool = False,
) -> Table:
    """Reads a CSV (header line, UTF-8) or Parquet file.

    Args:
        path: the file.
        columns: inputs, in this order.
        target: the column that is predicted.
        column_map: how the file's columns give these.
        any_target: whether the target may be another number than 0 and 1.

    Raises:
        DataError: file, column or cell cannot be used; names it.
    """
    column_map = column_map or ColumnMap()
    sources = [column_map.source(column.name) for column in columns]
    target_source = column_map.source(target)
    wanted = [*sources, target_source]
    if path.suffix.lower() in (".parquet", ".pq"):
        cells = _parquet_rows(path, wanted)
    else:
        cells = _csv_rows(path, wanted)
    missing = frozenset(column_map.missing)
    rows: list[list[float]] = []
    for number, row in cells:
        values = [
            _number(cell, source, missing, path, number)
            for cell, source in zip(row, wanted, strict=True)
        ]
        if math.isnan(values[-1]) or not (any_target or values[-1] in (0.0, 1.0)):
            what = "no number" if any_target else "neither 0 nor 1"
            raise DataError(
                f"{path}, row {number}: target {target_source.column!r} is "
                f"{row[-1]!r}, {what}"
            )
        rows.append(values)
        if len(rows) * len(wanted) > MAX_CELLS:
            raise DataError(f"{path} has more than {MAX_CELLS} cells")
    if not rows:
        raise DataError(f"{path} has no rows")
    array = np.array(rows, dtype=np.float64)
    y = array[:, -1] if any_target else array[:, -1].astype(np.int8)
    return clipped_table(array[:, :-1], y, columns)


def clipped_table(
    x: npt.NDArray[np.float64], y: npt.NDArray[Any], columns: Sequence[Column]
) -> Table:
    """Clips inputs to the columns' plausible ranges and counts what was outside."""
    low = np.array([column.min for column in columns])
    high = np.array([column.max for column in columns])
    with np.errstate(invalid="ignore"):
        outside = ((x < low) | (x > high)).sum(axis=0)
    counts = {
        column.name: int(n) for column, n in zip(columns, outside, strict=True) if n
    }
    return Table(np.clip(x, low, high), y, counts)


def _csv_rows(path: Path, wanted: Sequence[Source]) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if header is None:
                raise DataError(f"{path} is empty")
            places = [_place(path, header, source.column) for source in wanted]
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, row {reader.line_num}: {len(row)} cells under "
                        f"{len(header)} column names"
                    )
                yield reader.line_num, [row[place].strip() for place in places]
    except OSError as exc:
        raise DataUnreadable(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{path} is not a CSV file in UTF-8: {exc}") from exc


def _parquet_rows(
    path: Path, wanted: Sequence[Source]
) -> Iterator[tuple[int, list[str]]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise DataError(
            f"{path} is a Parquet file, and pyarrow is not installed"
        ) from exc
    try:
        file = pq.ParquetFile(path)
        names = list(file.schema_arrow.names)
        for source in wanted:
            _place(path, names, source.column)
        number = 0
        needed = sorted({source.column for source in wanted})
        for batch in file.iter_batches(columns=needed, batch_size=8192):
            series = {name: batch.column(name).to_pylist() for name in needed}
            for index in range(batch.num_rows):
                number += 1
                yield number, [_text(series[s.column][index]) for s in wanted]
    except OSError as exc:
        # Arrow's own sentence is long and names files of its sources.
        reason = os.strerror(exc.errno) if exc.errno else exc
        raise DataUnreadable(f"{path} cannot be read: {reason}") from exc
    except pa.ArrowException as exc:
        raise DataError(f"{path} is not a Parquet file: {exc}") from exc


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value) if isinstance(value, float) else str(value)


def _place(path: Path, names: Sequence[str], name: str) -> int:
    stripped = [item.strip() for item in names]
    found = stripped.count(name)
    if found == 0:
        shown = ", ".join(repr(item) for item in stripped[:12])
        raise DataError(f"{path} has no column {name!r}; it has {shown}")
    if found > 1:
        raise DataError(f"{path} has {found} columns named {name!r}")
    return stripped.index(name)


def _number(
    cell: str, source: Source, missing: frozenset[str], path: Path, row: int
) -> float:
    if cell in missing:
        return math.nan
    if source.equals is not None:
        return 1.0 if cell == source.equals else 0.0
    if cell in source.values:
        return source.values[cell]
    try:
        value = float(cell) if len(cell) <= MAX_CELL_CHARACTERS else math.inf
    except ValueError as exc:
        raise DataError(
            f"{path}, row {row}: {cell[:40]!r} in column {source.column!r} is not a "
            f"number"
        ) from exc
    if not math.isfinite(value):
        raise DataError(
            f"{path}, row {row}: {cell[:40]!r} in column {source.column!r} is not a "
            f"finite number"
        )
    return value
