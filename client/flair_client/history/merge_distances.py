"""How far updates are apart, over all tensors: exact integers, one pass.

`|a - b|^2 = |a|^2 + |b|^2 - 2 a.b`. The products of all pairs are one matrix product of
float64, which is fast; it is exact because the values are integers of 16 bits and a
slice is short: every partial sum, in whatever order, is an integer below 2^53.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from flair_client.arithmetic import Int16Array, IntArray
from flair_client.delta import delta_parts
from flair_client.objects import DeltaTensor
from flair_client.store.base import Store
from flair_client.strategies.base import Distances

# 64 updates of so many values are 8 MiB of float64; 2^14 products of 2^30 are 2^44.
_SLICE: Final = 1 << 14
# Sums of so many products of slices stay within 63 bits.
_MAX_SLICES: Final = 1 << 18


class PairSums:
    """Collects the products of all pairs of updates."""

    def __init__(self, n_updates: int) -> None:
        """For so many updates."""
        self._n_updates = n_updates
        self._sums: IntArray = np.zeros((n_updates, n_updates), np.int64)
        self._whole = [[0] * n_updates for _ in range(n_updates)]
        self._n_slices = 0

    def add(self, parts: Sequence[Int16Array]) -> None:
        """Adds the same part of every update."""
        flat = [part.reshape(-1) for part in parts]
        for at in range(0, flat[0].size, _SLICE):
            matrix = np.stack([part[at : at + _SLICE] for part in flat])
            floats = matrix.astype(np.float64)
            self._sums += (floats @ floats.T).astype(np.int64)
            self._n_slices += 1
            if self._n_slices == _MAX_SLICES:
                self._carry()

    def distances_sq(self) -> Distances:
        """Squared distance of each update to each."""
        self._carry()
        whole, updates = self._whole, range(self._n_updates)
        return tuple(
            tuple(whole[i][i] + whole[j][j] - 2 * whole[i][j] for j in updates)
            for i in updates
        )

    def _carry(self) -> None:
        for row, sums in zip(self._whole, self._sums.tolist(), strict=True):
            row[:] = [left + right for left, right in zip(row, sums, strict=True)]
        self._sums[:] = 0
        self._n_slices = 0


def distances_sq(
    store: Store, tensors: Iterable[Sequence[tuple[int, DeltaTensor]]]
) -> Distances:
    """Squared distance of each update to each, in units of the delta.

    Args:
        store: where the blocks lie.
        tensors: of each tensor the bits and values of every update, in one order.

    Raises:
        As `delta_parts`.
    """
    sums: PairSums | None = None
    for terms in tensors:
        sums = sums or PairSums(len(terms))
        streams = [delta_parts(tensor, bits, store) for bits, tensor in terms]
        for parts in zip(*streams, strict=True):
            sums.add(parts)
    return () if sums is None else sums.distances_sq()
