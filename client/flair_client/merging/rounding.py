"""Merged float64 values into their tensor's dtype, half to even, in one rounding."""

from typing import Any

import numpy as np

from flair_client.arithmetic import Array, FloatArray
from flair_client.errors import OutOfRange
from flair_client.objects import DType

_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.F64: np.dtype(np.float64),
    DType.F32: np.dtype(np.float32),
    DType.F16: np.dtype(np.float16),
}


def to_dtype(values: FloatArray, dtype: DType, name: str) -> Array:
    """The floats nearest to the values.

    Returns:
        An array of the NumPy type of `dtype`; float32 for BF16, of BF16's values.

    Raises:
        OutOfRange: a value is beyond the largest float of the dtype, or none at all.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if dtype is DType.BF16:
            narrow: Array = _to_bf16(values)
        else:
            narrow = values.astype(_NUMPY[dtype])
    beyond = ~np.isfinite(narrow)
    if beyond.any():
        worst = float(values[beyond][0])
        reason = f"the merged value {worst} is beyond the range of {dtype.value}"
        raise OutOfRange(f"tensor {name!r}: {reason}")
    return narrow


def _to_bf16(values: FloatArray) -> Array:
    """By way of float32, rounded to odd, so that the second rounding sees the first.

    A float32 that was cut off and is not exact gets an odd last bit; with 16 bits more
    than BF16 it then lies on the right side of every tie (Boldo and Melquiond, 2008).
    """
    near = values.astype(np.float32)
    back = near.astype(np.float64)
    bits = near.view(np.uint32)
    # Away from zero: one step back. An infinity steps back to the largest number.
    bits = bits - (np.abs(back) > np.abs(values)).astype(np.uint32)
    bits |= (back != values).astype(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(values), rounded.view(np.float32), np.float32(np.nan))
