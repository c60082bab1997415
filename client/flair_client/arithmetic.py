"""The exact numbers of a model: 64-bit integers, and their floats.

The state of a shared tensor is integers `M` in units of `2 ** (scale_exp - 24)`; a
delta is integers in units of `2 ** scale_exp`. Floats are an export of `M`, rounded
half to even, and come in at exactly three places: `to_fixed`, `from_fixed`, `quantise`.
Every function gives the same integers, and the same bits, on every machine.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from flair_client.errors import NotFinite, ObjectInvalid, OutOfRange
from flair_client.objects import DType

Array = npt.NDArray[np.generic]
IntArray = npt.NDArray[np.int64]
Int16Array = npt.NDArray[np.int16]
FloatArray = npt.NDArray[np.float64]

# M has 24 bits below the unit of a delta, so that the share of one update in a mean of
# up to 2^14 in total weight loses nothing.
FRACTION_BITS = 24
# Integers up to it are float64 without a rounding.
_MAX_EXACT = 1 << 53
# Floats whose range holds all such integers in any unit of at most this exponent.
_WIDE = frozenset((DType.F64, DType.F32))
_MAX_UNIT_EXP = 64
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
# Values that are worked on at once: temporaries stay within the processor's cache.
_SLICE = 1 << 16

# dtype of the little-endian bytes; BF16, which NumPy does not know, as its 16 bits.
_STORED: dict[DType, np.dtype[Any]] = {
    DType.F64: np.dtype("<f8"),
    DType.F32: np.dtype("<f4"),
    DType.F16: np.dtype("<f2"),
    DType.BF16: np.dtype("<u2"),
    DType.I64: np.dtype("<i8"),
    DType.I32: np.dtype("<i4"),
    DType.I16: np.dtype("<i2"),
    DType.I8: np.dtype("i1"),
    DType.U8: np.dtype("u1"),
    DType.BOOL: np.dtype("?"),
}
# Significant bits, and the exponent of the smallest subnormal number.
_FLOAT_FORMATS = {
    DType.F64: (53, -1074),
    DType.F32: (24, -149),
    DType.F16: (11, -24),
    DType.BF16: (8, -133),
}


def _slices(n_values: int) -> Iterator[slice]:
    return (slice(at, at + _SLICE) for at in range(0, n_values, _SLICE))


def values_from_bytes(raw: bytes | memoryview, dtype: DType) -> Array:
    """Little-endian bytes as a flat array without a copy; BF16 widened to float32.

    Raises:
        ObjectInvalid: a boolean is neither 0 nor 1.
    """
    if dtype is DType.BF16:
        bits = np.frombuffer(raw, dtype="<u2").astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32)
    # Other bytes than 0 and 1 would be neither true nor false.
    if dtype is DType.BOOL and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
        raise ObjectInvalid("tensor", "a boolean is neither 0 nor 1")
    values: Array = np.frombuffer(raw, dtype=_STORED[dtype])
    return values


def bytes_from_values(values: Array, dtype: DType) -> bytes:
    """Little-endian bytes of a tensor; float32 to BF16 is rounded half to even.

    Args:
        values: of the NumPy type of `dtype`; float32 for BF16.
        dtype: what the bytes are.

    Raises:
        TypeError: the array has another type.
    """
    wanted = np.dtype(np.float32) if dtype is DType.BF16 else _STORED[dtype]
    if values.dtype.newbyteorder("<") != wanted.newbyteorder("<"):
        raise TypeError(f"{values.dtype} values for {dtype.value}")
    if dtype is DType.BF16:
        return _bf16_bits(values).astype("<u2", copy=False).tobytes()
    return values.astype(_STORED[dtype], copy=False).tobytes()


def _bf16_bits(values: Array) -> npt.NDArray[np.uint16]:
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    # Adding just under half a unit, and one more when the kept part is odd, carries
    # into the kept part exactly when half-to-even rounds up.
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)
    # Adding to the bits of NaN could make it infinite; it stays a quiet NaN.
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
    return np.where(np.isnan(values), quiet, rounded).astype(np.uint16)


def count_not_finite(values: Array) -> int:
    """How many values are NaN or infinite; 0 for integers."""
    if values.dtype.kind != "f":
        return 0
    return int(values.size - np.count_nonzero(np.isfinite(values)))


def to_fixed(values: Array, scale_exp: int, name: str = "values") -> IntArray:
    """`M` nearest to floats: `round_half_even(x * 2 ** (24 - scale_exp))`.

    Exact: a float of any dtype is a float64, and so is its product with a power of two.

    Args:
        values: floats of any shape.
        scale_exp: of the policy, -40 to 20.
        name: the tensor's, for messages.

    Raises:
        NotFinite: a value is NaN or infinite.
        OutOfRange: a value does not fit into 64 bits.
    """
    flat = values.reshape(-1)
    fixed = np.empty(flat.size, dtype=np.int64)
    n_bad = 0
    for part in _slices(flat.size):
        floats = flat[part].astype(np.float64)
        n_bad += count_not_finite(floats)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(np.ldexp(floats, FRACTION_BITS - scale_exp))
            inside = (scaled >= float(_INT64_MIN)) & (scaled < float(_INT64_MAX))
        if not n_bad and not inside.all():
            worst = float(floats[~inside][0])
            reason = f"{worst} does not fit into 64 bits at scale 2^{scale_exp}"
            raise OutOfRange(f"tensor {name!r}: {reason}")
        fixed[part] = np.where(inside, scaled, 0.0).astype(np.int64)
    if n_bad:
        raise NotFinite(name, n_bad)
    return fixed.reshape(values.shape)


def from_fixed(
    fixed: IntArray, scale_exp: int, dtype: DType, name: str = "values"
) -> Array:
    """The floats nearest to `M`, half to even, in one rounding.

    The integer is rounded to the bits that the float has room for (fewer below the
    smallest normal number), so the conversion to the float itself is exact; going
    through float64 first would round twice, save where the integer is a float64.

    Returns:
        An array of the NumPy type of `dtype`; float32 for BF16.

    Raises:
        OutOfRange: a value is beyond the largest float of the dtype.
    """
    n_bits, low_exp = _FLOAT_FORMATS[dtype]
    unit_exp = scale_exp - FRACTION_BITS
    stored = np.float32 if dtype is DType.BF16 else _STORED[dtype].type
    flat = fixed.reshape(-1)
    floats = np.empty(flat.size, dtype=stored)
    is_wide = dtype in _WIDE and abs(unit_exp) <= _MAX_UNIT_EXP
    for part in _slices(flat.size):
        whole = flat[part]
        if is_wide and _fits_float64(whole):
            # The product is exact, and neither subnormal nor too large: one rounding.
            exact = whole.astype(np.float64)
            exact *= 2.0**unit_exp
            floats[part] = exact
            continue
        kept, n_dropped = _round_to_bits(_magnitude(whole), n_bits, low_exp - unit_exp)
        exact = np.ldexp(kept.astype(np.float64), n_dropped + unit_exp)
        with np.errstate(over="ignore"):
            # Adding zero makes -0.0 of a negative value that rounds to zero 0.0.
            narrow = (np.where(whole < 0, -exact, exact) + 0.0).astype(stored)
        if not np.isfinite(narrow).all():
            worst = float(exact.max())
            reason = f"{worst} is beyond the range of {dtype.value}"
            raise OutOfRange(f"tensor {name!r}: {reason}")
        floats[part] = narrow
    return floats.reshape(fixed.shape)


def _fits_float64(whole: IntArray) -> bool:
    return not whole.size or (
        int(whole.min()) >= -_MAX_EXACT and int(whole.max()) <= _MAX_EXACT
    )


def _magnitude(whole: IntArray) -> npt.NDArray[np.uint64]:
    # np.abs(-2**63) is negative; its bits as unsigned are right.
    return np.abs(whole).view(np.uint64)


def _round_to_bits(
    magnitude: npt.NDArray[np.uint64], n_bits: int, at_least: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Rounds half to even to `n_bits` significant bits, dropping `at_least` bits.

    Returns:
        Kept integer and number of dropped bits: the value is `kept << n_dropped`.
    """
    lengths = np.frexp(magnitude.astype(np.float64))[1]
    # float64 may round up to the next power of two: then the length is one less.
    top = np.maximum(lengths - 1, 0).astype(np.uint64)
    lengths = np.where((magnitude >> top) == 0, lengths - 1, lengths)
    n_dropped = np.maximum(lengths - n_bits, max(at_least, 0)).astype(np.int32)
    return _shift_half_even(magnitude, n_dropped), n_dropped


