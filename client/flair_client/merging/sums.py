"""Sums of floats in one order that is written down, for all machines the same."""

import numpy as np

from flair_client.arithmetic import FloatArray

# Value i is added to lane i mod 4096; at the end lane j takes lane j + 2048, then lane
# j + 1024, and so on down to lane 0. Only element-wise additions: NumPy's own sums may
# go another way with every version and processor.
N_LANES = 4096


class OrderedSum:
    """Adds up float64 values that come part by part."""

    def __init__(self) -> None:
        """Of nothing yet."""
        self._lanes = np.zeros(N_LANES)
        self._is_over = False

    def add(self, part: FloatArray) -> None:
        """Takes the next values in.

        Args:
            part: flat; every one but the last is a whole number of lanes.

        Raises:
            ValueError: the part before was none.
        """
        if self._is_over and part.size:
            raise ValueError("a part that is no whole number of lanes is the last one")
        n_whole = part.size - part.size % N_LANES
        for row in part[:n_whole].reshape(-1, N_LANES):
            self._lanes += row
        rest = part[n_whole:]
        if rest.size:
            self._lanes[: rest.size] += rest
            self._is_over = True

    def total(self) -> float:
        """The sum so far."""
        lanes = self._lanes
        while lanes.size > 1:
            half = lanes.size // 2
            lanes = lanes[:half] + lanes[half:]
        return float(lanes[0])
