"""Pages and their pictures, from values alone: hostile, extreme, none, many."""

import math
from html.parser import HTMLParser

import pytest

from flair_client.page.charts import Axis, Band, Line, bar, line_chart, thinned
from flair_client.page.history_graph import Row, history_table, placed
from flair_client.page.html import Html, code, escaped, number, page, section, table

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> \x1b[2J\u202eabc"
AXIS = Axis(3, "first", "last")


class Tags(HTMLParser):
    """The tags of a page, and their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def row(key, *parents, undoes=None, n_side=0):
    words = Html(key)
    return Row(key, parents, n_side, undoes, undoes is not None, *[words] * 4)


def test_a_hostile_text_is_text():
    shown = escaped(HOSTILE)

    assert Tags(shown).found == []
    assert "&lt;script&gt;" in shown
    assert "&quot;&#x27;&gt;" in shown
    assert r"\x1b[2J\u202eabc" in shown


def test_a_lone_surrogate_can_be_written_down():
    assert escaped("a\udc80b").encode() == rb"a\udc80b"


@pytest.mark.parametrize("length", [1, 2, 10])
def test_a_long_text_is_cut(length):
    assert len(escaped("x" * 5000, length)) == length
    assert escaped("x" * length, length) == "x" * length


def test_a_page_loads_nothing_and_runs_nothing():
    text = page(HOSTILE, section(HOSTILE, table(HOSTILE, [HOSTILE], [[code(HOSTILE)]])))

    tags = Tags(text).found
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in tags}
    assert all(
        not name.startswith("on") and name not in ("src", "href")
        for _, attributes in tags
        for name in attributes
    )
    policy = [a["content"] for tag, a in tags if a.get("http-equiv")]
    assert policy[0].startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "&ndash;"), (0.12345, "0.1235"), (math.nan, "nan")]
)
def test_numbers(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    "values",
    [
        (1.0, 1.0, 1.0),
        (-1.7e308, 1.7e308, 0.0),
        (math.nan, 2.0, math.inf),
        (5e-324, 0.0, -5e-324),
    ],
)
def test_every_number_of_a_chart_has_a_finite_place(values):
    line = Line("a", tuple(enumerate(values)))
    band = Band(tuple((x, y, y) for x, y in enumerate(values)))

    drawn = line_chart("t", "", [line], AXIS, band)

    shapes = [a for tag, a in Tags(drawn).found if tag in ("polyline", "polygon")]
    assert shapes
    for shape in shapes:
        for word in shape["points"].replace(",", " ").split():
            assert 0 <= float(word) <= 1000


def test_a_chart_of_nothing_is_nothing():
    assert line_chart("t", "", [], AXIS) == ""
    assert line_chart("t", "", [Line("a", ((0, math.nan),))], AXIS) == ""


def test_a_long_line_keeps_its_ends_and_at_most_200_points():
    points = [(n, float(n)) for n in range(10_000)]

    kept = thinned(points)

    assert len(kept) == 200
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert list(kept) == sorted(set(kept))
    assert thinned(points[:200]) == tuple(points[:200])


@pytest.mark.parametrize("share", [math.nan, math.inf, -math.inf, -2.0, 0.5, 3.0])
@pytest.mark.parametrize("signed", [True, False])
def test_a_bar_stays_in_its_room(share, signed):
    for tag, attributes in Tags(bar(share, signed=signed)).found:
        if tag == "rect":
            start, size = float(attributes.get("x", 0)), float(attributes["width"])
            assert 0 <= start <= start + size <= 100


def test_a_line_keeps_its_lane_and_a_branch_comes_back_to_it():
    rows = [row("e", "d", "s"), row("s", "b"), row("d", "b"), row("b", "a"), row("a")]

    places = placed(rows)

    assert [one.lane for one in places] == [0, 1, 0, 0, 0]
    assert places[0].edges == ((0, 0), (0, 1))
    # The branch's lane waits for b, and comes over where the line waits for b too.
    assert set(places[1].edges) == {(1, 1), (0, 0)}
    assert set(places[2].edges) == {(0, 0), (1, 0)}
    assert places[4].edges == ()


def test_each_line_of_the_graph_ends_where_its_parent_stands():
    rows = [
        row("h", "g", "x"),
        row("x", "y"),
        row("g", "f", "z"),
        row("z", "c"),
        row("y", "f"),
        row("f", "c"),
        row("c", "outside"),
    ]
    places = placed(rows)
    where = {one.key: n for n, one in enumerate(rows)}

    def reached(n, parent):
        """Whether lines lead from a row's commit to a parent's row."""
        lanes = {end for start, end in places[n].edges if start == places[n].lane}
        for at in range(n + 1, where[parent] + 1):
            if at == where[parent]:
                return places[at].lane in lanes
            lanes = {end for start, end in places[at].edges if start in lanes}
        return False

    for n, one in enumerate(rows):
        for parent in one.parents:
            if parent in where:
                assert reached(n, parent), (one.key, parent)


def test_two_tips_have_lanes_of_their_own():
    places = placed([row("m", "a"), row("t", "a"), row("a")])

    assert [one.lane for one in places] == [0, 1, 0]


def test_a_revert_has_an_arc_to_what_it_takes_back_if_that_is_shown():
    rows = [row("r", "m", undoes="m"), row("m", "a"), row("a")]

    assert history_table("t", rows).count('class="undo"') == 1
    assert history_table("t", rows[:1]).count('class="undo"') == 0


def test_many_updates_and_many_lanes_stay_in_a_narrow_picture():
    rows = [row(f"t{n}", "a", n_side=64) for n in range(60)]

    text = history_table("t", [*rows, row("a")])

    picture = next(a for tag, a in Tags(text).found if tag == "svg")
    assert float(picture["viewbox"].split()[2]) < 20
    assert text.count('class="side"') == 60 * 6


def test_a_table_of_a_history_of_nothing_is_nothing():
    assert history_table("t", []) == ""
