"""Makes a workspace for a new model: recipe, card and first weights."""

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.config_file import write_text
from flair_client.errors import (
    DataError,
    DataUnreadable,
    TensorMismatch,
    UsageError,
)
from flair_client.objects import DType
from flair_client.porcelain.checkout import code_files
from flair_client.training.recipe import (
    DEFAULT_ROLES,
    LOGISTIC_REGRESSION,
    Column,
    TrainingRecipe,
    parse_recipe,
    recipe_text,
)
from flair_client.training.run import initial_weights, tensor_shapes
from flair_client.weights import read_safetensors, save_weights
from flair_client.weights.proposals import RoleProposal
from flair_client.workspace import (
    CARD_FILE,
    RECIPE_FILE,
    WEIGHTS_FILE,
    Workspace,
    make_workspace,
)

_MAX_ROWS_LOOKED_AT: Final = 100_000
_METRICS: Final = ("auc", "accuracy", "log_loss")
CARD: Final = """# Model card

What the model is for, on whose data it is trained, what it must not be used for.

## Intended use

## Data

## Limits
"""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file of the folder that everybody can read once the model is published."""

    name: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class InitResult:
    """A workspace.

    Attributes:
        created: files that this run made; those that were there are not in it.
        guessed_ranges: whether the recipe's plausible ranges are still those that were
            taken from a file, and want a look before anything is published.
        tensors: what happens to each tensor in a round; empty for a built-in model.
        published: what of the folder `flair repo create` publishes; nothing else of it.
        imported: the user's own module that was imported; None where none was.
        code_left_out: why the recipe has no code for a network of the user's own; None
            where it has, or where there is none.
    """

    folder: str
    created: tuple[str, ...]
    n_columns: int
    guessed_ranges: bool
    tensors: tuple[RoleProposal, ...] = ()
    published: tuple[PublishedFile, ...] = ()
    imported: str | None = None
    code_left_out: str | None = None


def init(
    folder: Path,
    *,
    columns: Sequence[Column] = (),
    columns_from: Path | None = None,
    target: str = "target",
    statistics: bool = True,
    weights: Path | None = None,
) -> InitResult:
    """Makes a workspace; what is there already stays as it is.

    Args:
        folder: made when it is not there.
        columns: inputs of a logistic regression; none for weights of another kind.
        columns_from: a CSV file to take the columns from instead.
        target: the column that is 0 or 1.
        statistics: whether round 0 collects means and deviations.
        weights: a safetensors file to begin with, instead of zeros.

    Raises:
        UsageError: neither columns nor weights are given for a new workspace.
        DataError: the CSV file gives no columns.
        ObjectInvalid: the weights are no valid safetensors file.
        TensorMismatch: the weights are not those of a model with these columns.
    """
    workspace = Workspace(folder.absolute())
    if columns_from is not None:
        columns = columns_from_csv(columns_from, target)
    is_new = not workspace.recipe_path.exists()
    if is_new and not columns and weights is None:
        raise UsageError("a new model needs columns, or a file of weights")
    if weights is not None:
        _check_weights(weights, columns, statistics=statistics)
    workspace = make_workspace(folder)
    created = []
    with workspace.lock():
        if is_new:
            recipe = _recipe(columns, target, statistics=statistics)
            write_text(workspace.recipe_path, recipe_text(recipe))
            created.append(workspace.recipe_path.name)
        if not (workspace.folder / CARD_FILE).exists():
            write_text(workspace.folder / CARD_FILE, CARD)
            created.append(CARD_FILE)
        if not workspace.weights_path.exists():
            _write_weights(workspace, weights)
            created.append(workspace.weights_path.name)
        recipe = parse_recipe(workspace.recipe_path.read_bytes())
    return InitResult(
        str(workspace.folder),
        tuple(created),
        len(recipe.columns),
        guessed_ranges=columns_from is not None and recipe.columns == tuple(columns),
        published=published_files(workspace),
    )


def published_files(workspace: Workspace) -> tuple[PublishedFile, ...]:
    """What of a workspace's files is published, as far as it is there."""
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    names = (RECIPE_FILE, CARD_FILE, *code_files(recipe), WEIGHTS_FILE)
    paths = [workspace.folder / name for name in names]
    return tuple(
        PublishedFile(path.name, path.stat().st_size) for path in paths if path.exists()
    )