def _shift_half_even(
    magnitude: npt.NDArray[np.uint64], n_dropped: npt.NDArray[np.int32]
) -> npt.NDArray[np.uint64]:
    one = np.uint64(1)
    shift = n_dropped.astype(np.uint64)
    kept = magnitude >> shift
    rest = magnitude - (kept << shift)
    half = (one << shift) >> one
    up = (rest > half) | ((rest == half) & ((kept & one) == one))
    rounded: npt.NDArray[np.uint64] = kept + (up & (shift > 0)).astype(np.uint64)
    return rounded


def rescale_fixed(
    fixed: IntArray, from_exp: int, to_exp: int, name: str = "values"
) -> IntArray:
    """`M` in the units of another `scale_exp`, half to even where that is coarser.

    Raises:
        OutOfRange: a value does not fit into 64 bits in the finer unit.
    """
    shift = from_exp - to_exp
    if shift == 0:
        return fixed
    if shift < 0:
        n_dropped = np.full(fixed.shape, -shift, dtype=np.int32)
        magnitude = _shift_half_even(_magnitude(fixed), n_dropped).astype(np.int64)
        return np.where(fixed < 0, -magnitude, magnitude)
    low, high = _INT64_MIN >> shift, _INT64_MAX >> shift
    if ((fixed < low) | (fixed > high)).any():
        reason = f"a value does not fit into 64 bits at scale 2^{to_exp}"
        raise OutOfRange(f"tensor {name!r}: {reason}")
    return fixed << np.int64(shift)


