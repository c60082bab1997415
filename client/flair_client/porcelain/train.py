"""Trains the model at HEAD on local data; nothing leaves the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from flair_client.arithmetic import Array
from flair_client.audit import AuditKind
from flair_client.context import Context
from flair_client.errors import StaleBase, TensorMismatch, UsageError, WorkspaceError
from flair_client.ids import CommitId, Digest
from flair_client.objects import Manifest
from flair_client.porcelain.auditing import refusals_written_down
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    recipe_at,
    training_recipe,
)
from flair_client.porcelain.commit import TRAINED, allowed_metrics, bucket
from flair_client.porcelain.protection import source_of_file
from flair_client.porcelain.terms import Terms
from flair_client.porcelain.trust import trust_offline
from flair_client.porcelain.update_delta import is_sent
from flair_client.store.base import Store
from flair_client.training.data import ColumnMap
from flair_client.training.recipe import LOGISTIC_REGRESSION, TrainingRecipe
from flair_client.training.run import RoundKind, TrainResult, tensor_shapes
from flair_client.training.run import train as run_training
from flair_client.weights import load_tensor, save_weights
from flair_client.workspace import Workspace

_MAX_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Trained:
    """New weights on this machine, and what of them a commit would carry.

    Attributes:
        base: the commit that they were trained from.
        kind: statistics in round 0, training later.
        samples_bucket: what is said of the number of samples.
        seed: of the order of the rows; None for statistics.
        metrics_before: of the base, over the rows trained on.
        metrics: of the new weights, over the same rows.
        length: of the update by the policy's bound, before it was clipped to it.
        n_clipped: column → values outside the recipe's plausible range.
        sent_tensors: names of the tensors that a push sends.
        sent_fields: names of the other fields that a push sends.
    """

    base: CommitId
    branch: str
    round_index: int
    kind: RoundKind
    num_samples: int
    samples_bucket: int
    epochs: int
    seed: int | None
    metrics_before: Mapping[str, float]
    metrics: Mapping[str, float]
    length: float
    n_clipped: Mapping[str, int]
    file: Path
    sent_tensors: tuple[str, ...]
    sent_fields: tuple[str, ...]


def train(
    ctx: Context,
    workspace: Workspace,
    data: Path,
    *,
    column_map: ColumnMap | None = None,
    seed: int | None = None,
    allow_one_class: bool = False,
) -> Trained:
    """Runs the trusted recipe on a file and keeps the new weights for `flair commit`.

    Args:
        ctx: the chain is not asked, and nothing is signed.
        workspace: a clone, trusted.
        data: CSV or Parquet.
        column_map: how the file's columns give the recipe's.
        seed: of the order of the rows, instead of the recipe's.
        allow_one_class: whether rows of one class will do.

    Raises:
        StaleBase: HEAD is not the base of the round.
        TrustRequired: recipe, policy or owner were not accepted.
        DataError: the file cannot be used; names file, column or row.
        TensorMismatch: the model is not the recipe's.
        NotFinite: training ran off to infinity.
        NotTrainable: the recipe has no built-in model.
        UsageError: the map names a column that the recipe does not have.
        SiteRefused: the site allows no such recipe or mode, or asks for more rows.
    """
    with workspace.lock(), refusals_written_down(ctx, "train"):
        given = _given(ctx, workspace)
        _check_map(given.recipe, column_map)
        is_statistics = given.terms.is_statistics
        result = run_training(
            given.recipe,
            given.weights,
            data,
            round_kind=RoundKind.STATISTICS if is_statistics else RoundKind.TRAINING,
            column_map=column_map,
            seed=seed,
            norm_bound=given.terms.norm_bound,
            allow_one_class=allow_one_class,
            progress=ctx.progress,
        )
        ctx.site.check_rows(result.num_samples)
        ctx.write_audit(
            AuditKind.TRAIN,
            repo=str(workspace.repo()),
            base=str(given.terms.base),
            round_index=given.terms.round_index,
            recipe=str(given.recipe_digest),
            data=str(data.absolute()),
            source=source_of_file(data),
            num_samples=result.num_samples,
        )
        _keep(workspace, given, result, source_of_file(data))
    return _summary(ctx, workspace, given, result)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a run starts from."""

    terms: Terms
    recipe_digest: Digest
    recipe: TrainingRecipe
    manifest: Manifest
    weights: Mapping[str, Array]


