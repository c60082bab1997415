"""The commits of a report: a line, the branches beside it, and whether each holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flair_client.errors import FlairError, ObjectError, StoreError, UsageError
from flair_client.history.graph import newest_first
from flair_client.history.verify_update import read_commit
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind, Revert
from flair_client.porcelain.log import LogEntry, LogGap, log
from flair_client.porcelain.reading import Reading
from flair_client.store.base import Store

# Rows of the graph: a page stays small, however long the history.
MAX_ROWS: Final = 64
_MAX_BRANCHES: Final = 6
_MAX_MESSAGE: Final = 200


class Validity(StrEnum):
    """What this machine knows about a commit."""

    VERIFIED = "verified"  # by pull or verify, with everything before it
    SIGNED = "signed"  # its author's signature holds; the rest was not looked at
    WRONG = "wrong"  # damaged, or not signed by its author
    UNREADABLE = "unreadable"  # its block is not to be had


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCommit:
    """One commit of the graph.

    Attributes:
        parents: the head before it, then models that it was merged from.
        message: its first 200 characters; empty where it cannot be read.
        time: seconds since 1970, as the author claims.
        on_line: whether it is of the reported line, not of a branch beside it.
        reason: what is wrong with it; None where nothing is.
    """

    commit: CommitId
    names: tuple[str, ...]
    kind: CommitKind | None
    branch: str
    parents: tuple[CommitId, ...]
    author: Address | None
    message: str
    time: int
    round_index: int | None
    n_updates: int
    n_models: int
    reverts: Revert | None
    on_line: bool
    validity: Validity
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What a report is about.

    Attributes:
        entries: of the line, newest first.
        more: whether older commits follow that were not asked for.
        graph: the newest of them and of branches beside it, children before parents.
    """

    entries: tuple[LogEntry | LogGap, ...]
    more: bool
    graph: tuple[ReportCommit, ...]


def line_of(
    reading: Reading, head: CommitId, since: CommitId | None, limit: int
) -> ReportLine:
    """Reads a line and draws the branches that left it in.

    Args:
        reading: where commits lie.
        head: where the line begins.
        since: where it ends, left out; without it branches beside it are drawn too.
        limit: how many commits at most.

    Raises:
        UsageError: `since` is not before the head.
        BlockMissing, DigestMismatch, ObjectError: as `log`.
    """
    entries: list[LogEntry | LogGap] = []
    found_since = since is None
    more = False
    for entry in log(reading, str(head)):
        if entry.commit == since:
            found_since = True
            break
        if len(entries) == limit:
            more = True
            if found_since:
                break
            continue
        entries.append(entry)
    if not found_since and since is not None:
        raise UsageError(f"commit {since.short} is not before {head.short} on its line")
    rows = [(entry, True) for entry in entries[:MAX_ROWS]]
    if since is None:
        rows += [(entry, False) for entry in _beside(reading, rows)]
    ordered = _ordered([entry for entry, _ in rows])[:MAX_ROWS]
    on_line = {entry.commit for entry, is_on in rows if is_on}
    graph = tuple(
        _commit(reading, one, on_line=one.commit in on_line) for one in ordered
    )
    return ReportLine(tuple(entries), more, graph)


def _beside(
    reading: Reading, rows: Sequence[tuple[LogEntry | LogGap, bool]]
) -> Iterator[LogEntry]:
    """Commits of other branches that are not on the line, until they meet it."""
    seen = {entry.commit for entry, _ in rows}
    n_branches = 0
    for _, head in sorted(reading.heads.items()):
        if head in seen or n_branches == _MAX_BRANCHES:
            continue
        n_branches += 1
        try:
            for entry in log(reading, str(head), limit=MAX_ROWS):
                if entry.commit in seen or isinstance(entry, LogGap):
                    break
                seen.add(entry.commit)
                yield entry
        except (StoreError, ObjectError):
            # A branch that cannot be read here is not part of this line.
            continue


def _ordered(entries: Sequence[LogEntry | LogGap]) -> list[LogEntry | LogGap]:
    """By time, no parent before its child; a gap behind the commit on top of it."""
    whole = [entry for entry in entries if isinstance(entry, LogEntry)]
    by_id = {entry.commit: entry for entry in whole}
    gaps: dict[CommitId | None, list[LogGap]] = {}
    last: CommitId | None = None
    for entry in entries:
        if isinstance(entry, LogGap):
            gaps.setdefault(last, []).append(entry)
        else:
            last = entry.commit
    ordered: list[LogEntry | LogGap] = list(gaps.get(None, ()))
    for commit_id, _ in newest_first([(one.commit, one) for one in by_id.values()]):
        ordered += [by_id[commit_id], *gaps.get(commit_id, ())]
    return ordered


def _commit(
    reading: Reading, entry: LogEntry | LogGap, *, on_line: bool
) -> ReportCommit:
    if isinstance(entry, LogGap):
        return ReportCommit(
            commit=entry.commit,
            names=reading.names_of(entry.commit),
            kind=None,
            branch="",
            parents=(),
            author=None,
            message="",
            time=0,
            round_index=None,
            n_updates=0,
            n_models=0,
            reverts=None,
            on_line=on_line,
            validity=Validity.UNREADABLE,
            reason=entry.reason[:_MAX_MESSAGE],
        )
    validity, reason = _judged(reading.store, entry)
    return ReportCommit(
        commit=entry.commit,
        names=entry.names,
        kind=entry.kind,
        branch=entry.branch,
        parents=entry.parents if entry.n_models else entry.parents[:1],
        author=entry.author,
        message=entry.message[:_MAX_MESSAGE],
        time=entry.time,
        round_index=entry.round_index,
        n_updates=entry.n_updates,
        n_models=entry.n_models,
        reverts=entry.reverts,
        on_line=on_line,
        validity=validity,
        reason=reason,
    )


def _judged(store: Store, entry: LogEntry) -> tuple[Validity, str | None]:
    if entry.verified:
        return Validity.VERIFIED, None
    try:
        read_commit(store, entry.commit)
    except StoreError as exc:
        return Validity.UNREADABLE, str(exc)[:_MAX_MESSAGE]
    except FlairError as exc:
        return Validity.WRONG, str(exc)[:_MAX_MESSAGE]
    return Validity.SIGNED, None