def add_checked(left: IntArray, right: IntArray, name: str = "values") -> IntArray:
    """Sum of integers.

    Raises:
        OutOfRange: it leaves 64 bits.
    """
    with np.errstate(over="ignore"):
        total = left + right
    # Overflow exactly when both have one sign and the sum has the other.
    if (((left ^ total) & (right ^ total)) < 0).any():
        raise OutOfRange(f"tensor {name!r}: a sum leaves 64 bits")
    return total


def subtract_checked(left: IntArray, right: IntArray, name: str = "values") -> IntArray:
    """Difference of integers.

    Raises:
        OutOfRange: it leaves 64 bits.
    """
    with np.errstate(over="ignore"):
        total = left - right
    if (((left ^ right) & (left ^ total)) < 0).any():
        raise OutOfRange(f"tensor {name!r}: a difference leaves 64 bits")
    return total


def scale_checked(values: IntArray, factor: int, name: str = "values") -> IntArray:
    """Integers times one integer.

    Raises:
        OutOfRange: a product leaves 64 bits.
    """
    if values.size:
        extremes = (int(values.min()) * factor, int(values.max()) * factor)
        if min(extremes) < _INT64_MIN or max(extremes) > _INT64_MAX:
            raise OutOfRange(f"tensor {name!r}: a product leaves 64 bits")
    return values * np.int64(factor)


def divide_half_even(numerator: int, denominator: int) -> int:
    """Quotient of non-negative integers, rounded half to even."""
    quotient, rest = divmod(numerator, denominator)
    up = 2 * rest > denominator or (2 * rest == denominator and quotient & 1)
    return quotient + int(up)


def divide_rounded(values: IntArray, divisor: int) -> IntArray:
    """Quotients by a positive integer, rounded half to even."""
    quotient = values // np.int64(divisor)
    twice = (values - quotient * np.int64(divisor)) * np.int64(2)
    up = (twice > divisor) | ((twice == divisor) & (quotient & np.int64(1) == 1))
    rounded: IntArray = quotient + up.astype(np.int64)
    return rounded
