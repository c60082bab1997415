"""The merges of a report: who contributed how much, how sites fare, what was told."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from flair_client.encoding import decode_delta, decode_event_list
from flair_client.errors import FlairError, ObjectError, StoreError
from flair_client.history.graph import manifest_of, read_commit
from flair_client.history.influence import merge_cosines
from flair_client.ids import Address, CommitId
from flair_client.objects import Commit, Delta, Privacy
from flair_client.porcelain.log import LogEntry
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.site_metrics import MetricSummary, SiteMetrics, summarise
from flair_client.store.base import Store

# Updates of so many merges are read at most, the newest.
MAX_MERGES: Final = 32
# Directions need every value: so many are read at most, of updates and states together.
MAX_VALUES: Final = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedUpdate:
    """One update of a merge.

    Attributes:
        contributor: whose it is.
        weight: with which the merge counts it.
        share: of all weight of the merge, 0 to 1.
        samples: the bucket of samples that it states; None where it states none.
        l2: its length, in units of the weights; None where it cannot be read.
        cosine: of its direction to that of the merge; None where it was not compared.
        metrics: that it states of its own rows.
        privacy: what it states.
    """

    commit: CommitId
    contributor: Address
    weight: int
    share: float
    samples: int | None
    l2: float | None
    cosine: float | None
    metrics: dict[str, float]
    privacy: Privacy | None


@dataclass(frozen=True, slots=True)
class ReportRound:
    """One merge of a round.

    Attributes:
        sites: what its updates state of their sites' rows, summed up.
    """

    commit: CommitId
    round_index: int | None
    updates: tuple[MergedUpdate, ...]
    sites: tuple[MetricSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """One contributor over the merges that were read.

    Attributes:
        merged: updates of it that are in these merges.
        rejected: updates that the owner left out, in the same commits' events.
        share: of all weight of these merges, 0 to 1.
        l2: mean length of its updates, in units of the weights.
        cosine: mean of its updates' cosines to their merges.
        modes: privacy modes that its updates state.
        epsilon: sum of what they state, an upper bound of what they give away together;
            None where one of them states none.
        delta: sum as well.
        n_stated: of its updates, that state an epsilon.
    """

    contributor: Address
    merged: int
    rejected: int
    share: float
    l2: float | None
    cosine: float | None
    modes: tuple[str, ...]
    epsilon: float | None
    delta: float | None
    n_stated: int


@dataclass(slots=True)
class RoundsRead:
    """Rounds, newest first, and what could not be read of them."""

    rounds: list[ReportRound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rounds_of(
    store: Store, entries: Iterable[LogEntry], progress: Progress = NO_PROGRESS
) -> RoundsRead:
    """Reads the newest merges of a line.

    Args:
        store: where commits and their blocks lie; what is missing becomes a note.
        entries: of the line, newest first.
        progress: counts tensors.
    """
    read = RoundsRead()
    room = MAX_VALUES
    merges = [entry for entry in entries if entry.n_updates]
    for entry in merges[:MAX_MERGES]:
        try:
            merge = read_commit(store, entry.commit)
            room -= _n_values(store, merge)
            read.rounds.append(
                _round(
                    *(store, entry.commit, merge, read.notes),
                    progress=progress if room >= 0 else None,
                )
            )
        except (StoreError, ObjectError) as exc:
            read.notes.append(f"merge {entry.commit.short} cannot be read: {exc}")
    if len(merges) > MAX_MERGES:
        n_left = len(merges) - MAX_MERGES
        read.notes.append(f"updates of {n_left} older merges were not read")
    if room < 0:
        read.notes.append("directions were compared in the newest merges only")
    return read


def contributors_of(
    rounds: Sequence[ReportRound], rejected: Counter[Address]
) -> tuple[Contributor, ...]:
    """Sums merges up by contributor, the most weight first."""
    by_contributor: dict[Address, list[MergedUpdate]] = {who: [] for who in rejected}
    for one in rounds:
        for update in one.updates:
            by_contributor.setdefault(update.contributor, []).append(update)
    weight = sum(u.weight for one in rounds for u in one.updates)
    found = [
        _contributor(who, updates, rejected[who], weight)
        for who, updates in by_contributor.items()
    ]
    found.sort(key=lambda one: (-one.share, -one.merged, one.contributor))
    return tuple(found)


def rejections_of(store: Store, entries: Iterable[LogEntry]) -> Counter[Address]:
    """Counts by contributor what owners rejected, by the events that commits carry.

    What cannot be read is not counted. The chain is not asked.
    """
    from flair_client.chain.events import UpdateRejected, decode_event

    found: Counter[Address] = Counter()
    for entry in entries:
        with suppress(StoreError, ObjectError):
            commit = read_commit(store, entry.commit)
            if commit.events is None:
                continue
            for event_bytes in decode_event_list(store.get(commit.events)).events:
                event = decode_event(event_bytes)
                if isinstance(event, UpdateRejected):
                    found[event.contributor] += 1
    return found


def _round(
    store: Store,
    commit_id: CommitId,
    merge: Commit,
    notes: list[str],
    *,
    progress: Progress | None,
) -> ReportRound:
    """A merge; without progress directions are not compared."""
    weights = () if merge.strategy is None else merge.strategy.weights
    read: list[_Read] = []
    for update_id, weight in zip(merge.parents[1:], weights, strict=False):
        try:
            update = read_commit(store, update_id)
        except (StoreError, ObjectError) as exc:
            notes.append(f"update {update_id.short} cannot be read: {exc}")
            continue
        read.append(_Read(update_id, weight, update, _delta(store, update)))
    cosines: dict[CommitId, float | None] = {}
    if progress is not None:
        try:
            cosines = _cosines(store, commit_id, merge, read, progress)
        except FlairError as exc:
            notes.append(f"values of merge {commit_id.short} cannot be read: {exc}")
    total = sum(weights) or 1
    updates = tuple(_update(one, total, cosines.get(one.commit)) for one in read)
    sites = summarise([site_of(one) for one in updates])
    return ReportRound(commit_id, merge.round_index, updates, sites)


@dataclass(frozen=True, slots=True)
class _Read:
    """An update as it was read; without a delta where that is not to be had."""

    commit: CommitId
    weight: int
    update: Commit
    delta: Delta | None


def site_of(update: MergedUpdate) -> SiteMetrics:
    """What the site of an update states."""
    return SiteMetrics(update.contributor, update.samples, update.metrics)


def _delta(store: Store, update: Commit) -> Delta | None:
    if update.delta is None:
        return None
    with suppress(StoreError, ObjectError):
        return decode_delta(store.get(update.delta))
    return None


def _cosines(
    store: Store,
    commit_id: CommitId,
    merge: Commit,
    read: Sequence[_Read],
    progress: Progress,
) -> dict[CommitId, float | None]:
    known = [(one.commit, one.delta) for one in read if one.delta is not None]
    before, after = manifest_of(store, merge.parents[0]), manifest_of(store, commit_id)
    deltas = [delta for _, delta in known]
    found = merge_cosines(store, before, after, deltas, progress)
    return {update_id: one for (update_id, _), one in zip(known, found, strict=True)}


def _update(read: _Read, total: int, cosine: float | None) -> MergedUpdate:
    update, delta = read.update, read.delta
    training = update.training
    return MergedUpdate(
        commit=read.commit,
        contributor=update.author if delta is None else delta.contributor,
        weight=read.weight,
        share=read.weight / total,
        samples=None if training is None else training.samples_bucket,
        l2=None if delta is None else _length(delta),
        cosine=cosine,
        metrics=dict(update.metrics or {}),
        privacy=update.privacy,
    )


def _length(delta: Delta) -> float:
    return math.sqrt(delta.norm_sq) * 2.0**delta.scale_exp


def _n_values(store: Store, merge: Commit) -> int:
    """How many values comparing directions in a merge would read."""
    manifest = manifest_of(store, merge.parents[0])
    n_shared = sum(one.n_values for one in manifest.tensors if one.role.is_shared)
    return n_shared * (len(merge.parents) + 1)


def _contributor(
    who: Address, updates: Sequence[MergedUpdate], rejected: int, weight: int
) -> Contributor:
    stated = [one.privacy for one in updates if one.privacy is not None]
    lost = [one.epsilon for one in stated if one.epsilon is not None]
    whole = bool(updates) and len(lost) == len(updates)
    return Contributor(
        contributor=who,
        merged=len(updates),
        rejected=rejected,
        share=sum(one.weight for one in updates) / (weight or 1),
        l2=_mean([one.l2 for one in updates if one.l2 is not None]),
        cosine=_mean([one.cosine for one in updates if one.cosine is not None]),
        modes=tuple(sorted({one.mode for one in stated})),
        epsilon=math.fsum(lost) if whole else None,
        delta=math.fsum(one.delta or 0.0 for one in stated) if whole else None,
        n_stated=len(lost),
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
