"""Cuts what does not fit one statement."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

_T = TypeVar("_T")
# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
IN_LIMIT: Final = 500


def parts(items: Iterable[_T], size: int = IN_LIMIT) -> Iterator[list[_T]]:
    """Gives the items in order, at most `size` at a time."""
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
