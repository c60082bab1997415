"""One look at the database: by itself, or within one that was begun already."""

import contextlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from flair_indexer.db import Database

# What nobody has looked at yet.
UNKNOWN: Final = "unknown"

Source = Database | Connection


@contextlib.contextmanager
def looking(source: Source) -> Iterator[Connection]:
    """Gives a look: a new one at a database, or the one that is given.

    Raises:
        DatabaseUnavailable: the server is away.
        DatabaseDamaged: it cannot be used.
    """
    if isinstance(source, Connection):
        yield source
        return
    with source.reading() as connection:
        yield connection
