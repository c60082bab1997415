"""Lists the commits of a branch's line, newest first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flair_client.commit_kind import CommitKind
from flair_client.history.commit_pack import CommitHeader
from flair_client.history.gaps import Unreadable
from flair_client.history.graph import read_commit
from flair_client.ids import Address, CommitId
from flair_client.porcelain.reading import Reading
from flair_client.store.base import Store

if TYPE_CHECKING:
    from flair_client.objects import Commit, Revert


@dataclass(frozen=True, slots=True)
class LogUpdate:
    """An update that a merge holds.

    Attributes:
        weight: with which the merge counts it.
        samples: the bucket of samples that it states; None where it states none.
    """

    commit: CommitId
    author: Address
    message: str
    time: int
    weight: int
    samples: int | None
    metrics: Mapping[str, float]


# Not frozen, which takes three times as long to make: a line may have ten thousand.
@dataclass(slots=True)
class LogEntry:
    """One commit of the line.

    Attributes:
        names: HEAD and branches that stand here.
        time: seconds since 1970, as the author claims.
        reverts: what a revert takes back.
        n_updates: how many a merge of a round holds.
        n_models: how many models a merge of models was made from.
        updates: those of a merge; empty where they were not asked for.
        verified: whether the commit was found right on this machine.
    """

    commit: CommitId
    names: tuple[str, ...]
    kind: CommitKind
    branch: str
    parents: tuple[CommitId, ...]
    author: Address
    message: str
    time: int
    round_index: int | None
    metrics: Mapping[str, float]
    reverts: "Revert | None"
    n_updates: int
    updates: tuple[LogUpdate, ...]
    verified: bool
    n_models: int = 0


@dataclass(frozen=True, slots=True)
class LogGap:
    """A commit of the line that cannot be read; the line goes on behind it.

    Attributes:
        reason: what is wrong with it.
    """

    commit: CommitId
    reason: str


@dataclass(frozen=True, slots=True)
class Log:
    """A part of a history.

    Attributes:
        commits: newest first; each gap where it lies.
        more: whether older commits follow.
    """

    commits: tuple[LogEntry | LogGap, ...]
    more: bool


def log(
    reading: Reading,
    ref: str | None = None,
    *,
    limit: int | None = None,
    updates: bool = False,
) -> Iterator[LogEntry | LogGap]:
    """Goes through the commits of a line, newest first.

    A commit that cannot be read is a gap, if what lies behind it is known. Blocks are
    checked against their ids; signatures and merges are for `verify`.

    Args:
        reading: where commits lie.
        ref: where to begin; HEAD without it.
        limit: how many at most.
        updates: whether the updates of merges are read too.

    Raises:
        RefUnknown: there is no such commit.
        BlockMissing, DigestMismatch, ObjectError: a commit cannot be read and what lies
            behind it is not known; those before it were given.
    """
    start = reading.resolve(ref)
    unread: Unreadable | None = None
    names = reading.names()
    for place, (commit_id, found) in enumerate(reading.walk(start)):
        if place == limit:
            return
        if isinstance(found, Exception):
            unread = unread or found
            yield LogGap(commit_id, str(found))
        else:
            unread = None
            called = names.get(commit_id, ())
            yield _entry(reading, commit_id, found, called, with_updates=updates)
    if unread is not None:
        raise unread


def _entry(
    reading: Reading,
    commit_id: CommitId,
    commit: "Commit | CommitHeader",
    names: tuple[str, ...],
    *,
    with_updates: bool,
) -> LogEntry:
    is_merge = commit.kind is CommitKind.MERGE and not commit.merges_models
    models = commit.strategy if commit.merges_models else None
    return LogEntry(
        commit_id,
        names,
        commit.kind,
        commit.branch,
        commit.parents,
        commit.author,
        commit.message,
        commit.time,
        commit.round_index,
        commit.metrics or {},
        commit.reverts,
        len(commit.parents) - 1 if is_merge else 0,
        tuple(_updates(reading.store, commit)) if with_updates and is_merge else (),
        commit_id in reading.verified,
        0 if models is None else len(models.weights),
    )


def _updates(store: Store, merge: "Commit | CommitHeader") -> Iterator[LogUpdate]:
    weights = () if merge.strategy is None else merge.strategy.weights
    for commit_id, weight in zip(merge.parents[1:], weights, strict=True):
        update = read_commit(store, commit_id)
        yield LogUpdate(
            commit_id,
            update.author,
            update.message,
            update.time,
            weight,
            None if update.training is None else update.training.samples_bucket,
            update.metrics or {},
        )
