"""FedAvg: the mean of the updates, weighted, times eta (McMahan et al. 2017)."""

from collections.abc import Iterable

import numpy as np

from flair_client.arithmetic import Int16Array, IntArray, add_checked, scale_checked
from flair_client.encoding.limits import MAX_WEIGHT

# Up to so many units of weight, sums of int16 cannot leave int32.
_INT32_WEIGHTS = (1 << 31) // (1 << 15) - 1


class FedAvg:
    """`M' = M + lambda * sum(weight * delta)`."""

    id = "fedavg"
    number = 1
    linear = True

    def merge_tensor(
        self,
        base: IntArray,
        updates: Iterable[tuple[int, Int16Array]],
        lambda_: int,
        name: str = "values",
    ) -> IntArray:
        """As `Strategy.merge_tensor`; the order of the updates does not matter."""
        total = np.zeros(base.shape, dtype=np.int32)
        weight_sum = 0
        for weight, delta in updates:
            if not 1 <= weight <= MAX_WEIGHT:
                raise ValueError(f"a weight of {weight}")
            weight_sum += weight
            if weight_sum > _INT32_WEIGHTS:
                raise ValueError(f"a weight sum of {weight_sum}")
            total += delta.astype(np.int32) * np.int32(weight)
        term = scale_checked(total.astype(np.int64), lambda_, name)
        return add_checked(base, term, name)
