"""Lines and bars as SVG between words in HTML, so that words keep their size.

Nothing here reads anything: numbers and plain texts in, HTML out. The picture of a
chart is hidden from those who hear the page; what they get is its table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flair_client.page.html import Html, escaped, joined, number

# Lines of one chart: as many as there are colours.
MAX_LINES: Final = 8
# Points of a line: a page stays small, however long the history.
MAX_POINTS: Final = 200
_WIDTH, _HEIGHT = 1000, 400
_MARGIN: Final = 0.06
# Beyond so many places dots would hide the line.
_MAX_DOTS: Final = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart.

    Attributes:
        label: plain text.
        points: place on the horizontal axis, and the number there.
    """

    label: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Band:
    """An area between two numbers at each place, behind the lines."""

    points: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """What a chart is drawn over.

    Attributes:
        n_places: on the horizontal axis, 0 to `n_places - 1`.
        first: what stands at its left end, plain text.
        last: at its right end.
    """

    n_places: int
    first: str
    last: str


def line_chart(
    title: str, note: str, lines: Sequence[Line], axis: Axis, band: Band | None = None
) -> Html:
    """A figure with lines, a legend with each line's last number, and its scale.

    Args:
        title: plain text.
        note: beside it, plain text.
        lines: those after the eighth, and numbers that are not finite, are not drawn.
        axis: of all lines.
        band: behind them.
    """
    chosen = [_finite(line) for line in lines[:MAX_LINES]]
    chosen = [line for line in chosen if line.points]
    if not chosen:
        return Html("")
    values = [value for line in chosen for _, value in line.points]
    if band is not None:
        values += [
            one for _, *both in band.points for one in both if math.isfinite(one)
        ]
    scale = _Scale(min(values), max(values), axis.n_places)
    drawn = joined(_line(line, index, scale) for index, line in enumerate(chosen))
    behind = Html("") if band is None else _band(band, scale)
    return Html(
        f"<figure><figcaption><h3>{escaped(title, 60)}</h3>"
        f'<span class="soft">{escaped(note, 120)}</span></figcaption>'
        f'<div class="plot" aria-hidden="true"><div class="scale">'
        f"<span>{number(scale.high)}</span><span>{number(scale.low)}</span></div>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none">'
        f"{_grid()}{behind}{drawn}</svg>"
        f'<div class="along"><span>{escaped(axis.first, 24)}</span>'
        f"<span>{escaped(axis.last, 24)}</span></div></div>"
        f"{_legend(chosen)}</figure>"
    )


def bar(share: float, *, signed: bool = False) -> Html:
    """A small bar inside a table's cell, beside its number.

    Args:
        share: 0 to 1 of the bar's room; with `signed` -1 to 1, from the middle.
        signed: whether numbers below zero are drawn to the left.
    """
    kept = min(1.0, max(-1.0, share)) if math.isfinite(share) else 0.0
    if signed:
        start, size = 50 + min(kept, 0.0) * 50, abs(kept) * 50
    else:
        start, size = 0.0, max(kept, 0.0) * 100
    kind = "minus" if signed and kept < 0 else "bar"
    middle = '<rect class="rail" x="49.6" width="0.8" height="12"/>' if signed else ""
    return Html(
        '<svg class="bars" viewBox="0 0 100 12" preserveAspectRatio="none" '
        'aria-hidden="true"><rect class="rail" y="5.5" width="100" height="1"/>'
        f'{middle}<rect class="{kind}" x="{start:.1f}" y="1" width="{size:.1f}" '
        'height="10"/></svg>'
    )


def thinned(points: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most 200 points: of each stretch the first one, and the last of all."""
    if len(points) <= MAX_POINTS:
        return tuple(points)
    n_kept = MAX_POINTS - 1
    kept = [points[place * len(points) // n_kept] for place in range(n_kept)]
    return (*kept, points[-1])


class _Scale:
    """From places and numbers to the picture."""

    def __init__(self, low: float, high: float, n_places: int) -> None:
        self.low, self.high = low, high
        self._n_places = n_places

    def across(self, place: int) -> float:
        last = self._n_places - 1
        return _WIDTH / 2 if last < 1 else _WIDTH * place / last

    def down(self, value: float) -> float:
        low, high = self.low, self.high
        # Halved, so that the range of two extreme numbers stays finite.
        half = high / 2 - low / 2
        share = 0.5 if half <= 0 else (value / 2 - low / 2) / half
        inside = _MARGIN + (1 - 2 * _MARGIN) * (1 - share)
        return _HEIGHT * inside


def _finite(line: Line) -> Line:
    kept = [point for point in line.points if math.isfinite(point[1])]
    return Line(line.label, thinned(kept))


def _line(line: Line, index: int, scale: _Scale) -> Html:
    places = [(scale.across(x), scale.down(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    style = f'class="s{index}" fill="none" vector-effect="non-scaling-stroke"'
    drawn = f'<polyline {style} stroke-width="2" points="{path}"/>'
    if len(places) <= _MAX_DOTS:
        # Lines of no length with round ends: dots that stay round in a stretched box.
        dots = "".join(f"M{x:.1f} {y:.1f}h.01" for x, y in places)
        drawn += f'<path {style} stroke-width="7" stroke-linecap="round" d="{dots}"/>'
    return Html(drawn)


def _band(band: Band, scale: _Scale) -> Html:
    inside = [one for one in band.points if all(map(math.isfinite, one))]
    if len(inside) < 2:
        return Html("")
    step = -(-len(inside) // MAX_POINTS)
    kept = (
        inside[::step]
        if inside[::step][-1] == inside[-1]
        else [*inside[::step], inside[-1]]
    )
    above = [(scale.across(x), scale.down(high)) for x, _, high in kept]
    below = [(scale.across(x), scale.down(low)) for x, low, _ in reversed(kept)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*above, *below))
    return Html(f'<polygon class="band" points="{path}"/>')


def _grid() -> Html:
    lines = "".join(
        f'<path class="grid" d="M0 {_HEIGHT * part:.1f}H{_WIDTH}" '
        'vector-effect="non-scaling-stroke"/>'
        for part in (_MARGIN, 0.5, 1 - _MARGIN)
    )
    return Html(lines)


def _legend(lines: Sequence[Line]) -> Html:
    items = "".join(
        f'<li><svg viewBox="0 0 24 12" aria-hidden="true"><path class="s{index}" '
        f'stroke-width="3" d="M1 7H23"/></svg> {escaped(line.label, 40)} '
        f"<b>{number(line.points[-1][1])}</b></li>"
        for index, line in enumerate(lines)
    )
    return Html(f'<ul class="legend">{items}</ul>')
