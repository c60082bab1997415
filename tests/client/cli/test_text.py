"""Text from others, shown in a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.cli.text import printable, printable_lines, width, wrapped


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("ok\rBAD", r"ok\rBAD"),
        ("a\nb", r"a\nb"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("Grüße, 世界", "Grüße, 世界"),
    ],
)
def test_what_a_terminal_would_obey_is_spelt_out(hostile, shown):
    assert printable(hostile) == shown


def test_lines_stay_lines():
    assert printable_lines("one\r\ntwo\x1b[0m\n\n") == ["one", r"two\x1b[0m"]


def test_a_long_text_is_cut_with_an_ellipsis():
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"
    assert printable("世界世界", 6) == "世界…"


def test_lines_are_broken_at_spaces_and_long_words_anywhere():
    assert wrapped("one two three", 9, "  ") == ["  one two", "  three"]
    assert wrapped("abcdefghijkl", 10, "  ") == ["  abcdefgh", "  ijkl"]
    assert wrapped("first\n\nsecond", 20) == ["first", "", "second"]
    assert wrapped("", 20) == [""]


@given(st.text(max_size=60), st.integers(10, 40))
def test_nothing_shown_is_wider_than_asked_or_moves_the_cursor(text, columns):
    shown = [printable(text, columns), *wrapped(text, columns)]

    assert all(line.isprintable() for line in shown)
    assert all(width(line) <= columns for line in shown)


@given(st.text(max_size=60))
def test_breaking_lines_loses_no_character_but_spaces(text):
    together = "".join(wrapped(text, 12))
    expected = "".join(printable_lines(text))

    assert together.replace(" ", "") == expected.replace(" ", "")
