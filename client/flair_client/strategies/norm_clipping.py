"""Norm clipping: no update counts for more than a given length (Sun et al. 2019)."""

from collections.abc import Mapping
from math import isqrt

from flair_client.arithmetic import divide_half_even
from flair_client.strategies.base import Facts, Plain, Rule
from flair_client.strategies.parameters import real
from flair_client.strategies.robust import ATTACKERS, require_majority
from flair_client.strategies.sums import FactorRule


class NormClipping(Plain):
    """`M' = M + eta * sum(delta * min(1, norm / |delta|)) / n`; for n >= 2f + 1.

    So f hostile updates move the model by at most `eta * norm * f / n`.
    """

    id = "norm_clipping"
    number = 12
    parameters = (
        ATTACKERS,
        real("norm", "length, in units of the weights", 1, (1 << 63) - 1),
    )

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """As `Strategy.require`."""
        require_majority(self.id, n_updates, params)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        return FactorRule([_factor(facts, norm_sq) for norm_sq in facts.norms_sq])


def _factor(facts: Facts, norm_sq: int) -> int:
    """`round_half_even(eta * min(1, norm / |delta|) / n)`, exactly."""
    bound_sq = facts.params["norm_q48"] ** 2
    # Squared length of the update in the parameter's units; scale_exp is at least -40.
    length_sq = norm_sq << 96 + 2 * facts.scale_exp
    if length_sq <= bound_sq:
        return divide_half_even(facts.eta_q24, facts.n_updates)
    return root_half_even(facts.eta_q24**2 * bound_sq, length_sq * facts.n_updates**2)


def root_half_even(numerator: int, denominator: int) -> int:
    """The square root of a fraction, rounded half to even."""
    low = isqrt(numerator // denominator)
    # Whether the root is above low + 1/2, or is just that.
    middle, exact = (2 * low + 1) ** 2 * denominator, 4 * numerator
    return low + int(exact > middle or (exact == middle and low % 2 == 1))
