"""Reads tables of a TOML file that somebody else wrote, and refuses what is unknown."""

import math
from typing import Any, Final

from flair_client.errors import ObjectInvalid, ObjectTooLarge

MAX_NAME_LENGTH: Final = 128


class TomlTable:
    """Reads one table field by field.

    Every reader takes its field out of the table; `done` refuses what is left over. All
    of them raise `ObjectInvalid`, which names the field.
    """

    def __init__(self, path: str, table: Any) -> None:
        if not isinstance(table, dict):
            raise ObjectInvalid(path, "is not a table")
        self.path = path
        self.rest = dict(table)

    def take(self, key: str, default: Any = None) -> Any:
        """The field as TOML gives it."""
        return self.rest.pop(key, default)

    def table(self, key: str) -> "TomlTable":
        """A table within."""
        return TomlTable(f"{self.path}.{key}", self.take(key, {}))

    def tables(self, key: str, limit: int) -> "list[TomlTable]":
        """A list of tables.

        Raises:
            ObjectTooLarge: more than the limit.
        """
        listed = self.take(key, [])
        path = f"{self.path}.{key}"
        if not isinstance(listed, list):
            raise ObjectInvalid(path, "is not a list of tables")
        if len(listed) > limit:
            raise ObjectTooLarge(path, len(listed), limit)
        return [TomlTable(f"{path}[{n}]", item) for n, item in enumerate(listed)]

    def text(self, key: str, default: str) -> str:
        """A short text."""
        value = self.take(key, default)
        if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH:
            raise ObjectInvalid(f"{self.path}.{key}", "is not a short text")
        return value

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """One of a few texts."""
        value = self.text(key, default)
        if value not in choices:
            known = ", ".join(repr(one) for one in choices if one)
            raise ObjectInvalid(f"{self.path}.{key}", f"{value!r} is none of {known}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise ObjectInvalid(f"{self.path}.{key}", "is neither true nor false")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within limits."""
        value = self.take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ObjectInvalid(f"{self.path}.{key}", "is not a whole number")
        if not low <= value <= high:
            raise ObjectInvalid(f"{self.path}.{key}", f"is not in {low} to {high}")
        return value

    def real(self, key: str, default: float | None, low: float, high: float) -> float:
        """A finite number within limits; without a default it must be there."""
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ObjectInvalid(f"{self.path}.{key}", "is not a number")
        if not math.isfinite(value) or not low <= value <= high:
            raise ObjectInvalid(f"{self.path}.{key}", f"is not in {low} to {high}")
        return float(value)

    def optional_real(self, key: str, low: float, high: float) -> float | None:
        """A finite number within limits, or None where it is not given."""
        return self.real(key, None, low, high) if key in self.rest else None

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of short texts."""
        value = self.take(key, list(default))
        if not isinstance(value, list) or not all(
            isinstance(item, str) and 0 < len(item) <= MAX_NAME_LENGTH for item in value
        ):
            raise ObjectInvalid(f"{self.path}.{key}", "is not a list of short texts")
        return tuple(value)

    def done(self) -> None:
        """Refuses fields that nobody took."""
        for key in self.rest:
            raise ObjectInvalid(f"{self.path}.{key}", "is not a known field")
