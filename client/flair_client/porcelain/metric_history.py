"""Metrics along a line of commits: of the commits, of their sites, of this machine.

Used by `log`, `show` and `report`; no verb itself. Imports nothing that measures.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from flair_client.commit_kind import CommitKind
from flair_client.errors import ObjectError, StoreError
from flair_client.history.graph import read_commit, walk
from flair_client.ids import CommitId
from flair_client.porcelain.log import Log, LogEntry, LogGap
from flair_client.porcelain.metrics_file import Evaluated
from flair_client.site_metrics import (
    MetricEffect,
    MetricPoint,
    MetricSeries,
    MetricSummary,
    SiteMetrics,
    is_lower_better,
    summarise,
)
from flair_client.store.base import Store

if TYPE_CHECKING:
    from flair_client.objects import Commit

# Where numbers come from that were not measured on data of this machine.
COMMITS: Final = "commits"
SITES: Final = "sites"
# Updates of so many merges are read at most.
_MAX_MERGES: Final = 32
# A merge before this one is looked for among so many commits.
_MAX_BACK: Final = 32


@dataclass(frozen=True, slots=True)
class LogWithMetrics(Log):
    """A part of a history, with its metrics.

    Attributes:
        series: metrics with at least two numbers among the commits.
    """

    series: tuple[MetricSeries, ...] = ()


def sites_of(store: Store, commit: "Commit") -> tuple[MetricSummary, ...]:
    """Sums up what the updates of a merge state; those that cannot be read are not in.

    A site is called by who signed its update.
    """
    if commit.kind is not CommitKind.MERGE or commit.merges_models:
        return ()
    return summarise(
        [
            one
            for update in commit.parents[1:]
            if (one := _site(store, update)) is not None
        ]
    )


def _site(store: Store, update: CommitId) -> SiteMetrics | None:
    with suppress(StoreError, ObjectError):
        commit = read_commit(store, update)
        training = commit.training
        return SiteMetrics(
            commit.author,
            None if training is None else training.samples_bucket,
            commit.metrics or {},
        )
    return None


def series_of(
    entries: Sequence[LogEntry | LogGap],
    evaluations: Iterable[Evaluated] = (),
    sites: Store | None = None,
) -> tuple[MetricSeries, ...]:
    """Gives every metric along listed commits that has at least two numbers.

    Args:
        entries: newest first, as `log` gives them.
        evaluations: of this machine, oldest first; the last of a commit counts.
        sites: where the updates of merges lie; those of the newest merges are read.
            Without it what sites state is left out.
    """
    line = [one for one in reversed(entries) if isinstance(one, LogEntry)]
    # Keyed by bytes, which know their hash: a line may have ten thousand commits.
    values: dict[tuple[str, str], dict[bytes, float]] = {}

    def put(source: str, commit: CommitId, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            values.setdefault((name, source), {})[commit.raw] = value

    for entry in line:
        if entry.metrics:
            put(COMMITS, entry.commit, entry.metrics)
    if sites is not None:
        for entry in islice((o for o in reversed(line) if o.n_updates), _MAX_MERGES):
            with suppress(StoreError, ObjectError):
                found = sites_of(sites, read_commit(sites, entry.commit))
                put(SITES, entry.commit, {one.name: one.mean for one in found})
    listed = {entry.commit.raw for entry in line}
    for one in evaluations:
        if one.commit.raw in listed:
            put(one.data or "this machine", one.commit, one.metrics)
    return tuple(
        MetricSeries(
            name,
            source,
            is_lower_better(name),
            tuple(
                MetricPoint(entry.commit, entry.round_index, value)
                for entry in line
                if (value := known.get(entry.commit.raw)) is not None
            ),
        )
        for (name, source), known in sorted(values.items())
        if len(known) > 1
    )


def effects_of(
    store: Store,
    commit_id: CommitId,
    commit: "Commit",
    evaluations: Iterable[Evaluated] = (),
) -> tuple[MetricEffect, ...]:
    """Gives what a commit did to each metric that is recorded for it.

    Args:
        store: where commits lie; those that cannot be read count as not recorded.
        commit_id: of the commit.
        commit: itself.
        evaluations: of this machine, oldest first.
    """
    parent = commit.parents[0] if commit.parents else None
    earlier: dict[tuple[str, str], float] = {}
    later: dict[tuple[str, str], float] = {}
    for one in evaluations:
        source = one.data or "this machine"
        for name, value in one.metrics.items():
            if one.commit == commit_id:
                later[name, source] = value
            elif one.commit == parent:
                earlier[name, source] = value
    sites = sites_of(store, commit)
    later |= {(site.name, SITES): site.mean for site in sites}
    for site in _sites_before(store, parent) if sites else ():
        earlier[site.name, SITES] = site.mean
    return tuple(
        MetricEffect(name, source, is_lower_better(name), earlier.get(key), after)
        for key, after in sorted(later.items())
        for name, source in (key,)
    )


def _sites_before(store: Store, start: CommitId | None) -> tuple[MetricSummary, ...]:
    """Of the nearest merge at or before a commit."""
    if start is None:
        return ()
    with suppress(StoreError, ObjectError):
        for _, commit in islice(walk(store, start, first_parent=True), _MAX_BACK):
            if commit.kind is CommitKind.MERGE and not commit.merges_models:
                return sites_of(store, commit)
    return ()
