"""TOML written by anybody, parsed without being a trap: no value of it is looked at."""

import re
import tomllib
from typing import Any, Final

_SEGMENT: Final = r"""(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
# The parser takes time and memory by the square of a key's parts: with as many as fit
# into a recipe, minutes and gigabytes.
_LONG_KEY: Final = re.compile(rf"\.[ \t]*{_SEGMENT}(?:[ \t]*\.[ \t]*{_SEGMENT}){{31}}")


class TomlInvalid(ValueError):
    """The text is not TOML, or is one that nobody writes; says why."""


def parse_toml(raw: bytes) -> dict[str, Any]:
    """Gives the tables of a TOML text whose length was checked before.

    Raises:
        TomlInvalid: not UTF-8, not TOML, a key of more than 32 parts, values within
            values without end, or a number of more digits than any.
    """
    try:
        text = raw.decode("utf-8")
        if _LONG_KEY.search(text) is not None:
            raise TomlInvalid("a key has more than 32 parts")
        return tomllib.loads(text)
    except RecursionError as exc:
        raise TomlInvalid("values lie within values without end") from exc
    except ValueError as exc:
        # Also numbers that Python does not turn into integers.
        raise TomlInvalid(str(exc)) from exc
