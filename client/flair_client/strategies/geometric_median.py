"""Geometric median: closest to all updates together (Pillutla et al. 2022, RFA).

Weiszfeld's algorithm, a fixed number of steps. The point that it moves is always a mean
of the updates, `z = sum(c_i * delta_i) / C` with `C = sum(c_i)`, so a step needs only
the distances between updates:

    |z - delta_j|^2 = sum_i c_i D_ij / C - sum_ik c_i c_k D_ik / (2 C^2)

All in integers: the shares `c` count units of 2^-64, distances units of 2^-40. A
distance below one unit of the delta counts as one, which is the smoothing of the paper.
"""

from collections.abc import Mapping
from math import isqrt
from typing import Final

from flair_client.arithmetic import divide_half_even
from flair_client.strategies.base import Distances, Facts, Plain, Rule
from flair_client.strategies.parameters import count
from flair_client.strategies.robust import ATTACKERS, require_majority
from flair_client.strategies.sums import FactorRule

_SHARE_BITS: Final = 64
_LENGTH_BITS: Final = 40


def weiszfeld(distances_sq: Distances, n_steps: int) -> list[int]:
    """The share of each update in the median after so many steps from the mean."""
    n_updates = len(distances_sq)
    shares = [1] * n_updates
    for _ in range(n_steps):
        inverse = [
            (1 << _SHARE_BITS + _LENGTH_BITS) // length
            for length in _lengths(distances_sq, shares)
        ]
        total = sum(inverse)
        shares = [(one << _SHARE_BITS) // total for one in inverse]
    return shares


def _lengths(distances_sq: Distances, shares: list[int]) -> list[int]:
    """How far each update is from the mean with these shares, in 2^-40 units."""
    total = sum(shares)
    rows = [
        sum(share * value for share, value in zip(shares, row, strict=True))
        for row in distances_sq
    ]
    spread = sum(share * row for share, row in zip(shares, rows, strict=True))
    lengths = []
    for row in rows:
        scaled = (2 * total * row - spread) << 2 * _LENGTH_BITS
        length = isqrt(max(scaled, 0) // (2 * total * total))
        lengths.append(max(length, 1 << _LENGTH_BITS))
    return lengths


class GeometricMedian(Plain):
    """`M' = M + eta * sum(c_i * delta_i) / C`; holds for n >= 2f + 1."""

    id = "geometric_median"
    number = 11
    parameters = (ATTACKERS, count("steps", "steps of Weiszfeld", 1, 256, 32))
    needs_distances = True

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """As `Strategy.require`."""
        require_majority(self.id, n_updates, params)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        shares = weiszfeld(facts.distances_sq, facts.params["steps"])
        total = sum(shares)
        return FactorRule(
            [divide_half_even(facts.eta_q24 * share, total) for share in shares]
        )
