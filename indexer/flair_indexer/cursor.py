"""How far the indexer is, and who it is: one row, written by its owner alone."""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from flair_client.errors import DatabaseOfOther, DatabaseTaken
from flair_client.ids import Address
from flair_indexer.db import Database, shown_url
from flair_indexer.tables import CURSOR, tables_of

_ROW = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the indexer is.

    Attributes:
        until_signature, until_slot: the newest final transaction at and below which
            everything is listed.
        scan_top, scan_top_slot: what that becomes once the listing in progress ends.
        scan_before: the oldest transaction that this listing has seen.
        complete_slot: everything at and below it is written.
        final_slot: the newest finalized slot that was seen.
        reconciled_at: seconds; None before the first comparison with the accounts.
    """

    genesis_hash: str
    program_id: bytes
    until_signature: str | None = None
    until_slot: int = 0
    scan_top: str | None = None
    scan_top_slot: int = 0
    scan_before: str | None = None
    complete_slot: int = 0
    final_slot: int = 0
    reconciled_at: int | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The indexer that may write; another one takes over by another name."""

    name: str
    shown: str

    def keep(self, connection: Connection, **values: Any) -> None:
        """Writes values of the cursor, in the unit of work that they belong to.

        Every unit of work calls it: it is also what stops one that was replaced.

        Raises:
            DatabaseTaken: another indexer has taken over.
        """
        own = CURSOR.c.owner == self.name
        statement = (
            update(CURSOR)
            .where(CURSOR.c.cursor_id == _ROW, own)
            .values(owner=self.name, **values)
        )
        if connection.execute(statement).rowcount != 1:
            raise DatabaseTaken(self.shown, "another indexer has taken over")


def take_over(database: Database, genesis_hash: str, program_id: Address) -> Owner:
    """Becomes the cursor's owner; makes it where there is none.

    Raises:
        DatabaseOfOther: it mirrors another cluster or program.
    """
    owner = Owner(uuid.uuid4().hex, shown_url(database.url))
    with database.unit() as connection:
        found = read_cursor(connection)
        if found is None:
            values = {
                "cursor_id": _ROW,
                "genesis_hash": genesis_hash,
                "program_id": program_id.raw,
                "until_slot": 0,
                "scan_top_slot": 0,
                "complete_slot": 0,
                "final_slot": 0,
                "owner": owner.name,
            }
            connection.execute(insert(CURSOR).values(values))
        elif (found.genesis_hash, found.program_id) != (genesis_hash, program_id.raw):
            raise DatabaseOfOther(
                owner.shown,
                f"mirrors the cluster {found.genesis_hash}, not {genesis_hash}"
                if found.genesis_hash != genesis_hash
                else "mirrors another program",
            )
        else:
            connection.execute(update(CURSOR).values(owner=owner.name))
    return owner


def read_cursor(connection: Connection) -> Cursor | None:
    """Gives the cursor, or None where no indexer has begun."""
    row = connection.execute(select(CURSOR)).one_or_none()
    if row is None:
        return None
    return Cursor(
        row.genesis_hash,
        bytes(row.program_id),
        row.until_signature,
        row.until_slot,
        row.scan_top,
        row.scan_top_slot,
        row.scan_before,
        row.complete_slot,
        row.final_slot,
        row.reconciled_at,
    )


def must_cursor(connection: Connection) -> Cursor:
    """Gives the cursor of an indexer that has begun.

    Raises:
        DatabaseTaken: somebody has emptied the database meanwhile.
    """
    found = read_cursor(connection)
    if found is None:
        raise DatabaseTaken("of this indexer", "it was emptied meanwhile")
    return found


def forget_all(connection: Connection) -> None:
    """Empties every table; the next indexer begins with the first transaction."""
    for table in tables_of("mirror", "store", "work"):
        connection.execute(delete(table))


def ended_scan(cursor: Cursor) -> Cursor:
    """Gives the cursor after a listing that has reached what was listed before."""
    top = cursor.scan_top
    if top is None:
        return replace(cursor, scan_before=None)
    return replace(
        cursor,
        until_signature=top,
        until_slot=cursor.scan_top_slot,
        scan_top=None,
        scan_top_slot=0,
        scan_before=None,
    )
