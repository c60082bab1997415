"""Lists what is new into `pending`, durably, so that no listing is done twice.

Each listing goes from the newest transaction back to the newest one that was final when
it was listed. So the whole window in which slots can still be dropped is listed again
every time, and a slot that was half read before is read in full. Nothing is ever
filtered by `slot >`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, delete

from flair_client.ids import Address
from flair_indexer.bulk import select_many
from flair_indexer.cursor import Cursor, Owner, ended_scan, must_cursor
from flair_indexer.db import Database
from flair_indexer.decode import signature_bytes, signature_text
from flair_indexer.parts import IN_LIMIT, parts
from flair_indexer.source import Listed, Source, UnknownBefore
from flair_indexer.tables import EVENTS, PENDING
from flair_indexer.write import add_rows, undo_events

# More than a listing can have entries; pages of one listing count down from it.
_RANKS: Final = 1 << 40


@dataclass(slots=True)
class Window:
    """Transactions that were dealt with and may be listed again: signature → slot.

    Forgotten once they lie below what is listed for good. After a restart those without
    events are simply fetched again.
    """

    slots: dict[str, int] = field(default_factory=dict)

    def forget_below(self, slot: int) -> None:
        """Drops what is never listed again."""
        if len(self.slots) > IN_LIMIT:
            self.slots = {k: v for k, v in self.slots.items() if v >= slot}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a look at the node gave.

    Attributes:
        n_new: transactions that are to be fetched.
        n_moved: dealt with before, in another slot than now: they were undone.
        final_slot: the newest finalized one, asked for before listing.
        newest_slot: the highest listed; 0 for none.
    """

    n_new: int
    n_moved: int
    final_slot: int
    newest_slot: int


@dataclass(slots=True)
class _Scan:
    cursor: Cursor
    owner: Owner
    window: Window
    final_slot: int
    rank: int = _RANKS
    n_new: int = 0
    newest_slot: int = 0
    n_moved: int = 0


def list_new(
    database: Database,
    source: Source,
    owner: Owner,
    window: Window,
    *,
    page_size: int,
    on_page: Callable[[int], None] = lambda _: None,
) -> Listing:
    """Lists until nothing new is left.

    Args:
        database: of the indexer.
        source: asked for the listing.
        owner: who writes.
        window: what was dealt with.
        page_size: entries of one answer.
        on_page: hears after each page how many are new so far.

    Raises:
        RpcUnavailable, DatabaseUnavailable: what was listed so far is kept.
    """
    # Asked before listing: whatever is final now is in the listing.
    final_slot = source.slot("finalized")
    with database.reading() as connection:
        cursor = must_cursor(connection)
    scan = _Scan(cursor, owner, window, final_slot)
    program_id = Address(cursor.program_id)
    is_last = False
    while not is_last:
        try:
            page = source.signatures(
                program_id,
                before=scan.cursor.scan_before,
                until=cursor.until_signature,
                limit=page_size,
            )
        except UnknownBefore:
            # The oldest one that was listed was dropped since.
            scan.cursor = _begun_anew(scan.cursor)
            continue
        is_last = len(page) < page_size or page[-1].slot < cursor.until_slot
        _keep_page(database, scan, page, is_last=is_last)
        on_page(scan.n_new)
    return Listing(scan.n_new, scan.n_moved, final_slot, scan.newest_slot)


def _begun_anew(cursor: Cursor) -> Cursor:
    return replace(cursor, scan_top=None, scan_top_slot=0, scan_before=None)


def _keep_page(
    database: Database, scan: _Scan, page: list[Listed], *, is_last: bool
) -> None:
    with database.unit() as connection:
        known = _known(connection, scan.window, page)
        _undo_moved(connection, scan, page, known)
        rows = [
            _row(one, scan.rank - place)
            for place, one in enumerate(page)
            if known.get(one.signature) != one.slot and not one.is_failed
        ]
        add_rows(connection, PENDING, rows)
        before = scan.cursor
        scan.cursor = _after_page(scan, page)
        if is_last:
            scan.cursor = ended_scan(scan.cursor)
        # A look that found nothing writes nothing.
        is_same = scan.cursor == before and scan.final_slot == before.final_slot
        if rows or scan.n_moved or not is_same:
            scan.owner.keep(connection, **_values(scan))
    scan.n_new += len(rows)
    scan.rank -= len(page)
    scan.window.slots |= {
        one.signature: one.slot for one in page if one.is_failed and not one.is_final
    }
    scan.newest_slot = max([scan.newest_slot, *(one.slot for one in page)])


def _values(scan: _Scan) -> dict[str, Any]:
    cursor = scan.cursor
    return {
        "until_signature": cursor.until_signature,
        "until_slot": cursor.until_slot,
        "scan_top": cursor.scan_top,
        "scan_top_slot": cursor.scan_top_slot,
        "scan_before": cursor.scan_before,
        "final_slot": max(cursor.final_slot, scan.final_slot),
    }


def _known(
    connection: Connection, window: Window, page: list[Listed]
) -> dict[str, int]:
    """Gives the slot of each that was listed or dealt with before."""
    signatures = [one.signature for one in page]
    known = {one: window.slots[one] for one in signatures if one in window.slots}
    names = ("signature", "slot")
    for part in parts(signatures):
        known |= dict(select_many(connection, PENDING, names, part))
        raw = [signature_bytes(one) for one in part]
        for signature, slot in select_many(connection, EVENTS, names, raw):
            known[signature_text(bytes(signature))] = slot
    return known


def _undo_moved(
    connection: Connection, scan: _Scan, page: list[Listed], known: dict[str, int]
) -> None:
    """Forgets transactions whose slot was dropped and that came again in another."""
    moved = [one for one in page if known.get(one.signature, one.slot) != one.slot]
    if not moved:
        return
    texts = [one.signature for one in moved]
    for part in parts(texts):
        connection.execute(delete(PENDING).where(PENDING.c.signature.in_(part)))
    undo_events(connection, [signature_bytes(one) for one in texts])
    for one in texts:
        scan.window.slots.pop(one, None)
    scan.n_moved += len(moved)


def _row(one: Listed, rank: int) -> dict[str, Any]:
    return {
        "signature": one.signature,
        "slot": one.slot,
        "rank": rank,
        "is_final": one.is_final,
        "n_attempts": 0,
        "next_try_at": 0.0,
    }


def _after_page(scan: _Scan, page: list[Listed]) -> Cursor:
    cursor = scan.cursor
    if not page:
        return cursor
    if cursor.scan_top is None:
        # Final when it was listed: nothing at or below it can still appear.
        top = next(
            (one for one in page if one.is_final and one.slot <= scan.final_slot), None
        )
        if top is not None:
            cursor = replace(cursor, scan_top=top.signature, scan_top_slot=top.slot)
    return replace(cursor, scan_before=page[-1].signature)
