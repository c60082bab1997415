"""A page of HTML in one file, which loads nothing from anywhere and runs no script.

Every text is taken for hostile: it is escaped, and what would turn the direction of
writing around or cannot be printed is spelt out. What is HTML already has a type of its
own, so that a text cannot take its place unnoticed.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Final, NewType

from flair_client.page.style import STYLE

# HTML whose texts are escaped.
Html = NewType("Html", str)
# Where there is no number.
NONE: Final = Html("&ndash;")
# Nothing is loaded and nothing runs, even if some text came through unescaped.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def escaped(text: str, max_length: int | None = None) -> Html:
    """A text of others as HTML shows it: one line, nothing in it to obey.

    Args:
        text: from a commit, a name, a file.
        max_length: in characters, cut with an ellipsis; without it the whole text.
    """
    # What is cut off anyway is not spelt out first: a sign takes at least one.
    kept = text if max_length is None else text[: max_length + 1]
    spelt = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii")
        for one in kept
    )
    if max_length is not None and len(spelt) > max_length:
        spelt = spelt[: max_length - 1].rstrip() + "…"
    # A lone surrogate has no UTF-8; it is not printable, so none is left here.
    return Html(html.escape(spelt))


def joined(parts: Iterable[Html], between: str = "") -> Html:
    """Pieces of HTML one after the other.

    Args:
        parts: the pieces.
        between: HTML as well.
    """
    return Html(between.join(parts))


def number(value: float | None, form: str = ".4g") -> Html:
    """A number in a format of Python's; a dash where there is none."""
    return NONE if value is None else escaped(format(value, form))


def code(text: str, max_length: int | None = None) -> Html:
    """An id or an address, which may be broken anywhere."""
    return Html(f"<code>{escaped(text, max_length)}</code>")


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Html]],
    *,
    n_left: int = 1,
) -> Html:
    """A table that scrolls by itself where the page is narrow.

    Args:
        caption: what it shows, for those who hear the page; plain text.
        heads: of the columns, plain texts.
        rows: cells, the first of which names its row.
        n_left: so many columns hold words; the others numbers, to the right.
    """
    head = "".join(
        f'<th scope="col"{_number_class(place, n_left)}>{escaped(text)}</th>'
        for place, text in enumerate(heads)
    )
    body = "".join(f"<tr>{_cells(row, n_left)}</tr>" for row in rows)
    return Html(
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escaped(caption)}"><table>'
        f'<caption class="unseen">{escaped(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Sequence[Html], n_left: int) -> str:
    first, *rest = row
    cells = "".join(
        f"<td{_number_class(place, n_left)}>{cell}</td>"
        for place, cell in enumerate(rest, 1)
    )
    return f'<th scope="row">{first}</th>{cells}'


def _number_class(place: int, n_left: int) -> str:
    return "" if place < n_left else ' class="number"'


def details(summary: str, inside: Html) -> Html:
    """Something that is opened by whoever wants it.

    Args:
        summary: plain text.
        inside: HTML.
    """
    return Html(f"<details><summary>{escaped(summary)}</summary>{inside}</details>")


def section(title: str, *parts: Html) -> Html:
    """A part of the page under a heading; nothing where all of it is empty."""
    inside = joined(parts)
    if not inside:
        return Html("")
    return Html(f"<section><h2>{escaped(title)}</h2>{inside}</section>")


def paragraph(text: str, kind: str = "") -> Html:
    """A paragraph of plain text.

    Args:
        text: plain.
        kind: `note` or `lead`, for the style.
    """
    chosen = f' class="{escaped(kind)}"' if kind else ""
    return Html(f"<p{chosen}>{escaped(text)}</p>")


def page(title: str, body: Html) -> str:
    """A whole page.

    Args:
        title: plain text.
        body: HTML.
    """
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escaped(title, 120)}</title>
<style>{STYLE}</style></head><body>
<main>
{body}
</main>
</body></html>
"""
