"""Measures a model on one's own data; nothing leaves the machine.

Each result is a line of `.flair/metrics.jsonl`, which no push ever sends. `flair log`,
`show`, `bisect` and `report` read it, so that nothing is measured twice.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from flair_client.context import Context
from flair_client.data_sources import DataSource, as_source
from flair_client.encoding import decode_delta
from flair_client.errors import ObjectInvalid, WorkspaceError
from flair_client.history.evidence import gather_evidence
from flair_client.history.graph import read_commit
from flair_client.history.merge import merge_weights
from flair_client.history.verify import trust
from flair_client.history.without import replay_without
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind, Delta, Manifest
from flair_client.porcelain.checkout import blocks_of, manifest_of, recipe_at
from flair_client.porcelain.metrics_file import (
    Evaluated,
    append_evaluation,
    last_evaluated,
    last_metrics,
    read_evaluations,
)
from flair_client.porcelain.reading import Reading, reading_here
from flair_client.porcelain.refs import verified_commits
from flair_client.porcelain.scoring import Scorer, is_measurable
from flair_client.porcelain.target import find_repo
from flair_client.store.base import Store
from flair_client.store.overlay import scratch_over
from flair_client.strategies import Choice, get_strategy
from flair_client.training.data import ColumnMap
from flair_client.workspace import Workspace

__all__ = [
    "Evaluated",
    "evaluate",
    "evaluate_reading",
    "is_measurable",
    "last_evaluated",
    "last_metrics",
    "read_evaluations",
    "state_of",
]

_UNIT: Final = 1 << 24


def evaluate(
    ctx: Context,
    workspace: Workspace,
    data: DataSource | Path,
    *,
    ref: str | None = None,
    without: Address | None = None,
    column_map: ColumnMap | None = None,
    device: str = "auto",
    sandbox: bool = True,
    again: bool = True,
) -> Evaluated:
    """Measures a model and appends a line to `.flair/metrics.jsonl`.

    Where nothing can measure it, no line is written. A recipe's own code runs as in
    `flair train`, and only where it was accepted.

    Args:
        ctx: without `without` the chain is not asked; nothing is signed.
        workspace: a clone.
        data: as for `flair train`.
        ref: a branch, tag, commit; HEAD without it. An update is measured as its base
            with all of it added.
        without: a contributor: the model is replayed as if none of its updates had
            been merged, measured and forgotten.
        column_map: as for `flair train`.
        device: likewise.
        sandbox: likewise.
        again: measure also what was measured before.

    Raises:
        WorkspaceError: nothing was checked out.
        RefUnknown: there is no such commit.
        DataError: the file cannot be used.
        TensorMismatch: the model is not the recipe's.
        TrustRequired, SiteRefused, RequirementsMissing, NoSandbox, RecipeFailed: as for
            `flair train`, where the recipe's code measures.
        UsageError: nothing of the contributor who is to be left out is in the model.
        NotSeparable, TooFewUpdates: somebody cannot be left out of a merge's strategy.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        reading = reading_here(ctx, workspace)
        source = as_source(ctx.home, data).with_map(column_map)
        scorer = Scorer(ctx, source, workspace, device, sandbox)
        commit_id = reading.resolve(ref)
        if without is not None:
            return _without(ctx, workspace, scorer, commit_id, without)
        found = _evaluated(
            scorer, reading, commit_id, () if again else read_evaluations(workspace)
        )
        found = replace(found, branch=head.branch, time=ctx.now())
        if found.metrics and not found.is_known:
            append_evaluation(workspace, found.time, found)
        return found


def evaluate_reading(
    ctx: Context,
    reading: Reading,
    data: DataSource | Path,
    *,
    ref: str | None = None,
    column_map: ColumnMap | None = None,
) -> Evaluated:
    """Measures a commit of a repository that there is no clone of; keeps no line.

    Raises:
        TrustRequired: the recipe's own code would have to measure it.
        As `evaluate`.
    """
    source = as_source(ctx.home, data).with_map(column_map)
    return _evaluated(Scorer(ctx, source), reading, reading.resolve(ref), ())


def _evaluated(
    scorer: Scorer,
    reading: Reading,
    commit_id: CommitId,
    known: "tuple[Evaluated, ...] | list[Evaluated]",
) -> Evaluated:
    label = scorer.source.label
    with scratch_over(reading.store) as store:
        manifest = state_of(store, commit_id)
        recipe = recipe_at(store, commit_id)
        key = scorer.key(manifest, recipe)
        for one in reversed(known):
            if one.key == key:
                return replace(one, commit=commit_id, data=label, is_known=True)
        score = scorer.score(store, manifest, recipe, commit_id)
    return Evaluated(
        commit_id, "", score.num_samples, score.metrics, data=label, key=key
    )


def state_of(store: Store, commit_id: CommitId) -> Manifest:
    """The weights of a commit; of an update its base with all of it added.

    Args:
        store: takes the blocks that are new.
        commit_id: any commit.

    Raises:
        ObjectInvalid: an update carries no delta, or one that does not fit.
        BlockMissing, DigestMismatch: it cannot be read.
    """
    commit = read_commit(store, commit_id)
    if commit.kind is not CommitKind.UPDATE:
        return manifest_of(store, commit_id)
    if commit.delta is None:
        raise ObjectInvalid("commit.delta", "an update carries none")
    delta = decode_delta(store.get(commit.delta))
    return with_all_of(store, manifest_of(store, commit.parents[0]), delta)


def with_all_of(store: Store, base: Manifest, delta: Delta) -> Manifest:
    """A base with one update added at full weight: `M + 2^24 * delta`."""
    choice = Choice(get_strategy("fedavg"), {}, _UNIT, delta.scale_exp)
    return merge_weights(store, base, [(1, delta)], choice, store).weights


def _without(
    ctx: Context,
    workspace: Workspace,
    scorer: Scorer,
    commit_id: CommitId,
    contributor: Address,
) -> Evaluated:
    head = workspace.head()
    branch = "" if head is None else head.branch
    place = find_repo(ctx, workspace.repo()).branch(branch)
    with scratch_over(blocks_of(ctx, workspace)) as store:
        evidence = gather_evidence(
            ctx.chain,
            store,
            place.repo.address,
            branch,
            genesis_hash=ctx.network.genesis_hash,
            progress=ctx.progress,
        ).evidence
        trust(evidence, verified_commits(workspace))
        made = replay_without(evidence, commit_id, contributor, store)
        recipe = recipe_at(store, commit_id)
        score = scorer.score(store, made.manifest, recipe, commit_id)
    return Evaluated(
        commit_id,
        branch,
        score.num_samples,
        score.metrics,
        data=scorer.source.label,
        without=contributor,
        left_out=made.left_out,
        time=ctx.now(),
    )
