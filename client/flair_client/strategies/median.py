"""Coordinate median: of each value the middle one (Yin et al. 2018).

With an even number of updates it is the mean of the two in the middle.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from flair_client.arithmetic import (
    FloatArray,
    Int16Array,
    IntArray,
    add_checked,
    divide_rounded,
)
from flair_client.strategies.base import Facts, Plain, Rule
from flair_client.strategies.robust import (
    ATTACKERS,
    require_majority,
    side_by_side,
    slices,
    sorted_slice,
)


class CoordinateMedian(Plain):
    """`M' = M + round(eta * median(delta))`; holds for n >= 2f + 1."""

    id = "median"
    number = 7
    parameters = (ATTACKERS,)

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """As `Strategy.require`."""
        require_majority(self.id, n_updates, params)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        return _MedianRule(facts.eta_q24)


class _MedianRule:
    def __init__(self, eta_q24: int) -> None:
        self._eta = eta_q24

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        stacked = side_by_side(deltas)
        low, high = (stacked.shape[0] - 1) // 2, stacked.shape[0] // 2
        twice = np.empty(stacked.shape[1], dtype=np.int64)
        for piece in slices(stacked.shape[1]):
            ordered = sorted_slice(stacked, piece)
            twice[piece] = ordered[low].astype(np.int64) + ordered[high]
        term = divide_rounded(twice * np.int64(self._eta), 2)
        return add_checked(base, term.reshape(base.shape), name), moments
