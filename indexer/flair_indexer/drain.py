"""Takes what is listed, oldest slot first, and writes what was fetched.

A unit of work is for whole slots: while much is waiting it takes many, never a part of
one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from flair_indexer.bulk import delete_many
from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.decode import WHOLE, Letter, order_of
from flair_indexer.fetching import Fetched, Waiting
from flair_indexer.listing import Window
from flair_indexer.settings import Options
from flair_indexer.tables import DEAD_LETTERS, PENDING
from flair_indexer.write import put_letters, store_events


@dataclass(frozen=True, slots=True)
class Drained:
    """What one unit of work did."""

    n_transactions: int = 0
    n_events: int = 0
    n_missing: int = 0
    letters: tuple[Letter, ...] = ()


def next_waiting(
    database: Database, size: int, now: float, *, above: int = -1
) -> tuple[Waiting, ...]:
    """Gives the oldest listed transactions above a slot.

    As many as `size`, and the rest of the last slot.

    Those that the node did not give wait for their time; others go past them, but the
    slot up to which everything is complete does not.
    """
    is_due = (PENDING.c.next_try_at <= now) & (PENDING.c.slot > above)
    order = (PENDING.c.slot, PENDING.c.rank)
    with database.reading() as connection:
        query = select(PENDING).where(is_due).order_by(*order).limit(size)
        rows = list(connection.execute(query))
        if len(rows) == size:
            rest = select(PENDING).where(is_due, PENDING.c.slot == rows[-1].slot)
            seen = {row.signature for row in rows}
            more = connection.execute(rest.order_by(*order))
            rows += [row for row in more if row.signature not in seen]
    return tuple(map(_waiting, rows))


def is_more_waiting(database: Database, number: int) -> bool:
    """Tells whether more than so many transactions are listed and not written."""
    query = select(PENDING.c.slot).offset(number).limit(1)
    with database.reading() as connection:
        return connection.execute(query).first() is not None


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(row.signature, row.slot, row.is_final, row.n_attempts)


def write(
    database: Database,
    owner: Owner,
    window: Window,
    fetched: Fetched,
    *,
    options: Options,
    now: float,
    before_end: Callable[[], None] = lambda: None,
) -> Drained:
    """Writes what was fetched, in one unit of work.

    Args:
        database: of the indexer.
        owner: who writes.
        window: learns what was dealt with.
        fetched: whole slots.
        options: how often a missing transaction is asked for.
        now: seconds.
        before_end: called when all is written and nothing is kept yet.
    """
    pairs = list(zip(fetched.waiting, fetched.decoded, strict=True))
    there = [one for one, found in pairs if found is not None]
    missing = [one for one, found in pairs if found is None]
    decoded = [found for _, found in pairs if found is not None]
    events = sorted((e for one in decoded for e in one.events), key=order_of)
    letters = [letter for one in decoded for letter in one.letters]
    lost = [
        _lost(one) for one in missing if one.n_attempts + 1 >= options.null_attempts
    ]
    with database.unit() as connection:
        owner.keep(connection)
        store_events(connection, events)
        _done(connection, there)
        put_letters(connection, [*letters, *lost])
        _try_later(connection, missing, options, now)
        before_end()
    # What is final is never listed again: a backlog of a million fills no memory.
    window.slots |= {one.signature: one.slot for one in there if not one.is_final}
    return Drained(len(there), len(events), len(missing), (*letters, *lost))


def _lost(one: Waiting) -> Letter:
    detail = f"listed, and not given by the node in {one.n_attempts + 1} attempts"
    return Letter(one.signature, WHOLE, WHOLE, one.slot, "missing", detail)


def _done(connection: Connection, there: Sequence[Waiting]) -> None:
    if not there:
        return
    delete_many(connection, PENDING, [{"signature": one.signature} for one in there])
    # A letter about one that came after all is delivered.
    late = [{"done": one.signature} for one in there if one.n_attempts]
    if late:
        connection.execute(
            delete(DEAD_LETTERS).where(
                DEAD_LETTERS.c.signature == bindparam("done"),
                DEAD_LETTERS.c.reason == "missing",
            ),
            late,
        )


def _try_later(
    connection: Connection, missing: Sequence[Waiting], options: Options, now: float
) -> None:
    if not missing:
        return
    rows = [
        {
            "which": one.signature,
            "tried": one.n_attempts + 1,
            "later": now + _pause(options, one.n_attempts),
        }
        for one in missing
    ]
    connection.execute(
        update(PENDING)
        .where(PENDING.c.signature == bindparam("which"))
        .values(n_attempts=bindparam("tried"), next_try_at=bindparam("later")),
        rows,
    )


def _pause(options: Options, n_before: int) -> float:
    doubled: float = options.retry_s * 2 ** min(n_before, 20)
    return min(doubled, options.retry_limit_s)


def complete_slot(connection: Connection, newest_slot: int) -> int:
    """Gives the slot up to which everything is written.

    The newest listed slot may have been half read: it counts once a later one was seen.
    """
    oldest = connection.scalar(select(func.min(PENDING.c.slot)))
    return (newest_slot if oldest is None else oldest) - 1
