"""A transaction of an RPC to the events that count. Pure; no event is trusted yet.

What a stranger sends must never stop the indexer: whatever goes wrong with one
transaction, native code that panics included, becomes a letter that somebody can look
at, and the next transaction is read.
"""

from dataclasses import dataclass
from typing import Any, Final

import libipld

from flair_client.chain.event_frames import TransactionEvents, read_transaction
from flair_client.chain.events import Event, event_root
from flair_client.errors import ObjectInvalid
from flair_client.ids import Address

SIGNATURE_SIZE: Final = 64
WHOLE: Final = -1
_I64_MAX: Final = 2**63 - 1
_DETAIL_LIMIT: Final = 300
_OURS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)


@dataclass(frozen=True, slots=True)
class IndexedEvent:
    """An event and where it stood.

    Attributes:
        signature: of its transaction, 64 bytes.
        outer, inner: numbers of the instruction and of the call below it.
        tx_index: of the transaction in its slot.
        block_time: seconds, by the RPC; None where it does not know.
        payload: its bytes; `root` is their digest.
        is_final: whether its slot was finalized when it was listed.
    """

    signature: bytes
    outer: int
    inner: int
    slot: int
    tx_index: int
    block_time: int | None
    payload: bytes
    event: Event
    root: bytes
    is_final: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """Something that nobody can deliver: put aside, and shown.

    Attributes:
        outer, inner: the call; -1 and -1 for the whole transaction.
        reason: `missing`, `malformed`, `panic` or `refused`.
    """

    signature: str
    outer: int
    inner: int
    slot: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one transaction gave."""

    events: tuple[IndexedEvent, ...] = ()
    letters: tuple[Letter, ...] = ()


def signature_bytes(text: str) -> bytes:
    """Gives a signature's 64 bytes.

    Raises:
        ObjectInvalid: the text is none.
    """
    raw = base58_bytes(text)
    if len(raw) != SIGNATURE_SIZE:
        raise ObjectInvalid("signature", f"{len(raw)} bytes instead of 64")
    return raw


def base58_bytes(text: str) -> bytes:
    """Gives the bytes of base58.

    Raises:
        ObjectInvalid: the text is none.
    """
    try:
        _, raw = libipld.decode_multibase("z" + text)
    except ValueError as exc:
        raise ObjectInvalid("signature", "not base58") from exc
    return bytes(raw)


def signature_text(raw: bytes) -> str:
    """Gives a signature in base58."""
    return str(libipld.encode_multibase("z", raw))[1:]


def decode(
    signature: str,
    slot: int,
    tx_json: Any,
    *,
    tx_index: int,
    is_final: bool,
    program_id: Address,
) -> Decoded:
    """Reads one transaction.

    Args:
        signature: the one that was listed.
        slot: where it was listed.
        tx_json: the answer to `getTransaction`.
        tx_index: of the transaction in its slot.
        is_final: whether that slot was finalized.
        program_id: ours.
    """
    try:
        found = read_transaction(tx_json, program_id)
        stood = _Place(
            signature, slot, tx_index, _block_time(tx_json), is_final=is_final
        )
        return stood.decoded(found)
    except _OURS:
        raise
    except ObjectInvalid as exc:
        return _whole(signature, slot, "malformed", exc)
    except BaseException as exc:  # noqa: BLE001 - panics of native code are no Exception
        return _whole(signature, slot, "panic", exc)


def _whole(signature: str, slot: int, reason: str, exc: BaseException) -> Decoded:
    detail = f"{type(exc).__name__}: {exc}"[:_DETAIL_LIMIT]
    return Decoded(letters=(Letter(signature, WHOLE, WHOLE, slot, reason, detail),))


def _block_time(tx_json: Any) -> int | None:
    value = tx_json.get("blockTime")
    is_time = type(value) is int and 0 <= value <= _I64_MAX
    return value if is_time else None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a transaction stood."""

    signature: str
    slot: int
    tx_index: int
    block_time: int | None
    is_final: bool

    def decoded(self, found: TransactionEvents) -> Decoded:
        raw = signature_bytes(self.signature)
        return Decoded(
            tuple(
                IndexedEvent(
                    raw,
                    one.outer,
                    one.inner,
                    self.slot,
                    self.tx_index,
                    self.block_time,
                    one.payload,
                    one.event,
                    event_root(one.payload).raw,
                    self.is_final,
                )
                for one in found.events
            ),
            tuple(
                Letter(
                    self.signature,
                    one.outer,
                    one.inner,
                    self.slot,
                    "refused",
                    one.reason[:_DETAIL_LIMIT],
                )
                for one in found.refused
            ),
        )


def order_of(event: IndexedEvent) -> tuple[int, int, int, int]:
    """Gives an event's place: slot, transaction, outer and inner instruction."""
    return event.slot, event.tx_index, event.outer, event.inner
