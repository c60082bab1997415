"""How commits are drawn, from values alone: long, hostile, many."""

import pytest

from flair_client.cli.log import log_text
from flair_client.cli.show import size_text
from flair_client.cli.text import width
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.log import Log, LogEntry, LogUpdate

AUTHOR = Address(bytes(range(32)))
HOSTILE = "\x1b[2J\x1b]0;owned\x07 one\rtwo \u202eabc\u200b\n\tsecond\x9bline"


def entry(n, kind=CommitKind.ROOT, *, message="a commit", updates=(), **fields):
    values = {
        "commit": CommitId(bytes([n]) * 32),
        "names": (),
        "kind": kind,
        "branch": "main",
        "parents": (),
        "author": AUTHOR,
        "message": message,
        "time": 1_800_000_000,
        "round_index": None,
        "metrics": {},
        "reverts": None,
        "n_updates": len(updates),
        "updates": tuple(updates),
        "verified": True,
    }
    return LogEntry(**(values | fields))


def update(n, message="an update", metrics=None):
    return LogUpdate(
        CommitId(bytes([n]) * 32), AUTHOR, message, 1_800_000_000, 4, 64, metrics or {}
    )


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("oneline", [True, False])
def test_a_hostile_message_neither_moves_the_cursor_nor_leaves_its_lines(
    graph, oneline
):
    merge = entry(
        1,
        CommitKind.MERGE,
        message=HOSTILE * 4,
        updates=[update(2, HOSTILE, {HOSTILE[:20]: 1.0})],
        metrics={HOSTILE: 0.5},
        names=("HEAD", HOSTILE),
        round_index=1,
    )

    text = log_text(Log((merge, entry(3)), more=False), graph=graph, oneline=oneline)

    lines = text.split("\n")
    assert all(line.isprintable() for line in lines)
    assert all(width(line) <= 80 for line in lines)
    assert r"\x1b[2J" in text
    assert r"\u202e" in text


def test_a_graph_of_one_root_has_no_loose_ends():
    text = log_text(Log((entry(1),), more=False), graph=True, oneline=True)

    assert text == "* 010101010101 root: a commit"


def test_a_graph_that_goes_on_keeps_its_line():
    text = log_text(Log((entry(1),), more=True), graph=True, oneline=False)

    assert text.split("\n")[-1] == "|"


def test_metrics_are_listed_by_name_and_broken():
    metrics = {f"metric_{n:02}": n / 10 for n in range(12)}

    text = log_text(
        Log((entry(1, metrics=metrics),), more=False), graph=False, oneline=False
    )

    assert "metrics  metric_00 0, metric_01 0.1," in text
    assert "         metric_" in text
    assert all(len(line) <= 80 for line in text.split("\n"))


def test_an_empty_history_is_an_empty_text():
    assert log_text(Log((), more=False), graph=True, oneline=False) == ""


@pytest.mark.parametrize(
    ("n_bytes", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 40, "3.0 TiB")],
)
def test_sizes(n_bytes, shown):
    assert size_text(n_bytes) == shown
