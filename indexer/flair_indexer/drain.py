"""Fetches what is listed, oldest slot first, and writes it.

A unit of work is for whole slots: while much is waiting it takes many, never a part of
one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from flair_client.ids import Address
from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.decode import WHOLE, Decoded, Letter, decode, order_of
from flair_indexer.listing import Window
from flair_indexer.parts import parts
from flair_indexer.settings import Options
from flair_indexer.source import Source
from flair_indexer.tables import DEAD_LETTERS, PENDING
from flair_indexer.write import put_letters, store_events

_NO_INDEX: Final = -1


@dataclass(frozen=True, slots=True)
class Waiting:
    """A listed transaction whose turn it is."""

    signature: str
    slot: int
    is_final: bool
    n_attempts: int


@dataclass(frozen=True, slots=True)
class Drained:
    """What one unit of work did."""

    n_transactions: int = 0
    n_events: int = 0
    n_missing: int = 0
    letters: tuple[Letter, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """Transactions of whole slots, as the source gave them."""

    waiting: tuple[Waiting, ...]
    answers: tuple[Any, ...]


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


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(row.signature, row.slot, row.is_final, row.n_attempts)


def fetch(source: Source, waiting: Sequence[Waiting]) -> Fetched:
    """Asks the source for listed transactions."""
    answers = source.transactions([one.signature for one in waiting])
    return Fetched(tuple(waiting), tuple(answers))


def write(
    database: Database,
    source: Source,
    owner: Owner,
    window: Window,
    fetched: Fetched,
    *,
    program_id: Address,
    options: Options,
    now: float,
    before_end: Callable[[], None] = lambda: None,
) -> Drained:
    """Writes what was fetched, in one unit of work.

    Args:
        database: of the indexer.
        source: asked only for the order in a block, where a node does not tell it.
        owner: who writes.
        window: learns what was dealt with.
        fetched: whole slots.
        program_id: ours.
        options: how often a missing transaction is asked for.
        now: seconds.
        before_end: called when all is written and nothing is kept yet.
    """
    there = [
        (one, answer)
        for one, answer in zip(fetched.waiting, fetched.answers, strict=True)
        if answer is not None
    ]
    missing = [
        one
        for one, answer in zip(fetched.waiting, fetched.answers, strict=True)
        if answer is None
    ]
    decoded = _decode_all(source, there, program_id)
    events = sorted((e for one in decoded for e in one.events), key=order_of)
    letters = [letter for one in decoded for letter in one.letters]
    lost = [
        _lost(one) for one in missing if one.n_attempts + 1 >= options.null_attempts
    ]
    with database.unit() as connection:
        owner.keep(connection)
        store_events(connection, events)
        _done(connection, [one for one, _ in there])
        put_letters(connection, [*letters, *lost])
        _try_later(connection, missing, options, now)
        before_end()
    # What is final is never listed again: a backlog of a million fills no memory.
    window.slots |= {one.signature: one.slot for one, _ in there if not one.is_final}
    return Drained(len(there), len(events), len(missing), (*letters, *lost))


def _decode_all(
    source: Source, there: Sequence[tuple[Waiting, Any]], program_id: Address
) -> list[Decoded]:
    decoded = []
    for slot, group in groupby(there, key=lambda one: one[0].slot):
        own = list(group)
        order: dict[str, int] | None = None
        for one, answer in own:
            place = _tx_index(answer)
            if place == _NO_INDEX:
                order = source.block_order(slot) if order is None else order
                place = order.get(one.signature, _NO_INDEX)
            decoded.append(
                decode(
                    one.signature,
                    slot,
                    answer,
                    tx_index=place,
                    is_final=one.is_final,
                    program_id=program_id,
                )
            )
    return decoded


def _tx_index(answer: Any) -> int:
    place = answer.get("transactionIndex") if isinstance(answer, dict) else 0
    return place if type(place) is int and 0 <= place < 1 << 31 else _NO_INDEX


def _lost(one: Waiting) -> Letter:
    detail = f"listed, and not given by the node in {one.n_attempts + 1} attempts"
    return Letter(one.signature, WHOLE, WHOLE, one.slot, "missing", detail)


def _done(connection: Connection, there: Sequence[Waiting]) -> None:
    if not there:
        return
    for part in parts(one.signature for one in there):
        connection.execute(delete(PENDING).where(PENDING.c.signature.in_(part)))
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
