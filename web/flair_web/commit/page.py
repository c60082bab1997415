"""What a commit's page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from flair_client.ids import CommitId
from flair_client.objects import Commit, CommitKind, Privacy, Training
from flair_client.porcelain.metric_history import COMMITS, effects_of, sites_of
from flair_client.site_metrics import MetricEffect, MetricSummary, is_lower_better
from flair_client.store.base import Store
from flair_indexer import queries
from flair_indexer.views import (
    BranchView,
    CommitObject,
    CommitView,
    PolicyView,
    RepoView,
    UpdateView,
)
from flair_web.blocks import (
    ModelFacts,
    Unread,
    commit_at,
    facts_at,
    manifest_at,
    report_at,
)
from flair_web.changes import Changes, TensorChange, changes_between, changes_of_update

# Tensors of a first commit that a page lists.
_MAX_LISTED: Final = 100
_MAX_PARENTS: Final = 8


@dataclass(frozen=True, slots=True)
class Moved:
    """A move of a branch's head to the commit, and the transaction that made it.

    Attributes:
        tx_signature: None where the event is not here.
        is_final: whether its slot can no longer be dropped.
    """

    branch: str
    move: CommitView
    tx_signature: str | None
    slot: int | None
    is_final: bool


@dataclass(frozen=True, slots=True)
class CommitPage:
    """A commit.

    Attributes:
        moves: branches whose head it is or was.
        updates: what it was pushed as.
        object: what its block says; or why it cannot be read.
        object_n_bytes: of the model that it has.
        validity: `valid`, `invalid`, `missing`, `unknown`, or `update` for commits that
            no head ever stood at.
        fault: what is wrong with it as a head.
        parents: what is known of them, in their order, the first few.
        effects: on metrics, against the first parent.
        sites: what the updates of a merge state of their own rows.
        changes: against the first parent; of an update what it adds; None where there
            is nothing to compare.
        report: of a merge, as its author wrote it.
    """

    repo: RepoView
    commit_id: CommitId
    moves: tuple[Moved, ...]
    updates: tuple[UpdateView, ...]
    object: Commit | Unread
    validity: str
    fault: str | None
    parents: tuple[CommitObject, ...]
    effects: tuple[MetricEffect, ...]
    sites: tuple[MetricSummary, ...]
    model: ModelFacts | Unread | None
    changes: Changes | Unread | None
    report: Mapping[str, Any] | Unread | None
    policy: PolicyView | None
    branches: tuple[BranchView, ...]

    @property
    def commit(self) -> Commit | None:
        """The block, where it can be read."""
        return None if isinstance(self.object, Unread) else self.object

    @property
    def privacy(self) -> Privacy | None:
        """What it states about privacy."""
        return None if self.commit is None else self.commit.privacy

    @property
    def training(self) -> Training | None:
        """What it states about how it was trained."""
        return None if self.commit is None else self.commit.training


def commit_page(
    source: Connection, store: Store, repo: RepoView, commit_id: CommitId
) -> CommitPage | None:
    """Gathers a commit's page; None where this repository never had it."""
    moves = [o for o in queries.commit(source, commit_id) if o.repo == repo.repo]
    updates = [o for o in queries.updates_of(source, commit_id) if o.repo == repo.repo]
    if not moves and not updates and not _is_proposed(source, repo, commit_id):
        return None
    branches = tuple(queries.branches(source, repo.repo))
    names = {one.branch: one.name for one in branches}
    found = commit_at(store, commit_id)
    readable = None if isinstance(found, Unread) else found
    policy = None
    if readable is not None and readable.policy is not None:
        policy = queries.policy_named(source, repo.repo, readable.policy)
    return CommitPage(
        repo=repo,
        commit_id=commit_id,
        moves=tuple(_moved(source, repo, one, names) for one in moves[-_MAX_PARENTS:]),
        updates=tuple(updates),
        object=found,
        validity=_validity(moves, branches, found),
        fault=next((one.fault for one in moves if one.fault), None),
        parents=_parents(source, readable),
        effects=() if readable is None else _effects(store, commit_id, readable),
        sites=() if readable is None else sites_of(store, readable),
        model=_model(store, readable),
        changes=_changes(store, readable),
        report=_report(store, readable),
        policy=policy,
        branches=branches,
    )


