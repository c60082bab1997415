"""A history as a picture beside its table: lanes, merges, what a revert takes back.

Each commit has a row of fixed height, so that the picture fits the words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flair_client.page.html import Html, escaped, joined

# In rem: the height of a row as the style sets it, a lane, the room of a lane's dots.
_ROW: Final = 3.5
_LANE: Final = 1.3
_LEFT: Final = 0.8
_COLORS: Final = 8
_MAX_LANES: Final = 8
# Dots for updates of one merge; more are told in words.
_MAX_DOTS: Final = 6
_DOT: Final = 0.55


@dataclass(frozen=True, slots=True)
class Row:
    """A commit of a history, newest first.

    Attributes:
        key: names the commit among the rows.
        parents: keys, the one of its own line first; those of no row lead down and out.
        n_side: updates that it merged.
        undoes: key of the commit that it takes back.
        is_hollow: drawn as a ring: a commit that takes something back, or is unread.
        head: of the words, HTML.
        below: under it, HTML.
        who: HTML.
        state: HTML.
    """

    key: str
    parents: tuple[str, ...]
    n_side: int
    undoes: str | None
    is_hollow: bool
    head: Html
    below: Html
    who: Html
    state: Html


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a row's commit stands, and the lines from its row to the next.

    Attributes:
        lane: 0 is the leftmost.
        edges: lane in this row's middle, and in that of the next.
    """

    lane: int
    edges: tuple[tuple[int, int], ...]


def placed(rows: Sequence[Row]) -> list[Placed]:
    """Gives each commit a lane, and each step down its lines.

    A lane waits for a commit: a first parent goes on in its child's lane, other
    parents get lanes of their own, and lanes that wait for the same commit meet there.
    """
    listed = {row.key for row in rows}
    waiting: list[str | None] = []
    found = []
    for row in rows:
        if row.key not in waiting:
            _wait(waiting, row.key)
        lane = waiting.index(row.key)
        waiting[lane] = None
        passing = {key: place for place, key in enumerate(waiting) if key is not None}
        targets = []
        for place, parent in enumerate(row.parents):
            if place and parent not in listed:
                # What was merged from elsewhere is told in words.
                continue
            targets.append(_lane_of(waiting, parent, lane if place == 0 else None))
        edges = [(lane, target) for target in targets]
        edges += [(place, waiting.index(key)) for key, place in passing.items()]
        found.append(Placed(lane, tuple(edges)))
        while waiting and waiting[-1] is None:
            waiting.pop()
    return found


def _lane_of(waiting: list[str | None], key: str, own: int | None) -> int:
    """The lane that waits for a parent from here on.

    A line keeps its lane: branches that left it to the right come back to it.
    """
    if key in waiting:
        lane = waiting.index(key)
        if own is None or own > lane:
            return lane
        waiting[lane] = None
    if own is None:
        return _wait(waiting, key)
    waiting[own] = key
    return own


def _wait(waiting: list[str | None], key: str) -> int:
    if None in waiting:
        lane = waiting.index(None)
        waiting[lane] = key
        return lane
    waiting.append(key)
    return len(waiting) - 1


