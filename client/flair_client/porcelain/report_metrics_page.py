"""The parts of a report's page that are about metrics; used by `report_page`."""

from collections.abc import Sequence
from typing import Final

from flair_client.ids import CommitId
from flair_client.page.charts import MAX_LINES, Axis, Band, Line, bar, line_chart
from flair_client.page.html import (
    Html,
    code,
    details,
    escaped,
    joined,
    number,
    paragraph,
    section,
    table,
)
from flair_client.porcelain.report import Report
from flair_client.porcelain.report_rounds import ReportRound, site_of
from flair_client.site_metrics import MetricSeries, MetricSummary, is_lower_better

# Charts of one part; a recipe has a few metrics, and names are cheap to make up.
_MAX_CHARTS: Final = 8
_MAX_ROWS: Final = 64
_MAX_SITES: Final = 32


def metrics_section(report: Report) -> Html:
    """Each metric over the commits, a chart for each name, a line for each source."""
    by_name: dict[str, list[MetricSeries]] = {}
    for one in report.series:
        by_name.setdefault(one.name, []).append(one)
    charts = [
        _chart(name, found, report.line)
        for name, found in list(by_name.items())[:_MAX_CHARTS]
    ]
    if not charts:
        return Html("")
    said = (
        "“sites” is the mean of what the sites of a merge state of their own rows, "
        "weighted by their buckets of samples; “commits” what commits state of "
        "themselves; all else was measured on this machine."
    )
    left = len(by_name) - len(charts)
    more = (
        paragraph(f"And {left} more metrics; see --json.", "soft") if left > 0 else None
    )
    return section(
        "Metrics over the rounds",
        paragraph(said, "lead"),
        Html(f'<div class="charts">{joined(charts)}</div>'),
        more or Html(""),
    )


def _chart(name: str, series: Sequence[MetricSeries], line: Sequence[CommitId]) -> Html:
    # A place for each commit that any source has a number of, oldest first.
    used = {point.commit for one in series for point in one.points}
    places = [commit for commit in reversed(line) if commit in used]
    at = {commit: place for place, commit in enumerate(places)}
    rounds = {point.commit: point.round_index for one in series for point in one.points}
    lines = [
        Line(
            one.source,
            tuple((at[p.commit], p.value) for p in one.points if p.commit in at),
        )
        for one in series
    ]
    axis = Axis(
        len(places),
        _label(places[0], rounds[places[0]]),
        _label(places[-1], rounds[places[-1]]),
    )
    side = "smaller is better" if is_lower_better(name) else "larger is better"
    picture = line_chart(name, side, lines, axis)
    n_rows = _MAX_ROWS // min(len(series), MAX_LINES)
    rows = [
        (
            code(point.commit.short),
            escaped(one.source, 40),
            number(point.round_index, "d"),
            number(point.value, ".6g"),
        )
        for one in series[:MAX_LINES]
        for point in one.points[-n_rows:]
    ]
    heads = ("Commit", "Of", "Round", name[:40])
    numbers = table(f"{name[:40]} by commit, oldest first", heads, rows, n_left=2)
    return Html(f"<div>{picture}{details('Numbers', numbers)}</div>")


def _label(commit: CommitId, round_index: int | None) -> str:
    return commit.short if round_index is None else f"round {round_index}"


def sites_section(report: Report) -> Html:
    """How the sites fare: mean, worst and spread over the merges, then each site."""
    told = [one for one in report.rounds if one.sites]
    if not told:
        return Html("")
    names = [one.name for one in sorted(told[0].sites, key=lambda o: -o.n_sites)]
    charts = [_spread(name, told) for name in names[:_MAX_CHARTS]]
    said = (
        "What sites state of the model that they trained, on their own rows, before "
        "the merge. The band goes from the smallest to the largest site, the lines are "
        "the mean by samples and the worst site. Samples are buckets, not counts."
    )
    return section(
        "How the sites fare",
        paragraph(said, "lead"),
        Html(f'<div class="charts">{joined(charts)}</div>'),
        _sites_table(told[0], names[:3]),
    )


def _spread(name: str, told: Sequence[ReportRound]) -> Html:
    rounds = [(one, _summary(one, name)) for one in reversed(told)]
    known = [
        (place, one, found)
        for place, (one, found) in enumerate(rounds)
        if found is not None
    ]
    mean = Line("mean", tuple((place, found.mean) for place, _, found in known))
    worst = Line("worst site", tuple((place, found.worst) for place, _, found in known))
    band = Band(tuple((place, *_range(found)) for place, _, found in known))
    first, last = rounds[0][0], rounds[-1][0]
    axis = Axis(
        len(rounds),
        _label(first.commit, first.round_index),
        _label(last.commit, last.round_index),
    )
    side = "smaller is better" if is_lower_better(name) else "larger is better"
    picture = line_chart(name, side, (mean, worst), axis, band)
    rows = [
        (
            escaped(_label(one.commit, one.round_index)),
            code(str(found.worst_site)[:8]),
            number(found.mean),
            number(found.worst),
            number(found.spread),
            number(found.n_sites, "d"),
            number(found.n_samples, "d"),
        )
        for _, one, found in reversed(known)
    ]
    numbers = table(
        f"{name[:40]} over the sites, newest first",
        ("Merge", "Worst site", "Mean", "Worst", "Spread", "Sites", "Samples"),
        rows,
        n_left=2,
    )
    return Html(f"<div>{picture}{details('Numbers', numbers)}</div>")


def _range(found: MetricSummary) -> tuple[float, float]:
    """Smallest and largest value of a site."""
    if found.lower_is_better:
        return found.worst - found.spread, found.worst
    return found.worst, found.worst + found.spread


def _summary(one: ReportRound, name: str) -> MetricSummary | None:
    return next((found for found in one.sites if found.name == name), None)


def _sites_table(newest: ReportRound, names: Sequence[str]) -> Html:
    sites = [site_of(update) for update in newest.updates]
    largest = {
        name: max((abs(site.metrics.get(name, 0.0)) for site in sites), default=0.0)
        for name in names
    }
    rows = [
        (
            code(str(site.contributor)),
            number(site.samples, "d"),
            *(_site_cell(site.metrics.get(name), largest[name]) for name in names),
        )
        for site in sites[:_MAX_SITES]
    ]
    title = (
        f"Each site in the newest merge, {_label(newest.commit, newest.round_index)}"
    )
    heads = ("Site", "Samples", *(name[:40] for name in names))
    return joined((paragraph(title, "soft"), table(title, heads, rows)))


def _site_cell(value: float | None, largest: float) -> Html:
    if value is None:
        return number(value)
    return Html(f"{number(value)}{bar(abs(value) / (largest or 1.0))}")
