"""What a wallet may spend within a day, in UTC, and what it has spent.

Fees, and the rent of accounts that a step makes: that comes back when the round is
over, but whoever empties a wallet would take it first. A step is written down with the
most that it can cost before it is sent; what it did cost replaces it. One that was cut
off in between counts in full.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from flair_aggregator.outbox import Outbox
from flair_aggregator.round import OpenRound, Propose, Step
from flair_client.chain.accounts import (
    MergeCandidateAccount,
    RoundAccount,
    account_size,
)
from flair_client.ids import Address
from flair_client.sponsor.rules import rent_of

DAY_S: Final = 86_400
# One signature; Flair offers no priority fee.
_FEE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Budget:
    """A wallet's allowance.

    Attributes:
        outbox: keeps what was spent.
        wallet: who pays.
        now: seconds since 1970.
        cap: lamports within a day; None is no limit.
    """

    outbox: Outbox
    wallet: Address
    now: Callable[[], int]
    cap: int | None = None

    def reserve(self, steps: Sequence[Step]) -> int | None:
        """Writes down the most that a transaction can cost.

        Returns:
            The number of the note; None where it would exceed the cap.
        """
        return self.outbox.reserve(self.wallet, self._day(), most_cost(steps), self.cap)

    def settle(self, note: int, fee_lamports: int, steps: Sequence[Step]) -> None:
        """Writes down what it did cost."""
        self.outbox.settle(note, fee_lamports + _rent(steps))

    def spent(self) -> int:
        """Lamports of today."""
        return self.outbox.spent(self.wallet, self._day())

    def sentence(self) -> str:
        """Says that no more may be spent today."""
        return (
            f"{self.spent()} of {self.cap} lamports are spent today: the next step "
            "would exceed that, and waits for the next day (UTC)"
        )

    def seconds_to_midnight(self) -> float:
        """How long it takes until the next day begins."""
        return DAY_S - self.now() % DAY_S

    def _day(self) -> int:
        return self.now() // DAY_S


def most_cost(steps: Sequence[Step]) -> int:
    """Lamports that a transaction of these steps can cost at most."""
    return _FEE + _rent(steps)


def _rent(steps: Sequence[Step]) -> int:
    return sum(
        rent_of(account_size(RoundAccount))
        if isinstance(one, OpenRound)
        else rent_of(account_size(MergeCandidateAccount))
        if isinstance(one, Propose)
        else 0
        for one in steps
    )
