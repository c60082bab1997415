"""One digest of whole tables, by which two databases are compared byte for byte."""

import hashlib
from typing import Final

from sqlalchemy import Connection, select

from flair_indexer.columns import shown
from flair_indexer.tables import tables_of

_AT_ONCE: Final = 2000


def table_digests(connection: Connection, *kinds: str) -> dict[str, str]:
    """Gives the sha-256 of each table's rows, in the order of its key.

    Args:
        connection: of either kind of database: the same rows give the same digest.
        kinds: of tables; `mirror` alone without any.
    """
    found = {}
    for table in tables_of(*(kinds or ("mirror",))):
        digest = hashlib.sha256()
        query = select(table).order_by(*table.primary_key)
        # Of this statement alone: the connection goes on to write.
        rows = connection.execute(query.execution_options(yield_per=_AT_ONCE))
        for row in rows:
            for value in row:
                cell = shown(value)
                digest.update(len(cell).to_bytes(8, "big") + cell)
        found[table.name] = digest.hexdigest()
    return found


def whole_digest(connection: Connection, *kinds: str) -> str:
    """Gives one digest of all of these tables."""
    parts = table_digests(connection, *kinds).items()
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()
