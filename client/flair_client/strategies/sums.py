"""Sums over updates, exact and in any order the same."""

from collections.abc import Iterator, Sequence

import numpy as np

from flair_client.arithmetic import (
    FloatArray,
    Int16Array,
    IntArray,
    add_checked,
    scale_checked,
)

# Up to so many units of weight, sums of int16 cannot leave int32.
_INT32_WEIGHTS = (1 << 31) // (1 << 15) - 1


def weighted_sum(
    shape: tuple[int, ...], deltas: Iterator[Int16Array], weights: Sequence[int]
) -> IntArray:
    """`sum(weight * delta)`, of the shape of each delta.

    Raises:
        ValueError: so much weight that the sum could leave 32 bits.
    """
    if sum(weights) > _INT32_WEIGHTS:
        raise ValueError(f"a weight sum of {sum(weights)}")
    total = np.zeros(shape, dtype=np.int32)
    for weight, delta in zip(weights, deltas, strict=True):
        total += delta.astype(np.int32) * np.int32(weight)
    return total.astype(np.int64)


class MeanRule:
    """`M' = M + lambda * sum(weight * delta)`."""

    def __init__(self, weights: Sequence[int], lambda_: int) -> None:
        """With weights in the order of the deltas."""
        self._weights = weights
        self._lambda = lambda_

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        """As `Rule.merge_part`; the order of the updates does not matter."""
        total = weighted_sum(base.shape, deltas, self._weights)
        return add_checked(
            base, scale_checked(total, self._lambda, name), name
        ), moments


class FactorRule:
    """`M' = M + sum(factor * delta)` with a factor for each update."""

    def __init__(self, factors: Sequence[int]) -> None:
        """With factors below 2^32 in units of 2^-24, in the order of the deltas.

        Sixty-four products of 32 and 16 bits stay within 64 bits.
        """
        self._factors = factors

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        """As `Rule.merge_part`."""
        total = np.zeros(base.shape, dtype=np.int64)
        for factor, delta in zip(self._factors, deltas, strict=True):
            if factor:
                total += delta.astype(np.int64) * np.int64(factor)
        return add_checked(base, total, name), moments