def columns_from_csv(path: Path, target: str) -> tuple[Column, ...]:
    """Every column of numbers in a file, but the target, with a range around them.

    The range is that of the values, half as much again on both sides. It is public with
    the recipe: the author of a recipe must look at it.

    Raises:
        DataUnreadable: the file is not there, or may not be read.
        DataError: it is no table, has no such target, or no other column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            names = list(rows.fieldnames or ())
            if target not in names:
                raise DataError(f"{path}: there is no column {target!r}")
            ranges = _ranges(rows, [name for name in names if name != target])
    except OSError as exc:
        raise DataUnreadable(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{path} is not a CSV file in UTF-8: {exc}") from exc
    if not ranges:
        raise DataError(f"{path}: there is no column of numbers besides {target!r}")
    return tuple(
        Column(name, *_widened(low, high)) for name, (low, high) in ranges.items()
    )


def _ranges(
    rows: "csv.DictReader[str]", names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    ranges: dict[str, tuple[float, float]] = {}
    dropped: set[str] = set()
    for count, row in enumerate(rows):
        if count >= _MAX_ROWS_LOOKED_AT:
            break
        for name in names:
            text = (row.get(name) or "").strip()
            if not text or text == "?" or name in dropped:
                continue
            try:
                value = float(text)
            except ValueError:
                dropped.add(name)
                continue
            if math.isfinite(value):
                low, high = ranges.get(name, (value, value))
                ranges[name] = (min(low, value), max(high, value))
    return {
        name: ranges[name] for name in names if name in ranges and name not in dropped
    }


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) / 2 or max(1.0, abs(low) / 2)
    floor = 0.0 if low >= 0 else low - margin
    return (min(floor, low), float(f"{high + margin:.3g}") if high else high + margin)


def _check_weights(path: Path, columns: Sequence[Column], *, statistics: bool) -> None:
    with read_safetensors(path) as file:
        spans = file.header.spans
    if not columns:
        return
    expected = tensor_shapes(_recipe(columns, "target", statistics=statistics))
    for name in sorted(expected.keys() | spans.keys()):
        wanted = f"F32 {list(expected[name])}" if name in expected else "no such tensor"
        got = "nothing"
        if name in spans:
            got = f"{spans[name].dtype} {list(spans[name].shape)}"
        if wanted != got:
            raise TensorMismatch(name, wanted, got)


def _recipe(
    columns: Sequence[Column], target: str, *, statistics: bool
) -> TrainingRecipe:
    return TrainingRecipe(
        model=LOGISTIC_REGRESSION if columns else "",
        columns=tuple(columns),
        target=target,
        statistics=statistics and bool(columns),
        statistics_min_rows=10,
        epochs=20,
        learning_rate=0.1,
        batch_size=32,
        l2=0.0,
        seed=0,
        roles=DEFAULT_ROLES,
        metrics=_METRICS,
        policy={},
    )


def _write_weights(workspace: Workspace, source: Path | None) -> None:
    path = workspace.weights_path
    if source is not None:
        copy_weights(source, path)
        return
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    save_weights(
        path,
        {name: (DType.F32, tensor) for name, tensor in initial_weights(recipe).items()},
    )


def copy_weights(source: Path, target: Path) -> None:
    """Copies a file byte for byte: whole and on the disk, or not at all."""
    temporary = target.with_name(f".{target.name}.new")
    try:
        with source.open("rb") as old, temporary.open("wb") as new:
            _copy(old.fileno(), new.fileno())
            os.fsync(new.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(source: int, target: int) -> None:
    left = os.fstat(source).st_size
    while left:
        n_copied = os.copy_file_range(source, target, left)
        if not n_copied:
            break
        left -= n_copied