def _is_proposed(source: Connection, repo: RepoView, commit_id: CommitId) -> bool:
    proposed = queries.open_candidates(source, repo.repo)
    return any(one.commit_id == commit_id for one in proposed)


def _moved(
    source: Connection, repo: RepoView, move: CommitView, names: Mapping[Any, str]
) -> Moved:
    event = queries.event(source, repo.repo, move.event_seq)
    return Moved(
        names.get(move.branch, str(move.branch)),
        move,
        None if event is None else event.signature,
        None if event is None else event.slot,
        event is not None and event.is_final,
    )


def _validity(
    moves: list[CommitView],
    branches: tuple[BranchView, ...],
    found: Commit | Unread,
) -> str:
    if not moves:
        return "update"
    if any(one.fault for one in moves):
        return "invalid"
    if isinstance(found, Unread):
        return "invalid" if found.state == "invalid" else "missing"
    # A head is valid only if everything before it is.
    for move in moves:
        for branch in branches:
            if branch.branch != move.branch:
                continue
            if branch.head_state == "valid" and move.head_seq <= branch.head_seq:
                return "valid"
    return "unknown"


def _parents(source: Connection, commit: Commit | None) -> tuple[CommitObject, ...]:
    if commit is None:
        return ()
    ids = list(commit.parents[:_MAX_PARENTS])
    found = queries.commit_objects(source, ids)
    return tuple(found[one] for one in ids if one in found)


def _effects(
    store: Store, commit_id: CommitId, commit: Commit
) -> tuple[MetricEffect, ...]:
    """Metrics that the commit states itself, then what its sites state."""
    parent = commit_at(store, commit.parents[0]) if commit.parents else None
    earlier: Mapping[str, float] = {}
    if parent is not None and not isinstance(parent, Unread):
        earlier = parent.metrics or {}
    own = tuple(
        MetricEffect(name, COMMITS, is_lower_better(name), earlier.get(name), value)
        for name, value in sorted((commit.metrics or {}).items())
    )
    return (*own, *effects_of(store, commit_id, commit))


def _model(store: Store, commit: Commit | None) -> ModelFacts | Unread | None:
    if commit is None or commit.weights is None:
        return None
    return facts_at(store, commit.weights)


def _report(store: Store, commit: Commit | None) -> dict[str, Any] | Unread | None:
    if commit is None or commit.report is None:
        return None
    return report_at(store, commit.report)


def _changes(store: Store, commit: Commit | None) -> Changes | Unread | None:
    if commit is None:
        return None
    if commit.kind is CommitKind.UPDATE:
        return None if commit.delta is None else changes_of_update(store, commit.delta)
    if not commit.parents:
        return _first(store, commit)
    parent = commit_at(store, commit.parents[0])
    if isinstance(parent, Unread):
        return parent
    if parent.weights is None or commit.weights is None:
        return None
    return changes_between(store, parent.weights, commit.weights)


def _first(store: Store, commit: Commit) -> Changes | Unread | None:
    """The tensors of a first commit: all of them are new."""
    if commit.weights is None:
        return None
    manifest = manifest_at(store, commit.weights)
    if isinstance(manifest, Unread):
        return manifest
    listed = manifest.tensors[:_MAX_LISTED]
    n = len(manifest.tensors)
    return Changes(
        0.0,
        n,
        n,
        0,
        tuple(
            TensorChange(
                name=one.name, dtype=one.dtype, shape=one.shape, change="added"
            )
            for one in listed
        ),
    )
