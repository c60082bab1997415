"""Everything that an owner would rather look at than read, gathered for one page.

Reads only: commits, their blocks, what was measured on this machine. The chain is not
asked, so that what the page says about validity is what this machine knows.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.context import Context
from flair_client.data_sources import DataSource
from flair_client.errors import FlairError, ObjectError, StoreError, UsageError
from flair_client.history.graph import read_commit
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.diff import Diff, diff
from flair_client.porcelain.evaluate import evaluate
from flair_client.porcelain.log import LogEntry
from flair_client.porcelain.metric_history import effects_of, series_of
from flair_client.porcelain.metrics_file import Evaluated
from flair_client.porcelain.reading import Reading
from flair_client.porcelain.report_history import (
    ReportCommit,
    ReportLine,
    Validity,
    line_of,
)
from flair_client.porcelain.report_rounds import (
    Contributor,
    ReportRound,
    contributors_of,
    rejections_of,
    rounds_of,
)
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.site_metrics import MetricEffect, MetricSeries
from flair_client.training.data import ColumnMap
from flair_client.workspace import Workspace

# Commits that are looked at where nobody says how many.
DEFAULT_LIMIT: Final = 200
# Commits that are measured on the owner's own rows at most, the newest.
MAX_MEASURED: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a page shows.

    Attributes:
        title: how the repository is called.
        repo: its account.
        made_at: seconds since 1970 by this machine's clock.
        head: the commit that the report is about.
        since: where its line ends, left out; None where it goes to the root.
        line: commits of the line that were looked at, newest first.
        more: whether the line goes on behind them.
        graph: commits with their branches, children before parents.
        series: metrics along the line.
        effects: of the head on each metric that is recorded for it.
        changes: of the head's tensors against `since`, or its parent; None where it has
            none, or they cannot be read.
        rounds: merges whose updates were read, newest first.
        contributors: over these rounds.
        notes: what was left out, and why.
    """

    title: str
    repo: Address
    made_at: int
    head: CommitId
    since: CommitId | None
    line: tuple[CommitId, ...]
    more: bool
    graph: tuple[ReportCommit, ...]
    series: tuple[MetricSeries, ...]
    effects: tuple[MetricEffect, ...]
    changes: Diff | None
    rounds: tuple[ReportRound, ...]
    contributors: tuple[Contributor, ...]
    notes: tuple[str, ...]

    @property
    def head_commit(self) -> ReportCommit | None:
        """The head among the graph's commits."""
        return next((one for one in self.graph if one.commit == self.head), None)

    def count(self, validity: Validity) -> int:
        """How many of the graph's commits are known to be so."""
        return sum(one.validity is validity for one in self.graph)


def report(
    reading: Reading,
    ref: str | None = None,
    *,
    since: str | None = None,
    title: str = "",
    made_at: int = 0,
    limit: int = DEFAULT_LIMIT,
    evaluations: Iterable[Evaluated] = (),
    progress: Progress = NO_PROGRESS,
) -> Report:
    """Gathers a report; nothing is written and nothing is sent.

    What cannot be read is left out and named in the notes.

    Args:
        reading: where commits lie.
        ref: the head; HEAD without it.
        since: a commit before it: what lies behind is left out.
        title: how the repository is called; its account without it.
        made_at: the moment.
        limit: commits of the line at most.
        evaluations: of this machine, oldest first.
        progress: counts tensors.

    Raises:
        RefUnknown: there is no such commit.
        UsageError: the head is an update, or `since` is not before it.
        BlockMissing, DigestMismatch, ObjectError: the head cannot be read.
    """
    head = reading.resolve(ref)
    start = None if since is None else reading.resolve(since)
    commit = read_commit(reading.store, head)
    if commit.kind is CommitKind.UPDATE:
        raise UsageError(f"commit {head.short} is an update: report the merge of it")
    known = list(evaluations)
    line = line_of(reading, head, start, limit)
    entries = [one for one in line.entries if isinstance(one, LogEntry)]
    read = rounds_of(reading.store, entries, progress)
    merges = entries[: _span(entries, read.rounds)]
    changes, why = _changes(reading, line, head, start, progress)
    return Report(
        title=title or str(commit.repo),
        repo=commit.repo,
        made_at=made_at,
        head=head,
        since=start,
        line=tuple(one.commit for one in line.entries),
        more=line.more,
        graph=line.graph,
        series=series_of(line.entries, known, reading.store),
        effects=effects_of(reading.store, head, commit, known),
        changes=changes,
        rounds=tuple(read.rounds),
        contributors=contributors_of(read.rounds, rejections_of(reading.store, merges)),
        notes=(*read.notes, *why),
    )


def _span(entries: list[LogEntry], rounds: list[ReportRound]) -> int:
    """How many commits, from the newest, the rounds that were read reach back over."""
    if not rounds:
        return 0
    last = rounds[-1].commit
    return 1 + next(n for n, one in enumerate(entries) if one.commit == last)


def _changes(
    reading: Reading,
    line: ReportLine,
    head: CommitId,
    since: CommitId | None,
    progress: Progress,
) -> tuple[Diff | None, list[str]]:
    first = line.entries[0] if line.entries else None
    before = since
    if before is None and isinstance(first, LogEntry) and first.parents:
        before = first.parents[0]
    if before is None:
        return None, []
    try:
        return diff(reading, str(before), str(head), progress=progress), []
    except FlairError as exc:
        return None, [f"the head's tensors cannot be compared: {exc}"]


def measure_line(
    ctx: Context,
    workspace: Workspace,
    data: DataSource | Path,
    reading: Reading,
    ref: str | None = None,
    *,
    since: str | None = None,
    limit: int = DEFAULT_LIMIT,
    column_map: ColumnMap | None = None,
    device: str = "auto",
    sandbox: bool = True,
) -> list[Evaluated]:
    """Measures the newest 32 commits of a line on one's own rows, oldest first.

    What was measured on these rows before is not measured again.

    Args:
        ctx: as for `evaluate`.
        workspace: likewise.
        data: likewise.
        reading: where commits lie.
        ref: as for `report`.
        since: likewise.
        limit: likewise.
        column_map: as for `evaluate`.
        device: likewise.
        sandbox: likewise.

    Raises:
        As `evaluate` and `report`.
    """
    start = None if since is None else reading.resolve(since)
    line = line_of(reading, reading.resolve(ref), start, min(limit, MAX_MEASURED))
    found = []
    for entry in reversed(line.entries):
        if not isinstance(entry, LogEntry):
            continue
        # A model whose blocks are gone leaves a gap; a file that is wrong does not.
        with suppress(StoreError, ObjectError):
            found.append(
                evaluate(
                    *(ctx, workspace, data),
                    ref=str(entry.commit),
                    column_map=column_map,
                    device=device,
                    sandbox=sandbox,
                    again=False,
                )
            )
    return found
