"""`int8`: eight bits a value, for the light form of tensors that nobody trains.

A chunk holds up to 2^18 values: first the scale of each group of 256 of them, float32
little-endian, then a signed byte for each value; together they are one Zstandard frame.
A value is scale · byte: what it is off by is at most 1/254 of the largest in its group.
"""

from typing import Final

import numpy as np

from flair_client.arithmetic import Array
from flair_client.encoding.rules import INT8_GROUP, int8_chunk_size
from flair_client.errors import ObjectInvalid
from flair_client.objects import DType
from flair_client.zstd_frames import compress, decompress

MAX_BYTE: Final = 127
# Largest finite value of the dtypes that have a light form.
_LARGEST: Final = {
    DType.F32: float(np.finfo(np.float32).max),
    DType.F16: float(np.finfo(np.float16).max),
    DType.BF16: float.fromhex("0x1.fep127"),
}


def quantise(values: Array) -> bytes:
    """The bytes of one chunk: scales, then values.

    Element-wise in float64 and rounded half to even, so that it is the same everywhere.

    Args:
        values: of one chunk, flat, finite; as `values_from_bytes` gives them.
    """
    x = values.astype(np.float64)
    n_groups = -(-x.size // INT8_GROUP)
    padded = np.zeros(n_groups * INT8_GROUP)
    padded[: x.size] = x
    groups = padded.reshape(n_groups, INT8_GROUP)
    scales = (np.abs(groups).max(axis=1) / MAX_BYTE).astype("<f4")
    wide = scales.astype(np.float64)[:, None]
    # A scale too small for float32 is zero, and so are its values.
    quotients = np.divide(groups, wide, out=np.zeros_like(groups), where=wide > 0)
    levels = np.clip(np.rint(quotients), -MAX_BYTE, MAX_BYTE).astype(np.int8)
    chunk: bytes = scales.tobytes() + levels.reshape(-1)[: x.size].tobytes()
    return chunk


def dequantise(chunk: bytes, n_values: int, dtype: DType, path: str) -> Array:
    """The values of a chunk: rounded to float32, and then to a smaller dtype.

    Args:
        chunk: scales, then values.
        n_values: that it holds.
        dtype: of the tensor; nothing comes out larger than its largest number.
        path: the tensor, for messages.

    Raises:
        ObjectInvalid: a scale is not finite or negative, or a value is -128.
    """
    n_groups = -(-n_values // INT8_GROUP)
    scales = np.frombuffer(chunk, dtype="<f4", count=n_groups)
    levels = np.frombuffer(chunk, dtype=np.int8, offset=n_groups * 4)
    if not (np.isfinite(scales) & (scales >= 0)).all():
        raise ObjectInvalid(path, "a scale of its light form is no positive number")
    if (levels < -MAX_BYTE).any():
        raise ObjectInvalid(path, "a value of its light form is -128")
    wide = np.repeat(scales.astype(np.float64), INT8_GROUP)[:n_values]
    largest = _LARGEST[dtype]
    values = np.clip(wide * levels, -largest, largest).astype(np.float32)
    return values.astype(np.float16) if dtype is DType.F16 else values


def pack(chunk: bytes) -> bytes:
    """The block of a chunk: one frame."""
    return compress(chunk)


def unpack(block: bytes, n_values: int, path: str) -> bytes:
    """The chunk of a block.

    Raises:
        ObjectInvalid: it is not one frame of exactly so many values.
    """
    return decompress(block, int8_chunk_size(n_values), path)
