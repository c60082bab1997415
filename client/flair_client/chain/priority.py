"""What a transaction offers to be taken sooner: measured, and never above a cap.

The fee for priority is a price times the limit of compute units, not times what is
used: so the limit is what a trial run used and a tenth more. The price is what three
of four slots lately took, of those that wrote the same accounts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flair_client.chain.instructions import Instruction
from flair_client.chain.rpc import Rpc
from flair_client.ids import Address

# A price is in millionths of a lamport.
_MICRO: Final = 1_000_000
# Compute units of the two instructions that say all this.
_OWN_UNITS: Final = 300
_LIMIT: Final = 1_400_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What a transaction says about its cost.

    Attributes:
        compute_units: it may use at most so many.
        unit_price: for each of these, in millionths of a lamport; 0: none.
    """

    compute_units: int
    unit_price: int = 0

    @property
    def lamports(self) -> int:
        """What the priority costs, rounded up as the chain does."""
        return -(-self.compute_units * self.unit_price // _MICRO)


def priority_price(rpc: Rpc, instructions: Sequence[Instruction]) -> int:
    """Gives the price that lately sufficed; 0 where nobody pays or none may be paid."""
    if rpc.priority_cap <= 0:
        return 0
    paid = sorted(rpc.get_recent_fees(_writable(instructions)))
    return paid[3 * len(paid) // 4] if paid else 0


def budget_of(used: int, price: int, cap: int) -> Budget:
    """Gives what to offer.

    Args:
        used: compute units of a trial run.
        price: that lately sufficed, in millionths of a lamport.
        cap: the most that the priority may cost, in lamports.
    """
    units = min(used + used // 10 + _OWN_UNITS, _LIMIT)
    return Budget(units, min(price, cap * _MICRO // units))


def _writable(instructions: Sequence[Instruction]) -> list[Address]:
    found = {
        meta.address: None
        for one in instructions
        for meta in one.accounts
        if meta.is_writable
    }
    return list(found)
