"""Trains with a recipe's own code; the part of `flair train` that built-in models lack.

No verb itself.
"""

from collections.abc import Mapping
from dataclasses import replace

from flair_client.audit import AuditKind
from flair_client.context import Context
from flair_client.data_sources import DataSource
from flair_client.porcelain.base_file import base_file, scratch_folder
from flair_client.porcelain.commit import allowed_metrics
from flair_client.porcelain.local_tensors import check_published, keep_local
from flair_client.porcelain.new_update import write_update
from flair_client.porcelain.own_variate import correction_file
from flair_client.porcelain.recipe_run import (
    RecipeJob,
    RecipeRun,
    RunSource,
    forget_run,
    run_recipe,
)
from flair_client.porcelain.trained import (
    Given,
    Trained,
    check_epochs,
    keep_marker,
    summary,
)
from flair_client.porcelain.update_delta import is_sent
from flair_client.training.noisy_steps import NoisySteps
from flair_client.training.requirements import check_installed
from flair_client.weights import digest_of_file
from flair_client.workspace import Workspace


def train_recipe(
    ctx: Context,
    workspace: Workspace,
    given: Given,
    source: DataSource,
    *,
    seed: int | None,
    device: str,
    sandbox: bool,
) -> Trained:
    """Runs the code that was accepted; the caller holds the lock.

    Raises:
        As `porcelain.train.train`.
    """
    ctx.site.check_sandbox(sandboxed=sandbox)
    others = check_installed(given.recipe.requirements)
    folder = scratch_folder(workspace)
    correction = correction_file(ctx, workspace, given)
    job = RecipeJob(
        files=given.files,
        recipe=given.recipe,
        identity=f"{given.terms.base} {given.terms.round_index}",
        base=base_file(ctx, workspace, given),
        roles=given.roles,
        source=run_source(source),
        seed=given.recipe.seed if seed is None else seed,
        device=device,
        round_index=given.terms.round_index,
        is_statistics=given.terms.is_statistics,
        sandboxed=sandbox,
        hidden=() if ctx.home is None else (ctx.home,),
        correction=None if correction is None else correction.path,
        rate=0.0 if correction is None else correction.rate,
    )
    run = run_recipe(job, folder / "run", progress=ctx.progress)
    ctx.site.check_rows(run.num_samples)
    check_epochs(given, run.epochs)
    _write_audit(ctx, workspace, given, run, source, sandbox=sandbox)
    length = _keep(workspace, given, job, run, source.ledger)
    forget_run(folder)
    made = summary(
        ctx,
        workspace,
        given,
        num_samples=run.num_samples,
        epochs=run.epochs,
        seed=job.seed,
        metrics=run.metrics,
        length=length,
    )
    listed = allowed_metrics(given.recipe, run.metrics)
    return replace(
        made,
        metrics_kept=tuple(sorted({*run.metrics, *run.bad_metrics} - set(listed))),
        other_versions=tuple(f"{one.text} ({one.installed})" for one in others),
        resumed=run.resumed,
        sandboxed=sandbox,
        noisy_steps=_noisy_steps(given, run),
    )


def _noisy_steps(given: Given, run: RecipeRun) -> NoisySteps | None:
    # Statistics are no training: the steps say nothing of them.
    return None if given.terms.is_statistics else run.noisy_steps


def measure_by_code(
    ctx: Context,
    workspace: Workspace,
    given: Given,
    source: DataSource,
    *,
    device: str,
    sandbox: bool,
) -> tuple[int, Mapping[str, float]]:
    """Measures a state with the recipe's own code; rows, and finite numbers.

    The caller holds the lock.

    Raises:
        As `porcelain.train.train`.
    """
    ctx.site.check_sandbox(sandboxed=sandbox)
    check_installed(given.recipe.requirements)
    folder = scratch_folder(workspace) / "evaluation"
    job = RecipeJob(
        files=given.files,
        recipe=given.recipe,
        identity=f"evaluation of {given.terms.base}",
        base=base_file(ctx, workspace, given),
        roles=given.roles,
        source=run_source(source),
        seed=given.recipe.seed,
        device=device,
        round_index=given.terms.round_index,
        is_statistics=False,
        sandboxed=sandbox,
        is_evaluation=True,
        hidden=() if ctx.home is None else (ctx.home,),
    )
    try:
        run = run_recipe(job, folder, progress=ctx.progress)
    finally:
        forget_run(folder)
    return run.num_samples, run.metrics


def run_source(source: DataSource) -> RunSource:
    """A data source as a run takes it.

    Raises:
        DataUnreadable: a file is not there.
    """
    found = source.absolute()
    return RunSource(found.plain(), found.readable, found.fingerprint)


def _keep(
    workspace: Workspace, given: Given, job: RecipeJob, run: RecipeRun, source: str
) -> float:
    """Checks and keeps the weights; gives their length by the policy's bound."""
    bound = given.terms.norm_bound
    is_statistics = given.terms.is_statistics
    made = write_update(
        job.base,
        run.weights,
        job.roles,
        workspace.update_path,
        norm_bound=bound,
        is_sent=lambda role: is_sent(role, is_statistics=is_statistics),
    )
    if _noisy_steps(given, run) is not None:
        check_published(workspace.update_path, given.manifest)
    if not is_statistics:
        keep_local(workspace, given.terms.base, workspace.update_path, job.roles)
    keep_marker(
        workspace,
        given,
        digest_of_file(workspace.update_path),
        num_samples=run.num_samples,
        epochs=run.epochs,
        seed=job.seed,
        metrics=run.metrics,
        source=source,
        noisy_steps=_noisy_steps(given, run),
    )
    return made.norm / bound


def _write_audit(
    ctx: Context,
    workspace: Workspace,
    given: Given,
    run: RecipeRun,
    source: DataSource,
    *,
    sandbox: bool,
) -> None:
    ctx.write_audit(
        AuditKind.TRAIN,
        repo=str(workspace.repo()),
        base=str(given.terms.base),
        round_index=given.terms.round_index,
        recipe=str(given.recipe_digest),
        data=str(source.path.absolute()),
        source=source.ledger,
        num_samples=run.num_samples,
        sandboxed=sandbox,
    )
