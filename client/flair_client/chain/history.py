"""Events of a repository out of an RPC's transaction history."""

from collections.abc import Mapping
from typing import Final

from flair_client.chain.events import EventBytes, decode_event, event_root
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.sending import fetch_transaction
from flair_client.chain.transactions import events_from_transaction
from flair_client.errors import VerificationError
from flair_client.ids import Address, Digest

_PAGE: Final = 1000


def fetch_events(
    rpc: Rpc, repo: Address, seq: int, program_id: Address = PROGRAM_ID
) -> dict[int, EventBytes]:
    """Gives what an RPC still has of a repository's events after number `seq`.

    Walks the history backwards and stops at the first event that is known already.
    Events may be missing anywhere, and none is known to be true: see `whole_events`.

    Returns:
        Events by number, in order.

    Raises:
        VerificationError: two differ that have the same number, or the history goes
            round in circles.
    """
    by_seq: dict[int, EventBytes] = {}
    before: str | None = None
    seen: set[str] = set()
    while True:
        page = rpc.get_signatures_for_address(repo, before=before, limit=_PAGE)
        for entry in page:
            # Without this an RPC could send us round in circles for ever.
            if entry.signature in seen:
                raise VerificationError(
                    f"transaction {entry.signature}",
                    "comes twice in the RPC's transaction history",
                )
            seen.add(entry.signature)
            if entry.err is not None:
                continue
            tx_json = fetch_transaction(rpc, entry.signature)
            numbered = _numbered(events_from_transaction(tx_json, program_id), repo)
            for number, event_bytes in numbered.items():
                if by_seq.setdefault(number, event_bytes) != event_bytes:
                    raise VerificationError(f"event {number}", "given in two versions")
            if numbered and min(numbered) <= seq + 1:
                return _after(by_seq, seq)
        if len(page) < _PAGE:
            return _after(by_seq, seq)
        before = page[-1].signature


def whole_events(
    by_seq: Mapping[int, EventBytes], seq: int, event_seq: int, root: Digest
) -> list[EventBytes]:
    """Gives the events after number `seq` up to the newest one that an account counts.

    An RPC can leave events out, at the end as well, or invent some: an account's number
    and root tell. What is newer than the account is left out, since nothing vouches for
    it.

    Args:
        by_seq: what was found.
        seq: the last one that is known already.
        event_seq: the number of the newest event, by the account.
        root: its root, by the account.

    Raises:
        VerificationError: an event is missing, or is not what the next one names.
    """
    events: list[EventBytes] = []
    for number in range(event_seq, seq, -1):
        event_bytes = by_seq.get(number)
        if event_bytes is None:
            raise VerificationError(
                f"event {number}", "missing from the RPC's transaction history"
            )
        if event_root(event_bytes) != root:
            raise VerificationError(
                f"event {number}", "is not what the history root names"
            )
        root = decode_event(event_bytes).prev_root
        events.append(event_bytes)
    events.reverse()
    return events


def _numbered(events: list[EventBytes], repo: Address) -> dict[int, EventBytes]:
    decoded = [(decode_event(event_bytes), event_bytes) for event_bytes in events]
    return {event.repo_seq: raw for event, raw in decoded if event.repo == repo}


def _after(by_seq: Mapping[int, EventBytes], seq: int) -> dict[int, EventBytes]:
    return {number: by_seq[number] for number in sorted(by_seq) if number > seq}
