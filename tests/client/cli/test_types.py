import time

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.cli.types import (
    ADDRESS,
    BRANCH_NAME,
    counted,
    duration_text,
    least_to_most,
    local_time_text,
    parse_duration,
    parse_sol,
    rough_duration_text,
    sol_text,
    time_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1h30m", 5_400),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1y", "1 h", "9" * 11, "²s"])
def test_other_durations_are_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_a_shown_duration_parses_to_the_same(seconds):
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "lamports"),
    [("1", 10**9), ("0.000000001", 1), ("2.5", 2_500_000_000), ("1e2", 10**11)],
)
def test_sol_is_exact(text, lamports):
    assert parse_sol(text) == lamports


@pytest.mark.parametrize(
    "text", ["0", "-1", "0.0000000001", "nan", "inf", "x", "1e30", ""]
)
def test_other_amounts_are_refused(text):
    with pytest.raises(ValueError, match="not a"):
        parse_sol(text)


@given(st.integers(1, 2**64 - 1))
def test_shown_sol_parses_to_the_same_lamports(lamports):
    assert parse_sol(sol_text(lamports).removesuffix(" SOL")) == lamports


def test_shown_sol_has_no_useless_zeros():
    assert sol_text(1_500_000_000) == "1.5 SOL"
    assert sol_text(0) == "0 SOL"
    assert sol_text(-1) == "-0.000000001 SOL"


def test_time_is_utc_and_impossible_times_stay_numbers():
    assert time_text(0) == "1970-01-01 00:00:00 UTC"
    assert time_text(2**63 - 1) == f"{2**63 - 1} s"


def test_a_wrong_argument_is_a_usage_error():
    with pytest.raises(click.BadParameter, match="not a valid address"):
        ADDRESS.convert("0OIl", None, None)
    with pytest.raises(click.BadParameter, match="branch name"):
        BRANCH_NAME.convert("Main", None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (599, "9m"),
        (3600, "1h"),
        (5_430, "1h30m"),
        (90_000, "1d1h"),
        (2 * 86_400 + 59, "2d"),
    ],
)
def test_how_long_is_left_is_told_as_people_say_it(seconds, text):
    assert rough_duration_text(seconds) == text


def test_a_moment_is_shown_by_the_machines_own_clock(monkeypatch):
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    try:
        assert local_time_text(1_700_000_000) == "2023-11-14 23:13 CET"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert local_time_text(2**62) == f"{2**62} s"


def test_one_is_not_many():
    assert [counted(n, "block") for n in (0, 1, 2)] == [
        "0 blocks",
        "1 block",
        "2 blocks",
    ]
    assert counted(1, "round is over", "rounds are over") == "1 round is over"
    assert counted(2, "round is over", "rounds are over") == "2 rounds are over"
    assert (least_to_most(2, 8), least_to_most(2, 2)) == ("2 to 8", "2")
