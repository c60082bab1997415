r"""Which values DARE keeps: random numbers that anyone can draw again.

Values of a tensor are numbered row by row. Number `i` lies in chunk `c = i // 65536`,
and the stream of the chunk is SHAKE-128 (FIPS 202) of

    "flair-dare-v1\n" ‖ seed (8 B) ‖ commit id of the model (32 B)
        ‖ length of the tensor's name in UTF-8 (4 B) ‖ name ‖ c (8 B)

with integers little-endian. It is read as little-endian 32-bit integers, one a value: a
value is kept when its integer is below `round_half_even(density * 2^32)`.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import divide_half_even
from flair_client.ids import CommitId
from flair_client.merging.base import UNIT

PREFIX = b"flair-dare-v1\n"
CHUNK = 1 << 16
_BITS = 32


class Mask:
    """The mask of one tensor of one model, part by part."""

    def __init__(self, seed: int, model: CommitId, name: str, density: int) -> None:
        """Before the first value; `density` in billionths."""
        raw_name = name.encode()
        self._key = (
            PREFIX
            + seed.to_bytes(8, "little")
            + model.raw
            + len(raw_name).to_bytes(4, "little")
            + raw_name
        )
        self._below = np.uint64(divide_half_even(density << _BITS, UNIT))
        self._chunk = 0
        self._held = np.zeros(0, dtype=np.bool_)

    def take(self, n_values: int) -> npt.NDArray[np.bool_]:
        """For the next values, which of them are kept."""
        parts = [self._held]
        n_held = self._held.size
        while n_held < n_values:
            parts.append(self._next_chunk())
            n_held += CHUNK
        drawn = np.concatenate(parts)
        self._held = drawn[n_values:]
        return drawn[:n_values]

    def _next_chunk(self) -> npt.NDArray[np.bool_]:
        text = self._key + self._chunk.to_bytes(8, "little")
        stream = hashlib.shake_128(text).digest(CHUNK * 4)
        self._chunk += 1
        return np.frombuffer(stream, dtype="<u4") < self._below
