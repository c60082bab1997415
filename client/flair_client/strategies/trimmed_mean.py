"""Trimmed mean: each value without its f smallest and f largest (Yin et al. 2018)."""

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


class TrimmedMean(Plain):
    """`M' = M + round(eta * sum(kept) / (n - 2f))`; holds for n >= 2f + 1."""

    id = "trimmed_mean"
    number = 8
    parameters = (ATTACKERS,)

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """As `Strategy.require`."""
        require_majority(self.id, n_updates, params)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        return _TrimmedRule(facts.eta_q24, facts.params["f"])


class _TrimmedRule:
    def __init__(self, eta_q24: int, f: int) -> None:
        self._eta = eta_q24
        self._f = f

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        stacked = side_by_side(deltas)
        n_updates, n_values = stacked.shape
        total = np.empty(n_values, dtype=np.int64)
        for piece in slices(n_values):
            kept = sorted_slice(stacked, piece)[self._f : n_updates - self._f]
            # Of integers: the order does not matter.
            total[piece] = kept.sum(axis=0, dtype=np.int64)
        term = divide_rounded(total * np.int64(self._eta), n_updates - 2 * self._f)
        return add_checked(base, term.reshape(base.shape), name), moments
