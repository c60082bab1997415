"""`flair log`: lists the commits of a branch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from flair_client.cli.command import command
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.cli.sparkline import series_lines
from flair_client.cli.text import printable, wrapped
from flair_client.cli.types import time_text
from flair_client.commit_kind import CommitKind
from flair_client.porcelain.log import Log, LogEntry, LogGap, LogUpdate, log
from flair_client.porcelain.metric_history import LogWithMetrics, series_of
from flair_client.porcelain.metrics_file import read_evaluations
from flair_client.porcelain.reading import Reading
from flair_client.site_metrics import MetricSeries

if TYPE_CHECKING:
    from flair_client.objects import Revert

_COLUMNS = 80


@command(
    "log",
    result=LogWithMetrics,
    examples=(
        "flair log",
        "flair log --graph --oneline -n 10",
        "flair log flair://localnet/CREATOR/heart-risk@main",
    ),
)
@click.argument("ref", required=False)
@click.option("--graph", is_flag=True, help="Draw merges with their updates.")
@click.option("--oneline", is_flag=True, help="One line for each commit.")
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(min=1),
    metavar="N",
    help="The newest N; without it all of them.",
)
def log_command(
    app: App, ref: str | None, *, graph: bool, oneline: bool, max_count: int | None
) -> None:
    """Lists the commits of a branch.

    REF is a branch, a tag, HEAD, the first six or more digits of a commit, or one of
    them with ~N; or the address of a repository with or without @REF. Without it
    HEAD. Works without a network on what the workspace has; commits that are not
    here are fetched from the shared store. Each metric with two numbers among them
    is drawn in a line, oldest left. What is shown is not verified: `flair
    pull` and `flair verify` do that.
    """
    reading, chosen = open_reading(app, ref)
    entries: list[LogEntry | LogGap] = []
    more = False
    try:
        count = None if max_count is None else max_count + 1
        for entry in log(reading, chosen, limit=count, updates=graph):
            if len(entries) == max_count:
                more = True
                break
            entries.append(entry)
    finally:
        # What could be read is shown, whatever stopped the walk.
        series = _series(app, reading, entries, is_here=ref is None or "/" not in ref)
        found = LogWithMetrics(tuple(entries), more, series)
        app.out.result(
            found,
            lambda: log_text(found, graph=graph, oneline=oneline),
        )


def _series(
    app: App, reading: Reading, entries: Sequence[LogEntry | LogGap], *, is_here: bool
) -> tuple[MetricSeries, ...]:
    """The metrics of what is listed; elsewhere only those in the commits themselves."""
    if not is_here:
        return series_of(entries)
    evaluations = read_evaluations(app.workspace())
    return series_of(entries, evaluations, reading.store)


def log_text(found: Log, *, graph: bool, oneline: bool) -> str:
    """Shows commits to people, in 80 columns."""
    series = found.series if isinstance(found, LogWithMetrics) else ()
    lines: list[str] = series_lines(series)
    if lines:
        lines.append("")
    for place, entry in enumerate(found.commits):
        is_last = place == len(found.commits) - 1 and not found.more
        if isinstance(entry, LogGap):
            lines += _gap_lines(entry, graph=graph, oneline=oneline)
            continue
        if not graph:
            lines += _commit_lines(entry, _COLUMNS, oneline=oneline)
            if not oneline and not is_last:
                lines.append("")
            continue
        lines += _drawn(entry, is_last=is_last, oneline=oneline)
    return "\n".join(lines)


def _gap_lines(gap: LogGap, *, graph: bool, oneline: bool) -> list[str]:
    mark = "x " if graph else ""
    word = "" if oneline else "commit "
    line = printable(
        f"{mark}{word}{gap.commit.short} cannot be read: {gap.reason}", _COLUMNS
    )
    rest = [] if oneline else ["|" if graph else ""]
    return [line, *rest]


def _drawn(entry: LogEntry, *, is_last: bool, oneline: bool) -> list[str]:
    """A commit with the lines of the graph on its left.

    `*` is a commit of the line, `o` an update; each update was made from the commit
    below the merge.
    """
    first, *rest = _commit_lines(entry, _COLUMNS - 2, oneline=oneline)
    side = "| " if not is_last else "  "
    lines = [f"* {first}", *(f"{side}{line}".rstrip() for line in rest)]
    if entry.updates:
        lines.append("|\\")
        for place, update in enumerate(entry.updates):
            if place and not oneline:
                lines.append("| |")
            first, *rest = _update_lines(update, _COLUMNS - 4, oneline=oneline)
            lines.append(f"| o {first}")
            lines += [f"| | {line}".rstrip() for line in rest]
        lines.append("|/")
    elif not oneline:
        lines.append(side.rstrip())
    return lines[:-1] if is_last and not lines[-1] else lines


def _commit_lines(entry: LogEntry, columns: int, *, oneline: bool) -> list[str]:
    names = f" ({', '.join(entry.names)})" if entry.names else ""
    if oneline:
        subject = entry.message.split("\n", 1)[0]
        kind = _short_kind(entry)
        line = f"{entry.commit.short}{names} {kind}: {subject}"
        return [printable(line, columns)]
    return [
        printable(f"commit {entry.commit.short}{names}", columns),
        f"kind     {_long_kind(entry)}",
        f"author   {entry.author}",
        f"date     {time_text(entry.time)}",
        *_metric_lines(entry.metrics, columns),
        "",
        *wrapped(entry.message, columns, "    "),
    ]


def _update_lines(update: LogUpdate, columns: int, *, oneline: bool) -> list[str]:
    if oneline:
        author = str(update.author)[:8]
        subject = update.message.split("\n", 1)[0]
        line = f"{update.commit.short} update by {author}: {subject}"
        return [printable(line, columns)]
    samples = "" if update.samples is None else f", about {update.samples} samples"
    return [
        f"commit {update.commit.short}",
        f"kind     update, weight {update.weight}{samples}",
        f"author   {update.author}",
        f"date     {time_text(update.time)}",
        *_metric_lines(update.metrics, columns),
        "",
        *wrapped(update.message, columns, "    "),
    ]


def _metric_lines(metrics: Mapping[str, float], columns: int) -> list[str]:
    if not metrics:
        return []
    text = ", ".join(f"{name} {value:.6g}" for name, value in sorted(metrics.items()))
    first, *rest = wrapped(text, columns - 9)
    return [f"metrics  {first}", *(f"         {line}" for line in rest)]


def _short_kind(entry: LogEntry) -> str:
    if entry.n_models:
        return f"merge of {_models(entry)}"
    if entry.kind is CommitKind.MERGE:
        return f"merge of {entry.n_updates}, round {entry.round_index}"
    return entry.kind.value


def _models(entry: LogEntry) -> str:
    return f"{entry.n_models} model{'' if entry.n_models == 1 else 's'}"


def _long_kind(entry: LogEntry) -> str:
    if entry.n_models:
        return f"merge of {_models(entry)}"
    if entry.kind is CommitKind.MERGE:
        plural = "" if entry.n_updates == 1 else "s"
        return f"merge of {entry.n_updates} update{plural}, round {entry.round_index}"
    if entry.reverts is not None:
        return f"revert of {reverts_text(entry.reverts)}"
    return entry.kind.value


def reverts_text(reverts: "Revert") -> str:
    """Shows what a revert takes back."""
    if reverts.kind.value == "since":
        return f"all since {reverts.commit.short}"
    if reverts.update is None:
        return f"merge {reverts.commit.short}"
    if reverts.kind.value == "replay":
        return f"update {reverts.update.short} and what followed: a replay without it"
    return f"update {reverts.update.short} of merge {reverts.commit.short}"
