"""What the cluster demands of a transaction before and while it runs.

LiteSVM knows the compute-budget instructions of older transactions and not the header
of version 1 (SIMD-0385), where what is left out is zero.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from solders.message import Message, MessageV0, MessageV1

from flair_client.localnet.outcomes import (
    NO_PROGRAM,
    PROGRAM_NOT_FOUND,
    Outcome,
)

TOO_MUCH_LOADED: Final = "MaxLoadedAccountsDataSizeExceeded"
# It cannot even be loaded: the fee is taken, nothing runs and nothing is logged
# (SIMD-0191).
_FEES_ONLY: Final = frozenset(
    {
        PROGRAM_NOT_FOUND,
        NO_PROGRAM,
        TOO_MUCH_LOADED,
    }
)
_CUT: Final = "ComputationalBudgetExceeded"


def costs_fee_only(err: Any) -> bool:
    """Tells whether all that is left of a failed transaction is its fee."""
    return isinstance(err, str) and err in _FEES_ONLY


@dataclass(frozen=True, slots=True)
class Limits:
    """What the header of a transaction of version 1 allows.

    Attributes:
        compute_units: at most.
        loaded_size: bytes of all accounts, at most.
        priority_fee: lamports beside those for signatures.
    """

    compute_units: int
    loaded_size: int
    priority_fee: int


def read_limits(message: Message | MessageV0 | MessageV1) -> Limits | None:
    """Gives the limits of a header; None where the version has none."""
    if not isinstance(message, MessageV1):
        return None
    config = message.config
    return Limits(
        compute_units=config.compute_unit_limit or 0,
        loaded_size=config.loaded_accounts_data_size_limit or 0,
        priority_fee=config.priority_fee or 0,
    )


def apply_limits(limits: Limits, trial: Outcome) -> Outcome:
    """Gives what the limits make of a trial run without them."""
    priced = replace(trial, priority_fee=limits.priority_fee)
    if trial.loaded_size > limits.loaded_size:
        return replace(priced, err=TOO_MUCH_LOADED, is_loaded=False, accounts={})
    if trial.result.compute_units_consumed() > limits.compute_units:
        # The machine would know the instruction; from outside the first is named.
        err = {"InstructionError": [0, _CUT]}
        return replace(priced, err=err, cut_at=limits.compute_units, accounts={})
    return priced
