"""Sums over updates, exact and in any order the same."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import (
    FloatArray,
    Int16Array,
    IntArray,
    add_checked,
    scale_checked,
)
from flair_client.limits import INT64_MAX

_Int32Array = npt.NDArray[np.int32]
# Up to so many units of weight, sums of int16 cannot leave int32.
_INT32_WEIGHTS: Final = (1 << 31) // (1 << 15) - 1


def weighted_sum(
    shape: tuple[int, ...], deltas: Iterator[Int16Array], weights: Sequence[int]
) -> IntArray:
    """`sum(weight * delta)`, of the shape of each delta.

    Raises:
        ValueError: so much weight that the sum could leave 32 bits.
    """
    return _sum32(shape, deltas, weights).astype(np.int64)


def _sum32(
    shape: tuple[int, ...], deltas: Iterator[Int16Array], weights: Sequence[int]
) -> _Int32Array:
    """The same of 32 bits.

    As Horner's scheme has it, the total counts units of the last weight: where the
    heaviest come first, each delta is only added, and the total scaled a few times.
    """
    if sum(weights) > _INT32_WEIGHTS:
        raise ValueError(f"a weight sum of {sum(weights)}")
    # In place, each by itself: new arrays would cost more than the sums.
    total = np.zeros(shape, dtype=np.int32)
    term: _Int32Array | None = None
    unit = max(1, *weights)
    for weight, delta in zip(weights, deltas, strict=True):
        if delta.shape != shape:
            raise ValueError(f"a delta of shape {delta.shape} instead of {shape}")
        if weight % unit:
            # No multiple of it: the unit becomes smaller.
            smaller = weight if unit % weight == 0 else 1
            total *= np.int32(unit // smaller)
            unit = smaller
        if weight == unit:
            total += delta
            continue
        term = np.empty(shape, dtype=np.int32) if term is None else term
        np.copyto(term, delta)
        term *= np.int32(weight // unit)
        total += term
    total *= np.int32(unit)
    return total


class MeanRule:
    """`M' = M + lambda * sum(weight * delta)`."""

    def __init__(self, weights: Sequence[int], lambda_: int) -> None:
        """With weights in the order of the deltas."""
        self._weights = weights
        self._lambda = lambda_
        # No sum, times lambda, is larger.
        self._reach = (sum(weights) << 15) * abs(lambda_)

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        """As `Rule.merge_part`; the order of the updates does not matter."""
        total = _sum32(base.shape, deltas, self._weights)
        if self._reach > INT64_MAX:
            scaled = scale_checked(total.astype(np.int64), self._lambda, name)
            return add_checked(base, scaled, name), moments
        merged = total.astype(np.int64)
        merged *= np.int64(self._lambda)
        low, high = int(base.min(initial=0)), int(base.max(initial=0))
        if low < self._reach - INT64_MAX - 1 or high > INT64_MAX - self._reach:
            return add_checked(base, merged, name), moments
        merged += base
        return merged, moments


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
                term = delta.astype(np.int64)
                term *= np.int64(factor)
                total += term
        return add_checked(base, total, name), moments
