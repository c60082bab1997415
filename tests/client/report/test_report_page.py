"""The page of a report: nothing in it is obeyed, nothing is loaded, it stays small."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_world import HOSTILE, Told

from flair_client.history.diff import Change, TensorDiff
from flair_client.ids import Address, CommitId
from flair_client.objects import DType, Privacy
from flair_client.porcelain.report import report
from flair_client.porcelain.report_history import Validity
from flair_client.porcelain.report_page import report_page
from flair_client.porcelain.report_rounds import contributors_of
from flair_client.site_metrics import (
    MetricEffect,
    MetricPoint,
    MetricSeries,
    SiteMetrics,
    summarise,
)

BIDI = HOSTILE + "\u202e\x1b]0;owned\x07</title></style><svg onload=alert(3)>"
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "footer"),
    *("h1", "h2", "h3", "p", "span", "b", "code", "ul", "li", "div", "figure"),
    *("figcaption", "details", "summary", "table", "caption", "colgroup", "col"),
    *("thead", "tbody", "tr", "th", "td"),
    *("svg", "path", "circle", "rect", "polyline", "polygon"),
}


class Seen(HTMLParser):
    """Tags, attributes, and whether each tag was closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "col"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(text):
    seen = Seen(text)
    assert seen.open == []
    assert seen.tags <= ALLOWED, seen.tags - ALLOWED
    for name, value in seen.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "href", "xlink:href", "srcdoc", "action"}
        assert "url(" not in (value or "")
    assert all(one == "\n" or one.isprintable() for one in text)
    return "".join(seen.text)


@pytest.fixture(scope="module")
def made(told):
    return report(
        told.reading(), title="flair://net/creator/heart", made_at=1_800_000_000
    )


def test_a_page_shows_what_was_gathered(told, made):
    text = check(report_page(made))

    for part in ("History", "Metrics over the rounds", "What the head changed"):
        assert part in text
    for part in ("Who contributed how much", "How the sites fare", "gave away"):
        assert part in text
    assert "merge of 2 models" in text
    assert "undo <script>alert(1)</script>" in text
    assert "1 rejected" in text


def test_nothing_that_others_wrote_is_obeyed(made):
    update = replace(
        made.rounds[0].updates[0],
        metrics={BIDI: 1e308, "auc": -1e308},
        privacy=Privacy(mode=BIDI, epsilon=1.0, delta=1e-5, accountant=BIDI),
    )
    sites = summarise([SiteMetrics(update.contributor, 64, {BIDI: 0.5})])
    rounds = (replace(made.rounds[0], updates=(update,), sites=sites), *made.rounds)
    points = tuple(MetricPoint(one, 7, 0.5) for one in made.line)
    tensor = TensorDiff(
        name=BIDI, change=Change.CHANGED, dtype=DType.F32, shape=(2, 2), l2=1.0
    )
    hostile = replace(
        made,
        title=BIDI,
        graph=tuple(
            replace(one, message=BIDI, branch=BIDI, names=(BIDI,) * 9, reason=BIDI)
            for one in made.graph
        ),
        series=(MetricSeries(BIDI, BIDI, lower_is_better=True, points=points),),
        effects=(MetricEffect(BIDI, BIDI, False, 0.1, 0.2),),
        changes=replace(made.changes, tensors=(tensor,)),
        rounds=rounds,
        contributors=contributors_of(rounds, made_rejections()),
        notes=(BIDI,) * 40,
    )

    text = check(report_page(hostile))

    assert r"\u202e" in text
    assert r"\x1b]0;owned" in text


def made_rejections():
    from collections import Counter

    return Counter({Address(b"\5" * 32): 3})


def test_a_page_of_as_much_as_there_can_be_stays_small(made):
    n = 10_000
    line = tuple(CommitId(n.to_bytes(32, "big")) for n in range(n))
    points = tuple(
        MetricPoint(one, 1, float(k)) for k, one in enumerate(reversed(line))
    )
    updates = tuple(
        replace(made.rounds[0].updates[0], contributor=Address(bytes([k]) * 32))
        for k in range(64)
    )
    rounds = tuple(replace(made.rounds[0], updates=updates) for _ in range(32))
    names = [f"metric_{k}" for k in range(64)]
    tensors = tuple(
        TensorDiff(
            name="x" * 512, change=Change.CHANGED, dtype=DType.F32, shape=(1,) * 16
        )
        for _ in range(n)
    )
    large = replace(
        made,
        line=line,
        graph=tuple(replace(made.graph[0], message="m" * 200) for _ in range(64)),
        series=tuple(MetricSeries(k, "icu", False, points) for k in names),
        changes=replace(made.changes, tensors=tensors),
        rounds=rounds,
        contributors=contributors_of(rounds, made_rejections()),
        notes=("note " * 100,) * n,
    )

    text = report_page(large)

    check(text)
    assert len(text.encode()) < 700_000


def test_a_head_that_is_alone_has_a_page(told):
    text = check(report_page(report(told.reading(heads={}), str(told.root))))

    assert "History" in text
    assert "Who contributed" not in text


@pytest.mark.parametrize("validity", list(Validity))
def test_each_validity_has_words(made, validity):
    graph = tuple(replace(one, validity=validity) for one in made.graph)

    assert validity.value in check(report_page(replace(made, graph=graph)))


def test_no_part_hangs_on_colour_alone(made):
    text = report_page(made)

    assert "✓ verified" in text
    assert text.count("<caption") == text.count("<table")


def test_a_history_with_broken_parts_has_a_page_that_says_so():
    told = Told()
    told.world.store.delete(told.merges[-1].cid)

    text = check(report_page(report(told.reading())))

    assert "✗ unreadable" in text
