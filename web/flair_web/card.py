"""A model's card: Markdown of strangers into HTML in which nothing runs or loads."""

import re
from dataclasses import dataclass
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from flair_web.kept import Kept

_MAX_CARD: Final = 64 << 10
_TAGS: Final = {
    *("h3", "h4", "h5", "h6", "p", "br", "hr", "em", "strong", "s", "code", "pre"),
    *("blockquote", "ul", "ol", "li", "a"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_FRONT: Final = re.compile(r"\A---\n(.{0,8192}?)\n---(?:\n|\Z)", re.DOTALL)
_LICENCE: Final = re.compile(r"^licen[cs]e:[ \t]*([^\n]{1,100})$", re.MULTILINE)
_kept: Final = Kept(8 << 20)


@dataclass(frozen=True, slots=True)
class Card:
    """A card.

    Attributes:
        text: as it was written.
        html: cleaned; safe to put into a page.
        licence: as its front matter says; None where it says none.
    """

    text: str
    html: str
    licence: str | None

    @property
    def markup(self) -> Markup:
        """The HTML, for a template."""
        return Markup(self.html)  # noqa: S704 - cleaned by nh3


def render_card(text: str) -> Card:
    """Gives a card; what is beyond 64 KiB of it is cut off."""
    return _kept.get(text, lambda: _render(text[:_MAX_CARD]), lambda one: len(one.html))


def _render(text: str) -> Card:
    # What turns the direction of writing around, or is no letter, is left out.
    plain = "".join(one for one in text if one.isprintable() or one in "\n\t")
    front = _FRONT.match(plain)
    licence = None
    body = plain
    if front is not None:
        named = _LICENCE.search(front.group(1))
        licence = None if named is None else named.group(1).strip("'\" ") or None
        body = plain[front.end() :]
    parser = MarkdownIt("commonmark", {"html": False}).enable(
        ["table", "strikethrough"]
    )
    tokens = parser.parse(body)
    for token in tokens:
        # The page has its own first two levels of headings.
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    html = parser.renderer.render(tokens, parser.options, {})
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    return Card(text, cleaned, licence)
