"""Measures the model at HEAD on the contributor's own data; nothing leaves the machine.

Each result is a line of `.flair/metrics.jsonl`. No other verb reads that file, and no
push ever sends it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from flair_client.context import Context
from flair_client.data_sources import DataSource, as_source
from flair_client.errors import IdentifierInvalid, WorkspaceError
from flair_client.ids import CommitId
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    recipe_at,
    training_recipe,
)
from flair_client.training.data import ColumnMap
from flair_client.training.reading import read_plain_table
from flair_client.training.recipe import LOGISTIC_REGRESSION
from flair_client.training.run import check_weights
from flair_client.training.run import evaluate as measure
from flair_client.weights import load_tensor
from flair_client.workspace import Workspace

METRICS_FILE: Final = "metrics.jsonl"
# A line is far shorter; more of a file's end is not read.
_MAX_LINE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a model does on this machine's data.

    Attributes:
        metrics: empty where the recipe brings its own code: Flair cannot measure that.
    """

    commit: CommitId
    branch: str
    num_samples: int
    metrics: Mapping[str, float]


def evaluate(
    ctx: Context,
    workspace: Workspace,
    data: DataSource | Path,
    *,
    column_map: ColumnMap | None = None,
) -> Evaluated:
    """Measures the model at HEAD and appends a line to `.flair/metrics.jsonl`.

    Args:
        ctx: the chain is not asked, and nothing is signed.
        workspace: a clone.
        data: as for `flair train`.
        column_map: likewise.

    Raises:
        WorkspaceError: nothing was checked out.
        DataError: the file cannot be used.
        TensorMismatch: the model is not the recipe's.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        store = blocks_of(ctx, workspace)
        recipe = training_recipe(store, recipe_at(store, head.commit))
        num_samples, metrics = 0, {}
        if recipe.model == LOGISTIC_REGRESSION:
            manifest = manifest_of(store, head.commit)
            weights = {
                entry.name: load_tensor(manifest, entry, store)
                for entry in manifest.tensors
            }
            check_weights(recipe, weights)
            source = as_source(ctx.home, data).with_map(column_map)
            table = read_plain_table(source.plain(), recipe)
            num_samples = table.y.size
            # Weights that ran off to infinity give metrics that are left out.
            with np.errstate(over="ignore", invalid="ignore"):
                metrics = measure(recipe, weights, table)
        found = Evaluated(head.commit, head.branch, num_samples, metrics)
        _append(workspace, ctx.now(), found)
        return found


def _append(workspace: Workspace, time: int, found: Evaluated) -> None:
    path = workspace.state_folder / METRICS_FILE
    line = {
        "time": time,
        "commit": str(found.commit),
        "branch": found.branch,
        "num_samples": found.num_samples,
        "metrics": dict(found.metrics),
    }
    text = json.dumps(line, allow_nan=False) + "\n"
    last = _last_line(path)
    # A line that a kill cut off is not continued.
    if last is not None and not last.endswith(b"\n"):
        text = "\n" + text
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def last_evaluated(workspace: Workspace) -> CommitId | None:
    """Gives the commit that was measured last; None where none was."""
    line = last_metrics(workspace)
    return None if line is None else CommitId.parse(line["commit"])


def last_metrics(workspace: Workspace) -> dict[str, Any] | None:
    """Gives the last line of the file; None where there is none that is whole."""
    last = _last_line(workspace.state_folder / METRICS_FILE)
    if last is None or not last.endswith(b"\n"):
        return None
    try:
        line = json.loads(last)
        CommitId.parse(line["commit"])
    except (ValueError, KeyError, TypeError, IdentifierInvalid):
        return None
    return line if isinstance(line, dict) else None


def _last_line(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _MAX_LINE_BYTES, 0))
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return None
    return lines[-1] if lines else None
