"""Series of numbers drawn in one line, in signs that the terminal can show."""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from flair_client.cli.text import printable, width
from flair_client.site_metrics import MetricSeries

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = "_.-~=+*#"
_COLUMNS: Final = 32
_NAME, _SOURCE = 16, 16


def can_show(text: str) -> bool:
    """Whether standard output can show these signs."""
    if os.environ.get("TERM") == "dumb":
        return False
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sparkline(values: Sequence[float], *, is_ascii: bool | None = None) -> str:
    """Draws finite numbers, a sign each; of more than 32 the mean of neighbours.

    Args:
        values: oldest first.
        is_ascii: without it by what standard output can show.
    """
    if is_ascii is None:
        is_ascii = not can_show(_BLOCKS)
    levels = _ASCII if is_ascii else _BLOCKS
    points = _thinned(values)
    if not points:
        return ""
    low, high = min(points), max(points)
    if low == high:
        return levels[len(levels) // 2] * len(points)
    last = len(levels) - 1
    # Halved, so that the range of two extreme numbers stays finite.
    return "".join(
        levels[round((one / 2 - low / 2) / (high / 2 - low / 2) * last)]
        for one in points
    )


def _thinned(values: Sequence[float]) -> list[float]:
    n = len(values)
    if n <= _COLUMNS:
        return list(values)
    edges = [n * column // _COLUMNS for column in range(_COLUMNS + 1)]
    return [
        sum(one / (after - before) for one in values[before:after])
        for before, after in pairwise(edges)
    ]


def series_lines(series: Sequence[MetricSeries]) -> list[str]:
    """A line for each series: metric, where it is from, the line, first and last."""
    names = [printable(one.name, _NAME) for one in series]
    sources = [printable(one.source, _SOURCE) for one in series]
    lines = []
    for one, name, source in zip(series, names, sources, strict=True):
        values = [point.value for point in one.points]
        drawn = sparkline(values)
        shown = f"{values[0]:.4g} to {values[-1]:.4g}"
        lines.append(
            f"{_padded(name, names)}  {_padded(source, sources)}  {drawn}  {shown}"
        )
    return lines


def _padded(text: str, others: Sequence[str]) -> str:
    return text + " " * (max(map(width, others)) - width(text))
