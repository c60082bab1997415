"""Events of a repository out of an RPC's transaction history."""

from typing import Final

from flair_client.chain.events import EventBytes, decode_event
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.sending import fetch_transaction
from flair_client.chain.transactions import events_from_transaction
from flair_client.errors import VerificationError
from flair_client.ids import Address

_PAGE: Final = 1000


def fetch_events(
    rpc: Rpc, repo: Address, seq: int, program_id: Address = PROGRAM_ID
) -> list[EventBytes]:
    """Gives the events of a repository after number `seq`, in order, without a hole.

    Walks the history backwards and stops at the first event that is known already.
    Whether the events are the true ones is for the caller to check, by their root.

    Raises:
        VerificationError: an event is missing from the RPC's history, two differ
            that have the same number, or the history goes round in circles.
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
                return _contiguous(by_seq, seq)
        if len(page) < _PAGE:
            return _contiguous(by_seq, seq)
        before = page[-1].signature


def _numbered(events: list[EventBytes], repo: Address) -> dict[int, EventBytes]:
    decoded = [(decode_event(event_bytes), event_bytes) for event_bytes in events]
    return {event.repo_seq: raw for event, raw in decoded if event.repo == repo}


def _contiguous(by_seq: dict[int, EventBytes], seq: int) -> list[EventBytes]:
    numbers = sorted(number for number in by_seq if number > seq)
    for expected, number in enumerate(numbers, start=seq + 1):
        if number != expected:
            raise VerificationError(
                f"event {expected}", "missing from the RPC's transaction history"
            )
    return [by_seq[number] for number in numbers]
