"""What robust strategies share: the number of attackers, bounds, values side by side.

None of them looks at weights: those are what contributors say of themselves, and a
bound on attackers counts heads.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import Int16Array
from flair_client.errors import TooFewUpdates
from flair_client.limits import MAX_UPDATES
from flair_client.strategies.parameters import count

ATTACKERS: Final = count("f", "updates that may be hostile", 0, MAX_UPDATES // 2, 1)
# Values of each update that are looked at side by side: 4 MiB for 64 updates.
SLICE: Final = 1 << 15


def require_majority(strategy: str, n_updates: int, params: Mapping[str, int]) -> None:
    """Refuses where hostile updates may be half of all, or more.

    Raises:
        TooFewUpdates: fewer than 2f + 1.
    """
    f = params["f"]
    if n_updates < 2 * f + 1:
        raise TooFewUpdates(strategy, n_updates, 2 * f + 1, f"2f + 1 for f = {f}")


def side_by_side(deltas: Iterator[Int16Array]) -> Int16Array:
    """The same part of every update, shape [updates, values]."""
    return np.stack([delta.reshape(-1) for delta in deltas])


def slices(n_values: int) -> Iterator[slice]:
    """Pieces of a part, so that temporaries stay small."""
    return (slice(at, at + SLICE) for at in range(0, n_values, SLICE))


def sorted_slice(stacked: Int16Array, piece: slice) -> npt.NDArray[np.int16]:
    """The values of each coordinate in order, shape [updates, values]."""
    return np.sort(stacked[:, piece], axis=0)
