"""How far the mirror is, and what the last comparison said."""

from typing import Any

from sqlalchemy import Connection, false, func, select

from flair_client.ids import Address
from flair_indexer.cursor import read_cursor
from flair_indexer.queries.look import Source, looking
from flair_indexer.tables import (
    DEAD_LETTERS,
    EVENTS,
    FETCHES,
    HEAD_CHECKS,
    PENDING,
    RECONCILIATIONS,
    REPOS,
)
from flair_indexer.views import Freshness, Progress


def freshness(source: Source) -> Freshness | None:
    """Gives how new the mirror is, in one statement; None where no indexer began."""
    with looking(source) as connection:
        cursor = read_cursor(connection)
    if cursor is None:
        return None
    return Freshness(cursor.reconciled_at, cursor.complete_slot, cursor.final_slot)


def progress(source: Source) -> Progress | None:
    """Gives how far the mirror is; None where no indexer has begun."""
    with looking(source) as connection:
        cursor = read_cursor(connection)
        if cursor is None:
            return None

        def count(table: Any, *where: Any) -> int:
            query = select(func.count()).select_from(table).where(*where)
            return int(connection.scalar(query) or 0)

        return Progress(
            genesis_hash=cursor.genesis_hash,
            program_id=Address(cursor.program_id),
            until_slot=cursor.until_slot,
            complete_slot=cursor.complete_slot,
            final_slot=cursor.final_slot,
            n_events=count(EVENTS),
            n_repos=count(REPOS),
            n_pending=count(PENDING),
            n_not_final=count(EVENTS, EVENTS.c.is_final == false()),
            n_dead_letters=count(DEAD_LETTERS),
            reconciled_at=cursor.reconciled_at,
            behind=_compared(connection, "behind"),
            different=_compared(connection, "different"),
            n_missing_commits=count(FETCHES, FETCHES.c.state == "missing"),
            n_invalid_heads=count(HEAD_CHECKS, HEAD_CHECKS.c.state == "invalid"),
        )


def _compared(connection: Connection, state: str) -> tuple[Address, ...]:
    query = select(RECONCILIATIONS.c.repo).where(RECONCILIATIONS.c.state == state)
    found = connection.scalars(query.order_by(RECONCILIATIONS.c.repo))
    return tuple(Address(bytes(one)) for one in found)
