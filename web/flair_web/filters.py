"""Values as templates show them: short ids, times, sizes. No reads, no HTML."""

import json
from datetime import UTC, datetime
from typing import Final

from flask import Flask
from markupsafe import Markup

from flair_client.ids import ZERO_ADDRESS, Address, CommitId, Digest
from flair_client.page.html import escaped

# Where there is nothing: an en dash.
NONE: Final = "\N{EN DASH}"
_MAX_REPORT: Final = 20_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def short_address(address: Address) -> str:
    """The first and last four letters of an address."""
    text = str(address)
    return f"{text[:4]}…{text[-4:]}"


def short_id(digest: CommitId | Digest) -> str:
    """The first twelve digits of an id."""
    return digest.raw.hex()[:12]


def time_text(seconds: int | None) -> str:
    """A time as people read one, in UTC; a dash where there is none."""
    if seconds is None:
        return NONE
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def machine_time(seconds: int) -> str:
    """A time as machines read one; empty where it is beyond their calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def span_text(seconds: int) -> str:
    """A span in its two largest units, as `2 h 5 min`."""
    left = abs(seconds)
    parts = []
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:,} {name}")
    return " ".join(parts[:2]) or "0 s"


def size_text(n_bytes: int) -> str:
    """Bytes in the largest unit of 1,000 that leaves a whole number before the dot."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def number_text(value: float | None) -> str:
    """A number with four digits that count; a dash where there is none."""
    return NONE if value is None else f"{value:.4g}"


def report_text(value: object) -> str:
    """A report of strangers as indented JSON, cut where a page would get too long."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True)
    return text if len(text) <= _MAX_REPORT else f"{text[:_MAX_REPORT]}\n…"


def is_there(address: Address) -> bool:
    """Whether an address is one: the chain writes zeros for none."""
    return address != ZERO_ADDRESS


def plain(text: object, max_length: int | None = None) -> Markup:
    """A text of strangers on one line: escaped, and what cannot be printed spelt out.

    Args:
        text: of a name, a message, a fault.
        max_length: in characters, cut with an ellipsis; without it the whole text.
    """
    return Markup(escaped(str(text), max_length))  # noqa: S704 - escaped


def lines_of(text: str) -> list[str]:
    """The lines of a stranger's text, for `plain` to show one by one."""
    return text.split("\n")


def register(app: Flask) -> None:
    """Makes them filters of the application's templates."""
    for function in (
        short_address,
        short_id,
        time_text,
        machine_time,
        span_text,
        size_text,
        number_text,
        plain,
        lines_of,
        report_text,
    ):
        app.jinja_env.filters[function.__name__.removesuffix("_text")] = function
    app.jinja_env.tests["there"] = is_there
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
