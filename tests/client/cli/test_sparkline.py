"""Lines of numbers in signs that the terminal can show; names are others' words."""

import io
import sys

import pytest

from flair_client.cli.sparkline import can_show, series_lines, sparkline
from flair_client.cli.text import width
from flair_client.ids import CommitId
from flair_client.site_metrics import MetricPoint, MetricSeries

HOSTILE = "\x1b[2Jauc\u202e\n"


def series(name, *values, source="sites"):
    points = [MetricPoint(CommitId(bytes(32)), n, v) for n, v in enumerate(values)]
    return MetricSeries(name, source, lower_is_better=False, points=tuple(points))


def test_smallest_and_largest_are_the_ends_of_the_scale():
    assert sparkline([0, 1, 2, 7], is_ascii=False) == "▁▂▃█"
    assert sparkline([0, 1, 2, 7], is_ascii=True) == "_.-#"
    assert sparkline([5, 5], is_ascii=True) == "=="
    assert sparkline([]) == ""


def test_many_numbers_are_thinned_to_means_in_their_order():
    rising = sparkline(range(10_000), is_ascii=True)

    assert len(rising) == 32
    assert rising == "".join(sorted(rising, key="_.-~=+*#".index))
    assert (rising[0], rising[-1]) == ("_", "#")


def test_numbers_at_the_end_of_the_range_are_drawn():
    largest = sys.float_info.max

    assert sparkline([-largest, 0, largest], is_ascii=True) == "_=#"
    assert len(sparkline([largest, -largest] * 40, is_ascii=True)) == 32


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_these_signs_gets_others(monkeypatch, encoding):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding))

    assert sparkline([0, 1]) == "_#"


def test_a_dumb_terminal_gets_others(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    monkeypatch.setenv("TERM", "xterm")
    assert can_show("█")
    monkeypatch.setenv("TERM", "dumb")

    assert not can_show("█")


def test_lines_stay_in_their_columns_whatever_a_metric_is_called():
    lines = series_lines(
        [
            series("auc", 0.5, 0.75),
            series(HOSTILE, -1e308, 1e-308, source="a very long name of some data.csv"),
            series("损失" * 20, *range(100)),
        ]
    )

    assert all(line.isprintable() for line in lines)
    assert all(width(line) <= 80 for line in lines)
    assert lines[0].endswith("0.5 to 0.75")
