"""Transactions: built and signed from instructions, and read for their events.

Which events of a transaction count is decided here, by rules that a stranger's
program cannot get around. Nothing here uses the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import base58
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta as WireMeta
from solders.instruction import Instruction as WireInstruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import Transaction

from flair_client.chain.events import EVENT_TAG, EventBytes, decode_event
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import PROGRAM_ID, find_event_authority_pda
from flair_client.chain.signer import Signer, verify_signature
from flair_client.errors import ObjectInvalid, UsageError
from flair_client.ids import Address

TRANSACTION_LIMIT: Final = 1232
# Longer base58 is no event of ours, and decoding it would cost quadratic time.
_EVENT_TEXT_LIMIT: Final = 800
_OUTER_HEIGHT: Final = 1


@runtime_checkable
class CoSigner(Protocol):
    """Somebody who signs only what all others have signed already."""

    def cosign(self, wire: bytes) -> bytes:
        """Gives its signature of a transaction that lacks it alone."""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction's bytes as sent, and its first signature in base58."""

    wire: bytes
    signature: str


def sign_transaction(
    instructions: Sequence[Instruction],
    signers: Sequence[Signer],
    blockhash: str,
    *,
    compute_units: int | None = None,
) -> SignedTransaction:
    """Builds a legacy transaction and signs it; the first signer pays.

    Raises:
        UsageError: above 1,232 bytes, or the signers are not those that it needs.
        SignatureInvalid: a signer's signature is not its own.
    """
    wire_instructions = [_to_wire(instruction) for instruction in instructions]
    if compute_units is not None:
        wire_instructions.insert(0, set_compute_unit_limit(compute_units))
    if not signers:
        raise UsageError("a transaction needs a signer")
    payer = Pubkey.from_bytes(signers[0].address.raw)
    message = Message.new_with_blockhash(
        wire_instructions, payer, Hash.from_string(blockhash)
    )
    needed = [
        Address(bytes(one))
        for one in message.account_keys[: message.header.num_required_signatures]
    ]
    by_address = {signer.address: signer for signer in signers}
    if set(needed) != set(by_address):
        wrong = sorted(str(one) for one in set(needed) ^ set(by_address))
        raise UsageError(f"signers do not fit the transaction: {', '.join(wrong)}")
    signed_bytes = bytes(message)
    signatures = [Signature.default()] * len(needed)
    size = len(bytes(Transaction.populate(message, signatures)))
    if size > TRANSACTION_LIMIT:
        raise UsageError(
            f"the transaction has {size} bytes, at most {TRANSACTION_LIMIT} fit"
        )
    # Whoever wants to see the others' signatures first comes last.
    for address in sorted(
        needed, key=lambda one: isinstance(by_address[one], CoSigner)
    ):
        signer = by_address[address]
        if isinstance(signer, CoSigner):
            wire = bytes(Transaction.populate(message, signatures))
            signature = signer.cosign(wire)
        else:
            signature = signer.sign(signed_bytes)
        verify_signature(address, signed_bytes, signature)
        signatures[needed.index(address)] = Signature.from_bytes(signature)
    wire = bytes(Transaction.populate(message, signatures))
    return SignedTransaction(wire, str(signatures[0]))


def _to_wire(instruction: Instruction) -> WireInstruction:
    return WireInstruction(
        Pubkey.from_bytes(instruction.program_id.raw),
        instruction.data,
        [
            WireMeta(
                Pubkey.from_bytes(meta.address.raw), meta.is_signer, meta.is_writable
            )
            for meta in instruction.accounts
        ],
    )


def events_from_transaction(
    tx_json: Any, program_id: Address = PROGRAM_ID
) -> list[EventBytes]:
    """Gives the program's events in a transaction, in order.

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
            return []
        message = tx_json["transaction"]["message"]
        loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
        keys = message["accountKeys"] + loaded["writable"] + loaded["readonly"]
        outer = message["instructions"]
        frames = _Frames(
            keys, str(program_id), str(find_event_authority_pda(program_id)[0])
        )
        found = []
        groups = sorted(meta["innerInstructions"] or [], key=lambda one: one["index"])
        for group in groups:
            caller = frames.program(outer[group["index"]])
            found += frames.events(caller, group["instructions"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise ObjectInvalid("transaction", f"unexpected shape: {exc!r}") from exc
    return found


@dataclass(frozen=True, slots=True)
class _Frames:
    """The accounts of a transaction, and which of them are ours."""

    keys: list[str]
    our_program: str
    event_authority: str

    def program(self, instruction: Any) -> str:
        return self._key(instruction["programIdIndex"])

    def _key(self, index: Any) -> str:
        # A negative index would silently count from the end.
        if type(index) is not int or index < 0:
            raise IndexError(f"account {index!r}")
        return self.keys[index]

    def events(self, outer_program: str, inner: list[Any]) -> list[EventBytes]:
        """Gives the events among the calls below one outer instruction."""
        # programs[h] is the program that runs at stack height h.
        programs = {_OUTER_HEIGHT: outer_program}
        found = []
        for instruction in inner:
            height = instruction.get("stackHeight")
            if type(height) is not int or height <= _OUTER_HEIGHT:
                # Without heights nobody can tell who called; nothing counts then.
                return []
            program = self.program(instruction)
            programs[height] = program
            caller = programs.get(height - 1)
            if program == caller == self.our_program:
                event_bytes = self._event(instruction)
                if event_bytes is not None:
                    found.append(event_bytes)
        return found

    def _event(self, instruction: Any) -> EventBytes | None:
        accounts = [self._key(index) for index in instruction["accounts"]]
        data = instruction["data"]
        if accounts != [self.event_authority] or len(data) > _EVENT_TEXT_LIMIT:
            return None
        raw = base58.b58decode(data)
        if not raw.startswith(EVENT_TAG):
            return None
        event_bytes = raw[len(EVENT_TAG) :]
        try:
            decode_event(event_bytes)
        except ObjectInvalid:
            return None
        return event_bytes
