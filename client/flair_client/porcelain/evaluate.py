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
from flair_client.porcelain.recipe_train import measure_by_code
from flair_client.store.base import Store
from flair_client.training.data import ColumnMap
from flair_client.training.reading import read_plain_table
from flair_client.training.recipe import LOGISTIC_REGRESSION, TrainingRecipe
from flair_client.training.run import check_weights
from flair_client.training.run import evaluate as measure
from flair_client.weights import load_tensor
from flair_client.workspace import Workspace

METRICS_FILE: Final = "metrics.jsonl"
# The longest line that a recipe's code can bring about is shorter: 256 names of 128
# characters, each up to 12 bytes in JSON. More of a file's end is not read.
_MAX_LINE_BYTES: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a model does on this machine's data.

    Attributes:
        metrics: empty where nothing can measure the model: the recipe's code has no
            function for it.
    """

    commit: CommitId
    branch: str
    num_samples: int
    metrics: Mapping[str, float]


def is_measurable(recipe: TrainingRecipe) -> bool:
    """Whether models of a recipe can be measured, by Flair or by the recipe's code."""
    if recipe.has_code:
        return bool(recipe.evaluation)
    return recipe.model == LOGISTIC_REGRESSION


def evaluate(
    ctx: Context,
    workspace: Workspace,
    data: DataSource | Path,
    *,
    column_map: ColumnMap | None = None,
    device: str = "auto",
    sandbox: bool = True,
) -> Evaluated:
    """Measures the model at HEAD and appends a line to `.flair/metrics.jsonl`.

    Where nothing can measure it, no line is written. A recipe's own code runs as in
    `flair train`, and only where it was accepted.

    Args:
        ctx: the chain is not asked, and nothing is signed.
        workspace: a clone.
        data: as for `flair train`.
        column_map: likewise.
        device: likewise.
        sandbox: likewise.

    Raises:
        WorkspaceError: nothing was checked out.
        DataError: the file cannot be used.
        TensorMismatch: the model is not the recipe's.
        TrustRequired, StaleBase, SiteRefused, RequirementsMissing, NoSandbox,
            RecipeFailed: as for `flair train`, where the recipe's code measures.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        store = blocks_of(ctx, workspace)
        recipe = training_recipe(store, recipe_at(store, head.commit))
        if not is_measurable(recipe):
            return Evaluated(head.commit, head.branch, 0, {})
        source = as_source(ctx.home, data).with_map(column_map)
        if recipe.has_code:
            num_samples, metrics = measure_by_code(
                ctx, workspace, source, device=device, sandbox=sandbox
            )
        else:
            num_samples, metrics = _measured(store, head.commit, recipe, source)
        found = Evaluated(head.commit, head.branch, num_samples, metrics)
        _append(workspace, ctx.now(), found)
        return found


def _measured(
    store: Store, commit_id: CommitId, recipe: TrainingRecipe, source: DataSource
) -> tuple[int, Mapping[str, float]]:
    manifest = manifest_of(store, commit_id)
    weights = {
        entry.name: load_tensor(manifest, entry, store) for entry in manifest.tensors
    }
    check_weights(recipe, weights)
    table = read_plain_table(source.plain(), recipe)
    # Weights that ran off to infinity give metrics that are left out.
    with np.errstate(over="ignore", invalid="ignore"):
        return table.y.size, measure(recipe, weights, table)


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
    except (ValueError, RecursionError, KeyError, TypeError, IdentifierInvalid):
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
