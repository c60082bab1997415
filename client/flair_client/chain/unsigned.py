"""Transactions that are signed elsewhere: built here, checked when they come back.

A wallet may add instructions of its own before it signs. Which ones may be there is
decided here; nothing of ours may be missing, changed, or in another order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from solders.signature import Signature

from flair_client.chain.arguments import ARGUMENTS
from flair_client.chain.instructions import Instruction, account_flags
from flair_client.chain.layout import DISCRIMINATOR_SIZE, Codec, decode, fields_of
from flair_client.chain.rpc import Rpc, Simulation
from flair_client.chain.transactions import TRANSACTION_LIMIT, build_message
from flair_client.chain.wire import read_transaction
from flair_client.errors import ObjectInvalid, SignatureInvalid, UsageError
from flair_client.ids import Address

COMPUTE_BUDGET_ID: Final = Address.parse("ComputeBudget111111111111111111111111111111")
# Wallets add its assertions, which stop a transaction that does more than it showed.
LIGHTHOUSE_ID: Final = Address.parse("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
_ADDED: Final = frozenset((COMPUTE_BUDGET_ID, LIGHTHOUSE_ID))
_SIGNATURE_SIZE: Final = 64
# Where a wallet adds no fee of its own.
LAMPORTS_PER_SIGNATURE: Final = 5_000


@dataclass(frozen=True, slots=True)
class DescribedInstruction:
    """An instruction in names and texts.

    Attributes:
        accounts: name and address in order; None where an optional one is left out.
        args: numbers in decimal, addresses in base58, other bytes in hex.
    """

    name: str
    accounts: tuple[tuple[str, str | None], ...]
    args: dict[str, str]


def unsigned_message(
    instructions: Sequence[Instruction], payer: Address, blockhash: str
) -> bytes:
    """Gives the bytes that are to be signed, of a legacy transaction.

    Raises:
        UsageError: with all signatures it would have more than 1,232 bytes.
    """
    message = build_message(instructions, payer, blockhash)
    raw = bytes(message)
    n_signers = message.header.num_required_signatures
    size = 1 + n_signers * _SIGNATURE_SIZE + len(raw)
    if size > TRANSACTION_LIMIT:
        raise UsageError(
            f"the transaction has {size} bytes, at most {TRANSACTION_LIMIT} fit"
        )
    return raw


def without_signatures(message: bytes) -> bytes:
    """Gives a message as a transaction that nobody has signed, for a trial run."""
    n_signers = message[0]
    return bytes((n_signers,)) + bytes(n_signers * _SIGNATURE_SIZE) + message


def try_out(rpc: Rpc, message: bytes) -> Simulation:
    """Tells what a message would do once it is signed."""
    return rpc.simulate_transaction(without_signatures(message), check_signatures=False)


def check_signed(wire: bytes, message: bytes) -> str:
    """Checks that a transaction is a message that was handed out, signed.

    Args:
        wire: as it came back from the wallet.
        message: that was handed out.

    Returns:
        The first signature, in base58: the transaction's name.

    Raises:
        ObjectInvalid: our instructions are not all there, unchanged and in order; or
            others are that a wallet has no reason to add; or others would sign.
        ObjectTooLarge: above 1,232 bytes.
        SignatureInvalid: a signature is missing or wrong.
    """
    found = read_transaction(wire)
    wanted = read_transaction(without_signatures(message))
    if found.signers != wanted.signers:
        raise ObjectInvalid("transaction", "others sign than were asked to")
    if found.missing:
        raise SignatureInvalid(f"{found.missing[0]} has not signed")
    waiting = list(wanted.instructions)
    for one in found.instructions:
        if waiting and one == waiting[0]:
            waiting.pop(0)
        elif one.program_id not in _ADDED:
            reason = f"an instruction for {one.program_id} that was not asked for"
            raise ObjectInvalid("transaction", reason)
    if waiting:
        raise ObjectInvalid("transaction", "an instruction is missing or was changed")
    if not found.writable <= wanted.writable:
        raise ObjectInvalid("transaction", "it may change more accounts than asked for")
    return str(Signature.from_bytes(found.signatures[0]))


def describe(instruction: Instruction) -> DescribedInstruction:
    """Says in names and texts what an instruction does, to the last argument."""
    kind = ARGUMENTS[instruction.name]
    arguments: Any = decode(kind, instruction.data[DISCRIMINATOR_SIZE:])
    names = [
        (_name(name), "?" in flags) for name, flags in account_flags(instruction.name)
    ]
    names += [("event_authority", False), ("program", False)]
    n_more = len(instruction.accounts) - len(names)
    names += [(f"more {place}", False) for place in range(1, n_more + 1)]
    return DescribedInstruction(
        instruction.name,
        tuple(
            (
                name,
                None
                if optional and meta.address == instruction.program_id
                else str(meta.address),
            )
            for (name, optional), meta in zip(names, instruction.accounts, strict=True)
        ),
        {
            one.name: _text(getattr(arguments, one.name))
            for one in fields_of(kind)
            if isinstance(one.part, Codec)
        },
    )


def _name(account: str) -> str:
    # The one that the IDL calls otherwise.
    return "system_program" if account == "system" else account


def _text(value: Any) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