def _given(ctx: Context, workspace: Workspace) -> _Given:
    head = workspace.head()
    if head is None or head.commit is None:
        raise WorkspaceError("nothing was checked out here yet")
    store = blocks_of(ctx, workspace)
    cid = recipe_at(store, head.commit)
    terms = trust_offline(ctx, workspace, cid)
    if terms.base != head.commit:
        raise StaleBase(
            f"HEAD is {head.commit.short}, the round's base {terms.base.short}"
        )
    digest = Digest(cid.digest)
    ctx.site.check_train(mode=terms.policy.params.mode, recipe=digest)
    recipe = training_recipe(store, cid)
    manifest = manifest_of(store, head.commit)
    weights = _base_weights(recipe, manifest, store)
    return _Given(terms, digest, recipe, manifest, weights)


def _check_map(recipe: TrainingRecipe, column_map: ColumnMap | None) -> None:
    known = [*(column.name for column in recipe.columns), recipe.target]
    for name in column_map.sources if column_map is not None else ():
        if name not in known:
            shown = ", ".join(repr(item) for item in known[:_MAX_SHOWN])
            raise UsageError(f"the recipe has no column {name!r}; it has {shown}")


def _base_weights(
    recipe: TrainingRecipe, manifest: Manifest, store: Store
) -> dict[str, Array]:
    # Names and shapes first: a manifest may declare more than fits into memory.
    if recipe.model == LOGISTIC_REGRESSION:
        _check_declared(recipe, manifest)
        return {
            entry.name: load_tensor(manifest, entry, store)
            for entry in manifest.tensors
        }
    return {}


def _check_declared(recipe: TrainingRecipe, manifest: Manifest) -> None:
    expected = tensor_shapes(recipe)
    entries = manifest.by_name()
    for name in sorted(expected.keys() | entries.keys()):
        wanted = got = "nothing"
        if name in expected:
            wanted = f"F32 {list(expected[name])}"
        if name in entries:
            got = f"{entries[name].dtype} {list(entries[name].shape)}"
        if wanted != got:
            raise TensorMismatch(name, wanted, got)


def _keep(
    workspace: Workspace, given: _Given, result: TrainResult, source: str
) -> None:
    """Writes the weights, then the marker that says which file they must be in.

    Cut off between the two, the marker of an earlier run does not fit the file, and
    `flair commit` says so.
    """
    dtypes = {entry.name: entry.dtype for entry in given.manifest.tensors}
    digest = save_weights(
        workspace.update_path,
        {name: (dtypes[name], values) for name, values in result.weights.items()},
    )
    workspace.set_marker(
        TRAINED,
        {
            "base": str(given.terms.base),
            "sha256": str(digest),
            "num_samples": result.num_samples,
            "epochs": result.epochs,
            "framework": f"flair {version('flair-hub')}, numpy {np.__version__}",
            "seed": result.seed,
            "metrics": result.metrics,
            "source": source,
        },
    )


def _summary(
    ctx: Context, workspace: Workspace, given: _Given, result: TrainResult
) -> Trained:
    terms = given.terms
    return Trained(
        base=terms.base,
        branch=terms.branch,
        round_index=terms.round_index,
        kind=RoundKind.STATISTICS if terms.is_statistics else RoundKind.TRAINING,
        num_samples=result.num_samples,
        samples_bucket=bucket(result.num_samples),
        epochs=result.epochs,
        seed=result.seed,
        metrics_before=result.metrics_before,
        metrics=result.metrics,
        length=result.norm / terms.norm_bound,
        n_clipped=result.n_clipped,
        file=workspace.update_path,
        sent_tensors=tuple(
            entry.name
            for entry in given.manifest.tensors
            if is_sent(entry.role, is_statistics=terms.is_statistics)
        ),
        sent_fields=_sent_fields(ctx, given.recipe, result),
    )


def _sent_fields(
    ctx: Context, recipe: TrainingRecipe, result: TrainResult
) -> tuple[str, ...]:
    fields = ["training.samples_bucket", "training.epochs", "training.framework"]
    if result.seed is not None:
        fields.append("training.seed")
    metrics = allowed_metrics(recipe, result.metrics)
    return (
        *fields,
        *(f"metrics.{name}" for name in metrics if ctx.site.allows_metric(name)),
    )
