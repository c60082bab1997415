"""Events as they were sent and folded, and what could not be read."""

from typing import Any

from sqlalchemy import Connection, Row, select

from flair_client.ids import Address, Digest
from flair_indexer.decode import signature_text
from flair_indexer.queries.look import Source, looking
from flair_indexer.tables import DEAD_LETTERS, EVENTS, FOLDS
from flair_indexer.views import DeadLetter, EventView


def events(
    source: Source, address: Address, *, after: int = 0, limit: int = 1000
) -> list[EventView]:
    """Gives a repository's events after number `after`, as they were folded."""
    with looking(source) as connection:
        return read_events(connection, address, after=after, limit=limit)


def read_events(
    connection: Connection, address: Address, *, after: int, limit: int
) -> list[EventView]:
    """Does the same within a look that was begun already.

    Only what was folded is given: each names the one before it by its root.
    """
    folded = select(FOLDS.c.seq).where(FOLDS.c.repo == address.raw).scalar_subquery()
    query = (
        select(EVENTS)
        .where(
            EVENTS.c.repo == address.raw,
            EVENTS.c.repo_seq > after,
            EVENTS.c.repo_seq <= folded,
        )
        .order_by(EVENTS.c.repo_seq.desc(), EVENTS.c.slot)
    )
    # Where two slots have an event of this number, the next one names the right one.
    root = _root_at(connection, address, after + limit)
    found = []
    for row in connection.execute(query.where(EVENTS.c.repo_seq <= after + limit)):
        if bytes(row.root) == root:
            root = bytes(row.prev_root)
            found.append(_event(row))
    return found[::-1]


def _root_at(connection: Connection, address: Address, seq: int) -> bytes | None:
    fold = connection.execute(
        select(FOLDS).where(FOLDS.c.repo == address.raw)
    ).one_or_none()
    if fold is None:
        return None
    if fold.seq <= seq:
        return bytes(fold.root)
    following = select(EVENTS.c.prev_root).where(
        EVENTS.c.repo == address.raw, EVENTS.c.repo_seq == seq + 1
    )
    return bytes(connection.scalars(following.limit(1)).one())


def _event(row: Row[Any]) -> EventView:
    return EventView(
        row.repo_seq,
        row.kind,
        row.slot,
        signature_text(bytes(row.signature)),
        bytes(row.payload),
        Digest(bytes(row.root)),
        row.is_final,
    )


def event(source: Source, address: Address, seq: int) -> EventView | None:
    """Gives one event of a repository by its number, if it is here and was folded."""
    folded = select(FOLDS.c.seq).where(FOLDS.c.repo == address.raw).scalar_subquery()
    query = select(EVENTS).where(
        EVENTS.c.repo == address.raw,
        EVENTS.c.repo_seq == seq,
        EVENTS.c.repo_seq <= folded,
    )
    with looking(source) as connection:
        rows = connection.execute(query.limit(2)).all()
        if len(rows) < 2:
            return _event(rows[0]) if rows else None
        # Two slots have one of this number: the roots tell which of them counts.
        (found,) = read_events(connection, address, after=seq - 1, limit=1)
    return found


def dead_letters(source: Source, *, limit: int = 100) -> list[DeadLetter]:
    """Gives what was put aside, newest slot first."""
    query = (
        select(DEAD_LETTERS)
        .order_by(
            DEAD_LETTERS.c.slot.desc(),
            DEAD_LETTERS.c.signature,
            DEAD_LETTERS.c.outer,
            DEAD_LETTERS.c.inner,
        )
        .limit(limit)
    )
    with looking(source) as connection:
        return [
            DeadLetter(
                row.signature, row.outer, row.inner, row.slot, row.reason, row.detail
            )
            for row in connection.execute(query)
        ]
