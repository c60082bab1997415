"""Text from others as it may be shown: nothing in it moves the cursor or hides."""

import unicodedata

_SHAPE = 13
_MARKS = frozenset({"Mn", "Me"})


def printable(text: str, columns: int | None = None) -> str:
    r"""Gives a text in one line, with everything that a terminal would obey spelt out.

    Control characters, line ends, and the invisible characters that turn the direction
    of writing around come out as `\x1b`, `\n`, `\u202e`.

    Args:
        text: from a commit, a recipe, a name: whoever wrote it is not trusted.
        columns: cut there, with an ellipsis; without it the whole text.
    """
    if text.isascii() and text.isprintable():
        # Nearly every text; each sign takes a column.
        return text if columns is None or len(text) <= columns else _cut(text, columns)
    spelt = "".join(one if one.isprintable() else _spelt(one) for one in text)
    return spelt if columns is None else _cut(spelt, columns)


def printable_lines(text: str) -> list[str]:
    """The lines of a text, each printable, empty ones at the end left out."""
    return [printable(line.rstrip("\r")) for line in text.rstrip().split("\n")]


def width(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    return sum(_columns(one) for one in text)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _columns(character: str) -> int:
    if unicodedata.category(character) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(text: str, columns: int) -> str:
    if width(text) <= columns:
        return text
    return _fitting(text, columns - 1).rstrip() + "…"


def wrapped(text: str, columns: int, indent: str = "") -> list[str]:
    """The lines of a text from others, printable, broken at spaces where too long."""
    room = max(8, columns - len(indent))
    return [
        f"{indent}{part}".rstrip()
        for line in printable_lines(text)
        for part in _broken(line, room)
    ]


def _broken(line: str, room: int) -> list[str]:
    parts, now = [], ""
    for word in line.split(" "):
        longer = f"{now} {word}" if now else word
        if width(longer) <= room:
            now = longer
            continue
        if now:
            parts.append(now)
        rest = word
        while width(rest) > room:
            head = _fitting(rest, room)
            parts.append(head)
            rest = rest[len(head) :]
        now = rest
    return [*parts, now]


def _fitting(text: str, room: int) -> str:
    """As many of the first characters as have room."""
    used = 0
    for place, one in enumerate(text):
        used += _columns(one)
        if used > room:
            return text[:place]
    return text


def shape_text(shape: tuple[int, ...]) -> str:
    """Shows a shape: `2x3`; a scalar as `-`."""
    return printable("x".join(map(str, shape)) or "-", _SHAPE)
