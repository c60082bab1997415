"""The events of one transaction: which inner instructions count, and where they stood.

The rules cannot be got around by a stranger's program. What came close to an event and
is none is told as well, so that an indexer can put it aside. Nothing here uses the
network, and no native code decodes transactions.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import libipld

from flair_client.chain.events import (
    EVENT_KINDS,
    EVENT_TAG,
    Event,
    EventBytes,
    decode_event,
    event_size,
)
from flair_client.chain.pdas import PROGRAM_ID, find_event_authority_pda
from flair_client.errors import ObjectInvalid
from flair_client.ids import Address

_OUTER_HEIGHT: Final = 1
# How libipld names base58 with Bitcoin's alphabet.
_BASE58: Final = "z"


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event that counts.

    Attributes:
        outer: number of the outer instruction below which it was sent.
        inner: its number among the calls below that one.
        payload: its bytes, as they are hashed.
        event: what they say.
    """

    outer: int
    inner: int
    payload: EventBytes
    event: Event


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call of our program that looks like an event and does not count."""

    outer: int
    inner: int
    reason: str


@dataclass(frozen=True, slots=True)
class TransactionEvents:
    """What one transaction says, in the order of its calls."""

    events: tuple[FoundEvent, ...] = ()
    refused: tuple[RefusedCall, ...] = ()


def read_transaction(
    tx_json: Any, program_id: Address = PROGRAM_ID
) -> TransactionEvents:
    """Gives the program's events in a transaction, and what pretends to be one.

    An inner instruction counts as an event only if all of this holds:

    1. the transaction succeeded (`meta.err` is null);
    2. the program called is ours;
    3. the frame that called it is ours too (by stack height);
    4. its data begins with the tag of events;
    5. its one account is our event authority;
    6. the event's kind is known and its fields take all of the bytes.

    A log line never counts.

    Args:
        tx_json: the answer to `getTransaction` with encoding "json".
        program_id: our program.

    Raises:
        ObjectInvalid: the answer does not have the shape of a transaction.
    """
    try:
        meta = tx_json["meta"]
        if meta["err"] is not None:
            return TransactionEvents()
        message = tx_json["transaction"]["message"]
        loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
        keys = message["accountKeys"] + loaded["writable"] + loaded["readonly"]
        outer = message["instructions"]
        frames = _Frames(keys, *_our_texts(program_id))
        groups = sorted(meta["innerInstructions"] or [], key=lambda one: one["index"])
        for group in groups:
            caller = frames.program(outer[group["index"]])
            frames.read(group["index"], caller, group["instructions"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise ObjectInvalid("transaction", f"unexpected shape: {exc!r}") from exc
    return TransactionEvents(tuple(frames.found), tuple(frames.refused))


@cache
def _our_texts(program_id: Address) -> tuple[str, str]:
    """Program and event authority as an RPC writes them; base58 takes its time."""
    return str(program_id), str(find_event_authority_pda(program_id)[0])


@cache
def _text_limit() -> int:
    """Longer base58 is no event, and decoding it would cost quadratic time."""
    largest = max(event_size(kind) for kind in EVENT_KINDS.values())
    # A byte takes log(256) / log(58) = 1.3658 digits.
    return 1366 * (len(EVENT_TAG) + largest) // 1000 + 1


@dataclass(frozen=True, slots=True)
class _Frames:
    """The accounts of a transaction, which of them are ours, and what was found."""

    keys: list[str]
    our_program: str
    event_authority: str
    found: list[FoundEvent] = field(default_factory=list)
    refused: list[RefusedCall] = field(default_factory=list)

    def program(self, instruction: Any) -> str:
        return self._key(instruction["programIdIndex"])

    def _key(self, index: Any) -> str:
        # A negative index would silently count from the end.
        if type(index) is not int or index < 0:
            raise IndexError(f"account {index!r}")
        return self.keys[index]

    def read(self, outer: int, outer_program: str, calls: list[Any]) -> None:
        """Looks at the calls below one outer instruction."""
        # programs[h] is the program that runs at stack height h.
        programs = {_OUTER_HEIGHT: outer_program}
        found: list[FoundEvent] = []
        for inner, instruction in enumerate(calls):
            height = instruction.get("stackHeight")
            if type(height) is not int or height <= _OUTER_HEIGHT:
                # Without heights nobody can tell who called; nothing counts then.
                if self._names_us(outer_program, calls):
                    self.refused.append(RefusedCall(outer, inner, "no stack height"))
                return
            program = self.program(instruction)
            programs[height] = program
            if program != self.our_program:
                continue
            is_ours = programs.get(height - 1) == self.our_program
            event = self._event(outer, inner, instruction, is_ours=is_ours)
            if event is not None:
                found.append(event)
        self.found.extend(found)

    def _names_us(self, outer_program: str, calls: list[Any]) -> bool:
        return outer_program == self.our_program or any(
            self.program(call) == self.our_program for call in calls
        )

    def _event(
        self, outer: int, inner: int, instruction: Any, *, is_ours: bool
    ) -> FoundEvent | None:
        accounts = [self._key(index) for index in instruction["accounts"]]
        is_signed = accounts == [self.event_authority]
        raw = b""
        if len(instruction["data"]) <= _text_limit():
            _, raw = libipld.decode_multibase(_BASE58 + instruction["data"])
        reason = None
        if not raw.startswith(EVENT_TAG):
            # An ordinary call of our program, unless it brings the authority alone.
            reason = "no event tag" if is_signed else None
        elif not is_ours:
            reason = "called by another program"
        elif not is_signed:
            reason = "not signed by the event authority alone"
        else:
            payload = raw[len(EVENT_TAG) :]
            try:
                return FoundEvent(outer, inner, payload, decode_event(payload))
            except ObjectInvalid as exc:
                reason = str(exc)
        if reason is not None:
            self.refused.append(RefusedCall(outer, inner, reason))
        return None
