"""Transactions: built and signed from instructions, and read for their events.

Which events of a transaction count is decided in `event_frames`. Nothing here uses the
network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta as WireMeta
from solders.instruction import Instruction as WireInstruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import Transaction

from flair_client.chain.event_frames import read_transaction
from flair_client.chain.events import EventBytes
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.signer import Signer, verify_signature
from flair_client.errors import UsageError
from flair_client.ids import Address

TRANSACTION_LIMIT: Final = 1232


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
    unit_price: int = 0,
) -> SignedTransaction:
    """Builds a legacy transaction and signs it; the first signer pays.

    Raises:
        UsageError: above 1,232 bytes, or the signers are not those that it needs.
        SignatureInvalid: a signer's signature is not its own.
    """
    if not signers:
        raise UsageError("a transaction needs a signer")
    message = build_message(
        instructions,
        signers[0].address,
        blockhash,
        compute_units=compute_units,
        unit_price=unit_price,
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


def build_message(
    instructions: Sequence[Instruction],
    payer: Address,
    blockhash: str,
    *,
    compute_units: int | None = None,
    unit_price: int = 0,
) -> Message:
    """Gives what is signed of a legacy transaction."""
    wire_instructions = [_to_wire(instruction) for instruction in instructions]
    if unit_price:
        wire_instructions.insert(0, set_compute_unit_price(unit_price))
    if compute_units is not None:
        wire_instructions.insert(0, set_compute_unit_limit(compute_units))
    return Message.new_with_blockhash(
        wire_instructions, Pubkey.from_bytes(payer.raw), Hash.from_string(blockhash)
    )


def unsigned_wire(
    instructions: Sequence[Instruction], payer: Address, blockhash: str, **budget: int
) -> bytes:
    """Gives a transaction that nobody can send: for trial runs, and for its size."""
    message = build_message(instructions, payer, blockhash, **budget)
    n_signers = message.header.num_required_signatures
    return bytes(Transaction.populate(message, [Signature.default()] * n_signers))


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

    By the rules of `event_frames.read_transaction`.

    Args:
        tx_json: the answer to `getTransaction` with encoding "json".
        program_id: our program.

    Raises:
        ObjectInvalid: the answer does not have the shape of a transaction.
    """
    return [one.payload for one in read_transaction(tx_json, program_id).events]
