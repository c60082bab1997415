"""Tensors out of a store, whole or part by part, every digest checked."""

import hashlib
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import (
    Array,
    IntArray,
    bytes_from_values,
    from_fixed,
    rescale_fixed,
    to_fixed,
    values_from_bytes,
)
from flair_client.encoding.rules import FIXED_ITEM_SIZE, INT8_CHUNK_VALUES
from flair_client.errors import ObjectInvalid
from flair_client.ids import Digest
from flair_client.limits import MAX_RAW_BLOCK_SIZE
from flair_client.objects import DType, Manifest, TensorEncodingId, TensorEntry
from flair_client.store.base import Store
from flair_client.tensor_encodings import TENSOR_ENCODINGS

# Values that go through memory at once where a tensor is not held whole; a multiple
# of what a block holds in every encoding of shared tensors, and of the light form.
N_PART = INT8_CHUNK_VALUES


def load_tensor(manifest: Manifest, entry: TensorEntry, store: Store) -> Array:
    """The tensor as an array of its shape; BF16 as float32.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks are not what the entry says.
    """
    raw = np.empty(entry.n_bytes, dtype=np.uint8)
    at = 0
    for chunk in tensor_chunks(manifest, entry, store):
        raw[at : at + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        at += len(chunk)
    values = values_from_bytes(raw.data, entry.dtype)
    return values.reshape(entry.shape)


def load_fixed(
    manifest: Manifest, entry: TensorEntry, scale_exp: int, store: Store
) -> IntArray:
    """The exact integers `M` of a shared tensor, as an array of its shape.

    Raises:
        As `fixed_parts`.
    """
    fixed = np.empty(entry.n_values, dtype=np.int64)
    at = 0
    for part in fixed_parts(manifest, entry, scale_exp, store):
        fixed[at : at + part.size] = part
        at += part.size
    return fixed.reshape(entry.shape)


def tensor_chunks(
    manifest: Manifest, entry: TensorEntry, store: Store
) -> Iterator[bytes]:
    """The tensor's bytes in its own dtype, in order; at the end its digest is checked.

    Raises:
        As `load_tensor`; a wrong digest of the whole only after the last chunk.
    """
    digest = hashlib.sha256()
    if entry.encoding is TensorEncodingId.FIXED:
        scale_exp = _scale_of(manifest, entry)
        for fixed in _stored_fixed(entry, store):
            floats = from_fixed(fixed, scale_exp, entry.dtype, entry.name)
            chunk = bytes_from_values(floats, entry.dtype)
            digest.update(chunk)
            yield chunk
    else:
        for chunk in _unpacked(entry, entry.n_bytes, store):
            digest.update(chunk)
            yield chunk
    _check_digest(entry, "digest", entry.digest, digest.digest())


def value_parts(
    manifest: Manifest, entry: TensorEntry, store: Store
) -> Iterator[Array]:
    """The tensor's values, flat, `N_PART` at a time.

    Raises:
        As `tensor_chunks`.
    """
    chunks = tensor_chunks(manifest, entry, store)
    return _recut(values_from_bytes(chunk, entry.dtype) for chunk in chunks)


def fixed_parts(
    manifest: Manifest, entry: TensorEntry, scale_exp: int, store: Store
) -> Iterator[IntArray]:
    """The exact integers of a shared tensor, flat, `N_PART` at a time.

    Args:
        manifest: that the entry is of.
        entry: floats are converted, integers of another scale are rounded to this one.
        scale_exp: the integers are in units of `2 ** (scale_exp - 24)`.
        store: where the blocks lie.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks are not what the entry says.
        NotFinite, OutOfRange: a float has no integer.
    """
    if entry.encoding is TensorEncodingId.FIXED:
        own_exp = _scale_of(manifest, entry)
        parts: Iterator[IntArray] = (
            rescale_fixed(fixed, own_exp, scale_exp, entry.name)
            for fixed in _stored_fixed(entry, store)
        )
        return _recut(parts)
    return (
        to_fixed(values, scale_exp, entry.name)
        for values in value_parts(manifest, entry, store)
    )


def _stored_fixed(entry: TensorEntry, store: Store) -> Iterator[IntArray]:
    digest = hashlib.sha256()
    for chunk in _unpacked(entry, entry.n_values * FIXED_ITEM_SIZE, store):
        digest.update(chunk)
        yield np.frombuffer(chunk, dtype="<i8").astype(np.int64, copy=False)
    if entry.fixed_digest is not None:
        actual = digest.digest()
        _check_digest(entry, "fixed_digest", entry.fixed_digest, actual)


def _unpacked(entry: TensorEntry, n_bytes: int, store: Store) -> Iterator[bytes]:
    encoding = TENSOR_ENCODINGS[entry.encoding]
    path = f"tensor {entry.name!r}"
    for i, cid in enumerate(entry.blocks):
        size = min(encoding.CHUNK_SIZE, n_bytes - i * encoding.CHUNK_SIZE)
        block = store.get(cid, max_size=MAX_RAW_BLOCK_SIZE)
        chunk = encoding.unpack(block, size, path)
        if entry.dtype is DType.BOOL:
            values_from_bytes(chunk, entry.dtype)
        yield chunk


def _scale_of(manifest: Manifest, entry: TensorEntry) -> int:
    if manifest.scale_exp is None:
        reason = f"tensor {entry.name!r} has encoding fixed without a scale"
        raise ObjectInvalid("manifest.scale_exp", reason)
    return manifest.scale_exp


def _check_digest(entry: TensorEntry, field: str, expected: Digest, raw: bytes) -> None:
    if raw != expected.raw:
        reason = f"its values have {field} {raw.hex()} instead of {expected}"
        raise ObjectInvalid(f"tensor {entry.name!r}", reason)


_Item = TypeVar("_Item", bound=np.generic)


def _recut(parts: Iterator[npt.NDArray[_Item]]) -> Iterator[npt.NDArray[_Item]]:
    held: list[npt.NDArray[_Item]] = []
    n_held = 0
    for part in parts:
        rest = part
        while n_held + rest.size >= N_PART:
            n_taken = N_PART - n_held
            held.append(rest[:n_taken])
            yield _join(held)
            rest, held, n_held = rest[n_taken:], [], 0
        if rest.size:
            held.append(rest)
            n_held += rest.size
    if held:
        yield _join(held)


def _join(held: list[npt.NDArray[_Item]]) -> npt.NDArray[_Item]:
    return held[0] if len(held) == 1 else np.concatenate(held)
