"""What an event does to rows: values that whoever has a database carries out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Put:
    """A row is there from now on; one with the same key is replaced."""

    table: str
    values: Values


@dataclass(frozen=True, slots=True)
class Set:
    """Rows that are like `where` get other values."""

    table: str
    where: Values
    values: Values


@dataclass(frozen=True, slots=True)
class Remove:
    """Rows that are like `where` go."""

    table: str
    where: Values


Change: TypeAlias = Put | Set | Remove