def history_table(caption: str, rows: Sequence[Row]) -> Html:
    """The rows as a table with the picture at its left.

    Args:
        caption: for those who hear the page; plain text.
        rows: newest first.
    """
    if not rows:
        return Html("")
    picture, width = history_picture(rows)
    body = "".join(
        f'<tr><th scope="row" style="padding-left:{width:.2f}rem"><div>{row.head}</div>'
        f'<div class="soft">{row.below}</div></th>'
        f'<td class="who soft">{row.who}</td><td class="state">{row.state}</td></tr>'
        for row in rows
    )
    return Html(
        f'<div class="history">{picture}<table>'
        f'<caption class="unseen">{escaped(caption)}</caption>'
        '<colgroup><col><col class="who"><col class="state"></colgroup>'
        '<thead class="unseen"><tr><th scope="col">Commit</th><th scope="col" '
        'class="who">Author and date</th><th scope="col" class="state">Validity</th>'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def history_picture(rows: Sequence[Row]) -> tuple[Html, float]:
    """The picture alone, without a style of its own, and its width in rem.

    Args:
        rows: newest first, at least one; of their words nothing is read.
    """
    places = placed(rows)
    n_lanes = 1 + max(max((one.lane, *map(max, one.edges))) for one in places)
    n_lanes = min(n_lanes, _MAX_LANES)
    n_dots = min(max(row.n_side for row in rows), _MAX_DOTS)
    width = _LEFT * 2 + _LANE * (n_lanes - 1) + (0.6 + _DOT * n_dots if n_dots else 0)
    return _picture(rows, places, width, _x(n_lanes - 1) + 0.95), width


def _picture(
    rows: Sequence[Row], places: Sequence[Placed], width: float, dots_from: float
) -> Html:
    height = _ROW * len(rows)
    parts = [
        *_edges(rows, places),
        *_reverts(rows, places),
        *(
            _node(n, row, one, dots_from)
            for n, (row, one) in enumerate(zip(rows, places, strict=True))
        ),
    ]
    return Html(
        f'<svg aria-hidden="true" viewBox="0 0 {width:.2f} {height:.2f}" '
        f'width="{width:.2f}rem" height="{height:.2f}rem">{joined(parts)}</svg>'
    )


def _x(lane: int) -> float:
    return _LEFT + _LANE * min(lane, _MAX_LANES - 1)


def _y(row: int) -> float:
    return _ROW * (row + 0.5)


def _edges(rows: Sequence[Row], places: Sequence[Placed]) -> list[Html]:
    made = []
    for n, one in enumerate(places):
        last = n == len(rows) - 1
        for start, end in one.edges:
            below = _y(n) + (_ROW / 2 if last else _ROW)
            made.append(_curve(_x(start), _y(n), _x(end), below, start or end))
    return made


def _curve(x: float, y: float, to_x: float, to_y: float, lane: int) -> Html:
    color = f"s{lane % _COLORS}"
    if x == to_x:
        path = f"M{x:.2f} {y:.2f}V{to_y:.2f}"
    else:
        middle = (y + to_y) / 2
        path = (
            f"M{x:.2f} {y:.2f}C{x:.2f} {middle:.2f} {to_x:.2f} {middle:.2f} "
            f"{to_x:.2f} {to_y:.2f}"
        )
    return Html(f'<path class="{color}" fill="none" stroke-width=".12" d="{path}"/>')


def _reverts(rows: Sequence[Row], places: Sequence[Placed]) -> list[Html]:
    """A dashed arc from each revert to what it takes back, if that is listed."""
    where = {row.key: n for n, row in enumerate(rows)}
    made = []
    for n, row in enumerate(rows):
        target = where.get(row.undoes) if row.undoes is not None else None
        if target is None:
            continue
        x, y, to_x, to_y = (
            _x(places[n].lane),
            _y(n),
            _x(places[target].lane),
            _y(target),
        )
        side = min(x, to_x) - 0.75
        made.append(
            Html(
                '<path class="undo" fill="none" stroke-width=".1" stroke-dasharray=".3 '
                f'.2" d="M{x - 0.3:.2f} {y:.2f}C{side:.2f} {y + 0.8:.2f} {side:.2f} '
                f'{to_y - 0.8:.2f} {to_x - 0.3:.2f} {to_y:.2f}"/>'
            )
        )
    return made


def _node(n: int, row: Row, one: Placed, dots_from: float) -> Html:
    x, y = _x(one.lane), _y(n)
    kind = f"node n{one.lane % _COLORS}{' hollow' if row.is_hollow else ''}"
    drawn = (
        f'<circle class="{kind}" cx="{x:.2f}" cy="{y:.2f}" r=".34" stroke-width=".13"/>'
    )
    for place in range(min(row.n_side, _MAX_DOTS)):
        at = dots_from + _DOT * place
        drawn += f'<circle class="side" cx="{at:.2f}" cy="{y:.2f}" r=".17"/>'
    return Html(drawn)
