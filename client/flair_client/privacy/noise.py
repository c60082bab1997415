"""Noise for integers: the discrete Gaussian, drawn exactly.

Floating-point noise leaks what it should hide (Mironov 2012); a discrete Gaussian added
to integers does not. Values are drawn by inversion: 192 random bits are compared with
the distribution's cumulative probabilities, kept to 192 bits. What that leaves out is
below 2^-160 for any model, and is not counted in delta.

The bits are a ChaCha20 stream under a key of 256 bits from the operating system, so
that a tensor's noise can be made again while a model goes through memory one tensor at
a time. The key is never written anywhere.
"""

import bisect
import decimal
import functools
import hashlib
import os
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from flair_client.arithmetic import IntArray
from flair_client.errors import OutOfRange

KEY_SIZE: Final = 32
MAX_SIGMA: Final = float(1 << 15)
_BITS: Final = 192
_HEAD_BITS: Final = 64
_LOW_BITS: Final = _BITS - _HEAD_BITS
# Probabilities are computed with so many bits, of which the last ones are wrong.
_WORK_BITS: Final = 320
_DIGITS: Final = 110
_N_PART: Final = 1 << 18


def new_key() -> bytes:
    """Gives a key for `noise_of`, from the operating system."""
    return os.urandom(KEY_SIZE)


class DiscreteGaussian:
    """Integers k with probability in proportion to exp(-k² / (2 sigma²))."""

    def __init__(self, sigma: float) -> None:
        """Makes the table for a deviation.

        Raises:
            OutOfRange: sigma is not above 0, or larger than 16-bit integers can bear.
        """
        if not 0 < sigma <= MAX_SIGMA:
            raise OutOfRange(f"noise of deviation {sigma:g} is not possible")
        self.sigma = sigma
        # _thresholds[m] is P(|k| <= m) in units of 2^-192.
        self._thresholds = _cumulative(sigma)
        heads = [one >> _LOW_BITS for one in self._thresholds]
        self._heads = np.array(heads, np.uint64)

    def draw(self, stream: "RandomStream", count: int) -> IntArray:
        """Draws so many integers."""
        drawn = np.empty(count, np.int64)
        for at in range(0, count, _N_PART):
            n = min(_N_PART, count - at)
            drawn[at : at + n] = self._draw_part(stream, n)
        return drawn

    def _draw_part(self, stream: "RandomStream", count: int) -> IntArray:
        heads = np.frombuffer(stream.read(8 * count), "<u8")
        signs = np.unpackbits(
            np.frombuffer(stream.read(-(-count // 8)), np.uint8), count=count
        )
        first = np.searchsorted(self._heads, heads, side="left")
        last = np.searchsorted(self._heads, heads, side="right")
        sizes = first.astype(np.int64)
        # Where the first 64 bits are those of a threshold the others decide.
        for place in np.flatnonzero(first != last):
            low = int.from_bytes(stream.read(_LOW_BITS // 8), "little")
            drawn = (int(heads[place]) << _LOW_BITS) | low
            sizes[place] = bisect.bisect_right(self._thresholds, drawn)
        return np.where(signs == 1, -sizes, sizes)


class RandomStream:
    """The ChaCha20 stream of a key and a name."""

    def __init__(self, key: bytes, name: str) -> None:
        """Begins the stream; other names give streams that have nothing in common."""
        own = hashlib.sha256(b"flair noise v1\n" + key + name.encode()).digest()
        cipher = Cipher(algorithms.ChaCha20(own, bytes(16)), mode=None)
        self._encryptor = cipher.encryptor()

    def read(self, size: int) -> bytes:
        """Gives the next bytes."""
        return self._encryptor.update(bytes(size))


def noise_of(
    gaussian: DiscreteGaussian, key: bytes, name: str, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """The noise of one tensor: the same for the same key, name and shape."""
    count = int(np.prod(shape, dtype=np.int64))
    return gaussian.draw(RandomStream(key, name), count).reshape(shape)


@functools.lru_cache(maxsize=4)
def _cumulative(sigma: float) -> tuple[int, ...]:
    """P(|k| <= m) for m = 0, 1, … in units of 2^-192, but for the last one, which is 1.

    exp(-k² / (2 sigma²)) falls from one k to the next by a factor that itself falls by
    exp(-1 / sigma²) in each step: two products of integers, no further exponential.
    """
    one = 1 << _WORK_BITS
    variance = Fraction(sigma) ** 2
    factor = _exp(-1 / (2 * variance))
    shrink = _exp(-1 / variance)
    weight, sums = one, []
    total = 0
    at_zero = True
    while weight >> (_WORK_BITS - _BITS):
        total += weight if at_zero else 2 * weight
        at_zero = False
        sums.append(total)
        weight = (weight * factor) >> _WORK_BITS
        factor = (factor * shrink) >> _WORK_BITS
    return tuple((part << _BITS) // total for part in sums[:-1])


def _exp(power: Fraction) -> int:
    """exp(power) in units of 2^-320, for powers below 0."""
    with decimal.localcontext() as context:
        context.prec = _DIGITS
        context.Emin = decimal.MIN_EMIN
        value = (
            decimal.Decimal(power.numerator) / decimal.Decimal(power.denominator)
        ).exp()
        return int(value * (1 << _WORK_BITS))
