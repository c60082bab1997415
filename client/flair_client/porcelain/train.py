"""Trains the model at HEAD on local data; nothing leaves the machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flair_client.arithmetic import Array
from flair_client.audit import AuditKind
from flair_client.context import Context
from flair_client.data_sources import DataSource, as_source
from flair_client.errors import TensorMismatch, UsageError
from flair_client.objects import Manifest
from flair_client.porcelain.auditing import refusals_written_down
from flair_client.porcelain.own_variate import correction_file
from flair_client.porcelain.recipe_train import train_recipe
from flair_client.porcelain.trained import (
    Given,
    Trained,
    given_now,
    keep_marker,
    summary,
)
from flair_client.training.data import ColumnMap
from flair_client.training.reading import read_plain_table
from flair_client.training.recipe import TrainingRecipe
from flair_client.training.run import TrainResult, tensor_shapes
from flair_client.training.run import train as run_training
from flair_client.weights import load_tensor, save_weights
from flair_client.workspace import Workspace

__all__ = ["Trained", "train"]

_MAX_SHOWN: Final = 12


def train(
    ctx: Context,
    workspace: Workspace,
    data: DataSource | Path,
    *,
    column_map: ColumnMap | None = None,
    seed: int | None = None,
    allow_one_class: bool = False,
    device: str = "auto",
    sandbox: bool = True,
) -> Trained:
    """Runs the trusted recipe on data and keeps the new weights for `flair commit`.

    Code of the recipe's own runs in a process without network, which may write nothing
    but a folder of its own. A run of it that was cut off is taken up again.

    Args:
        ctx: the chain is not asked, and nothing is signed; the wallet says whose the
            earlier updates are, where the policy's strategy is SCAFFOLD.
        workspace: a clone, trusted.
        data: a data source; or a file: CSV or Parquet, for arrays `.npz`.
        column_map: how the columns give the recipe's, instead of the source's own.
        seed: of everything random, instead of the recipe's.
        allow_one_class: whether rows of one class will do.
        device: `auto`, `cpu`, `cuda` or `mps`, for code that can use it.
        sandbox: False runs the recipe's code as if it were the user's own.

    Raises:
        StaleBase: HEAD is not the base of the round.
        TrustRequired: recipe, policy or owner were not accepted.
        DataError: the data cannot be used; names source, column or row.
        TensorMismatch: the model is not the recipe's, or other tensors came back.
        NotFinite: training ran off to infinity.
        NotTrainable: the recipe has neither a built-in model nor code.
        RequirementsMissing: the recipe's code needs what is not installed.
        NoSandbox: there is none on this machine.
        RecipeFailed: the recipe's code failed, or gave back nonsense.
        WalletError: the policy's strategy is SCAFFOLD, and there is no wallet.
        UsageError: the map names a column that the recipe does not have.
        SiteRefused: the site allows no such recipe or mode, or asks for more rows.
    """
    with workspace.lock(), refusals_written_down(ctx, "train"):
        source = as_source(ctx.home, data).with_map(column_map)
        given = given_now(ctx, workspace)
        _check_map(given.recipe, source.column_map)
        if given.recipe.has_code:
            return train_recipe(
                ctx,
                workspace,
                given,
                source,
                seed=seed,
                device=device,
                sandbox=sandbox,
            )
        correction = correction_file(ctx, workspace, given)
        result = run_training(
            given.recipe,
            _base_weights(given),
            read_plain_table(source.plain(), given.recipe),
            round_kind=given.kind,
            seed=seed,
            norm_bound=given.terms.norm_bound,
            allow_one_class=allow_one_class,
            label=source.label,
            correction=None if correction is None else correction.take(),
            progress=ctx.progress,
        )
        ctx.site.check_rows(result.num_samples)
        ctx.write_audit(
            AuditKind.TRAIN,
            repo=str(workspace.repo()),
            base=str(given.terms.base),
            round_index=given.terms.round_index,
            recipe=str(given.recipe_digest),
            data=str(source.path.absolute()),
            source=source.ledger,
            num_samples=result.num_samples,
        )
        _keep(workspace, given, result, source.ledger)
    return _summary(ctx, workspace, given, result)


def _check_map(recipe: TrainingRecipe, column_map: ColumnMap | None) -> None:
    known = [*(column.name for column in recipe.columns), recipe.target]
    for name in column_map.sources if column_map is not None else ():
        if name not in known:
            shown = ", ".join(repr(item) for item in known[:_MAX_SHOWN])
            raise UsageError(f"the recipe has no column {name!r}; it has {shown}")


def _base_weights(given: Given) -> Mapping[str, Array]:
    # Names and shapes first: a manifest may declare more than fits into memory.
    if not given.recipe.model:
        return {}
    _check_declared(given.recipe, given.manifest)
    return {
        entry.name: load_tensor(given.manifest, entry, given.store)
        for entry in given.manifest.tensors
    }


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


def _keep(workspace: Workspace, given: Given, result: TrainResult, source: str) -> None:
    dtypes = {entry.name: entry.dtype for entry in given.manifest.tensors}
    digest = save_weights(
        workspace.update_path,
        {name: (dtypes[name], values) for name, values in result.weights.items()},
    )
    keep_marker(
        workspace,
        given,
        digest,
        num_samples=result.num_samples,
        epochs=result.epochs,
        seed=result.seed,
        metrics=result.metrics,
        source=source,
    )


def _summary(
    ctx: Context, workspace: Workspace, given: Given, result: TrainResult
) -> Trained:
    return summary(
        ctx,
        workspace,
        given,
        num_samples=result.num_samples,
        epochs=result.epochs,
        seed=result.seed,
        metrics=result.metrics,
        length=result.norm / given.terms.norm_bound,
        metrics_before=result.metrics_before,
        n_clipped=result.n_clipped,
    )
