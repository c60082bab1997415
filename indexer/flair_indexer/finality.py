"""Confirmed to final: what a finalized slot kept, and what was dropped with its slot.

A row is written as soon as its slot is confirmed. Once that slot is finalized the node
is asked what became of the transaction: known there, it stays for good; unknown, or in
another slot, it is undone and its repository folded anew.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, false, select, update

from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.decode import signature_bytes, signature_text
from flair_indexer.listing import Window
from flair_indexer.parts import parts
from flair_indexer.source import Source, Status
from flair_indexer.tables import EVENTS, PENDING
from flair_indexer.write import undo_events

_AT_ONCE: Final = 2560


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found."""

    n_final: int = 0
    n_dropped: int = 0
    n_undone_events: int = 0


@dataclass(frozen=True, slots=True)
class _Doubt:
    signature: str
    slot: int


def audit(
    database: Database, source: Source, owner: Owner, window: Window, final_slot: int
) -> Audit:
    """Asks for everything at and below a finalized slot that is not known to be final.

    Args:
        database: of the indexer.
        source: the node.
        owner: who writes.
        window: forgets what was dropped.
        final_slot: finalized before the last listing began.
    """
    found = Audit()
    while True:
        doubts = _doubts(database, final_slot)
        if not doubts:
            return found
        kept, dropped = _told_apart(source, doubts)
        if not kept and not dropped:
            # The node that was asked is behind the one that named the slot.
            return found
        n_undone = _settle(database, owner, kept, dropped)
        for one in dropped:
            window.slots.pop(one.signature, None)
        found = Audit(
            found.n_final + len(kept),
            found.n_dropped + len(dropped),
            found.n_undone_events + n_undone,
        )


def _doubts(database: Database, final_slot: int) -> list[_Doubt]:
    stored = (
        select(EVENTS.c.signature, EVENTS.c.slot)
        .where(EVENTS.c.is_final == false(), EVENTS.c.slot <= final_slot)
        .distinct()
        .limit(_AT_ONCE)
    )
    # Those that the node never gave: dropped, or not there yet.
    lost = (
        select(PENDING.c.signature, PENDING.c.slot)
        .where(
            PENDING.c.is_final == false(),
            PENDING.c.slot <= final_slot,
            PENDING.c.n_attempts > 0,
        )
        .limit(_AT_ONCE)
    )
    with database.reading() as connection:
        doubts = [
            _Doubt(signature_text(bytes(row.signature)), row.slot)
            for row in connection.execute(stored)
        ]
        doubts += [_Doubt(row.signature, row.slot) for row in connection.execute(lost)]
    return doubts


def _told_apart(
    source: Source, doubts: list[_Doubt]
) -> tuple[list[_Doubt], list[_Doubt]]:
    kept, dropped, unknown = [], [], []
    statuses = source.statuses([one.signature for one in doubts])
    for one, status in zip(doubts, statuses, strict=True):
        if status is None:
            unknown.append(one)
        elif _is_elsewhere(one, status):
            dropped.append(one)
        elif status.is_final:
            kept.append(one)
    # A node that has forgotten a status may still have the transaction.
    answers = source.transactions([one.signature for one in unknown])
    for one, answer in zip(unknown, answers, strict=True):
        (dropped if _is_gone(one, answer) else kept).append(one)
    return kept, dropped


def _is_elsewhere(one: _Doubt, status: Status) -> bool:
    return status.is_final and (status.slot != one.slot or status.is_failed)


def _is_gone(one: _Doubt, answer: Any) -> bool:
    return not isinstance(answer, dict) or answer.get("slot") != one.slot


def _settle(
    database: Database, owner: Owner, kept: list[_Doubt], dropped: list[_Doubt]
) -> int:
    with database.unit() as connection:
        owner.keep(connection)
        for part in parts(kept):
            raw = [signature_bytes(one.signature) for one in part]
            connection.execute(
                update(EVENTS).where(EVENTS.c.signature.in_(raw)).values(is_final=True)
            )
            texts = [one.signature for one in part]
            connection.execute(
                update(PENDING)
                .where(PENDING.c.signature.in_(texts))
                .values(is_final=True)
            )
        for part in parts(dropped):
            texts = [one.signature for one in part]
            connection.execute(delete(PENDING).where(PENDING.c.signature.in_(texts)))
        return undo_events(
            connection, [signature_bytes(one.signature) for one in dropped]
        )
