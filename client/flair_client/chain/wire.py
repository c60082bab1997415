"""Reads a transaction that somebody else made: signatures, accounts, instructions.

Only legacy transactions, as Flair makes them. What it may do is decided elsewhere.
"""

from dataclasses import dataclass
from typing import Final

from solders.message import MessageHeader
from solders.transaction import Transaction

from flair_client.chain.instructions import AccountMeta
from flair_client.chain.signer import verify_signature
from flair_client.chain.transactions import TRANSACTION_LIMIT
from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.ids import Address

_EMPTY: Final = bytes(64)
_VERSIONED: Final = 0x80


@dataclass(frozen=True, slots=True)
class WireInstruction:
    """A call of a program as a transaction holds it.

    Attributes:
        accounts: signer and writable as the whole transaction has them.
    """

    program_id: Address
    accounts: tuple[AccountMeta, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class WireTransaction:
    """A transaction with the signatures that it has so far.

    Attributes:
        message: the bytes that are signed.
        signers: in the order of the signatures; the first pays the fee.
        missing: those of them who have not signed yet.
        writable: every account that may be changed.
    """

    message: bytes
    signers: tuple[Address, ...]
    missing: tuple[Address, ...]
    writable: frozenset[Address]
    blockhash: str
    instructions: tuple[WireInstruction, ...]
    signatures: tuple[bytes, ...]


def read_transaction(wire: bytes) -> WireTransaction:
    """Reads a transaction and checks every signature that is there.

    Raises:
        ObjectTooLarge: above 1,232 bytes.
        ObjectInvalid: malformed, or not a legacy transaction.
        SignatureInvalid: a signature is there and not its signer's.
    """
    if len(wire) > TRANSACTION_LIMIT:
        raise ObjectTooLarge("transaction", len(wire), TRANSACTION_LIMIT)
    try:
        parsed = Transaction.from_bytes(wire)
        parsed.sanitize()
    except Exception as exc:
        # solders raises kinds of its own that share no other base.
        raise ObjectInvalid("transaction", "malformed") from exc
    if bytes(parsed) != wire:
        raise ObjectInvalid("transaction", "not written in its one form")
    message = parsed.message
    signed_bytes = bytes(message)
    if not signed_bytes or signed_bytes[0] & _VERSIONED:
        raise ObjectInvalid("transaction", "not a legacy transaction")
    keys = tuple(Address(bytes(one)) for one in message.account_keys)
    if len(set(keys)) != len(keys):
        raise ObjectInvalid("transaction", "names an account twice")
    n_signers = message.header.num_required_signatures
    signatures = tuple(bytes(one) for one in parsed.signatures)
    if n_signers == 0 or len(signatures) != n_signers:
        raise ObjectInvalid("transaction", "another number of signatures than signers")
    metas = [
        AccountMeta(
            key, place < n_signers, _is_writable(message.header, place, len(keys))
        )
        for place, key in enumerate(keys)
    ]
    return WireTransaction(
        message=signed_bytes,
        signers=keys[:n_signers],
        missing=_missing(keys[:n_signers], signatures, signed_bytes),
        writable=frozenset(one.address for one in metas if one.is_writable),
        blockhash=str(message.recent_blockhash),
        instructions=tuple(
            WireInstruction(
                metas[one.program_id_index].address,
                tuple(metas[place] for place in one.accounts),
                bytes(one.data),
            )
            for one in message.instructions
        ),
        signatures=signatures,
    )


def _missing(
    signers: tuple[Address, ...], signatures: tuple[bytes, ...], message: bytes
) -> tuple[Address, ...]:
    """Gives who has not signed yet; a signature that is there must be true."""
    missing = []
    for address, signature in zip(signers, signatures, strict=True):
        if signature == _EMPTY:
            missing.append(address)
        else:
            verify_signature(address, message, signature)
    return tuple(missing)


def _is_writable(header: MessageHeader, place: int, n_keys: int) -> bool:
    """Signers come first; of them and of the others those only read come last."""
    n_signers = header.num_required_signatures
    if place < n_signers:
        return place < n_signers - header.num_readonly_signed_accounts
    return place < n_keys - header.num_readonly_unsigned_accounts
