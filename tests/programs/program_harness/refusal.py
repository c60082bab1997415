"""Refusals: what the framework and the runtime call theirs, and how to read one."""

from typing import Final

from solders.transaction_metadata import FailedTransactionMetadata
from solders.transaction_status import (
    InstructionErrorCustom,
    InstructionErrorFieldless,
    TransactionErrorInstructionError,
)

from program_harness.protocol import ERRORS

# Refusals of the framework and the runtime, by what they mean.
# The numbers are anchor-lang 2.0.0-rc.2's (`ErrorCode`, `SlabSchema::validate`).
SIGNER: Final = "MissingRequiredSignature"
MUT: Final = 2000
DUPLICATE: Final = 2040
ADDRESS: Final = 2012
HAS_ONE: Final = 2001
EXECUTABLE: Final = 2007
SEEDS: Final = "InvalidSeeds"
OWNER: Final = "IllegalOwner"
DISCRIMINATOR: Final = "InvalidAccountData"
TOO_SMALL: Final = "AccountDataTooSmall"
MISSING: Final = "UninitializedAccount"
SPACE: Final = 2019
BORROWED: Final = "AccountBorrowFailed"
ESCALATION: Final = "PrivilegeEscalation"
PROGRAM: Final = "IncorrectProgramId"
KEYS: Final = "NotEnoughAccountKeys"
DATA: Final = "InvalidInstructionData"
# The runtime's, where the program is not among the accounts of its own call.
ABSENT_PROGRAM: Final = "MissingAccount"
# The system program's.
IN_USE: Final = 0  # AccountAlreadyInUse
POOR: Final = 1  # ResultWithNegativeLamports


def explain(result: FailedTransactionMetadata) -> str:
    """Says why a transaction failed, with the program's last words."""
    return f"{result.err()} {result.meta().logs()[-4:]}"


def name_of(error: int | str) -> str:
    """Gives an error's name in the document."""
    names = [name for name, number in ERRORS.items() if number == error]
    return names[0] if names else str(error)


def error_of(result: FailedTransactionMetadata) -> int | str:
    """Gives the number of a refusal, or the runtime's word for it."""
    error = result.err()
    if not isinstance(error, TransactionErrorInstructionError):
        return str(error)
    inner = error.err
    if isinstance(inner, InstructionErrorCustom):
        return inner.code
    if isinstance(inner, InstructionErrorFieldless):
        return str(inner).split(".")[-1]
    return str(inner)
