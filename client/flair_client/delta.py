"""What an update adds: floats to small integers, into and out of a store.

A delta's integers have `bits` bits and are in units of `2 ** scale_exp`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from flair_client.arithmetic import Int16Array, from_fixed, to_fixed
from flair_client.delta_encodings import DELTA_ENCODINGS
from flair_client.delta_integers import (
    DeltaPolicy,
    clip_to_norm,
    int_range,
    make_integers,
    norm_sq,
    quantise,
)
from flair_client.encoding.rules import DENSE_ITEM_SIZE
from flair_client.errors import (
    NormExceeded,
    ObjectInvalid,
    OutOfRange,
    TensorMismatch,
)
from flair_client.ids import CODEC_RAW, Address, CommitId, Digest
from flair_client.limits import INT64_MAX, MAX_RAW_BLOCK_SIZE
from flair_client.objects import Delta, DeltaEncodingId, DeltaTensor, Manifest
from flair_client.store.base import Store

__all__ = [
    "DeltaPolicy",
    "DeltaTerms",
    "clip_to_norm",
    "delta_parts",
    "from_fixed",
    "make_integers",
    "norm_sq",
    "quantise",
    "read_delta_tensor",
    "to_fixed",
    "validate_delta",
    "validate_delta_header",
    "write_delta",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaTerms:
    """Whose delta it is, and where it belongs."""

    repo: Address
    branch: str
    contributor: Address
    round_index: int
    base: CommitId
    policy: Digest
    bits: int
    scale_exp: int


def write_delta(
    store: Store, terms: DeltaTerms, tensors: Mapping[str, Int16Array]
) -> Delta:
    """Puts a delta's tensors into a store; the object itself is not put.

    Args:
        store: takes the blocks.
        terms: whose it is, and where it belongs.
        tensors: all shared tensors by name, those of zeros too; each is asked for once.

    Raises:
        OutOfRange: a value has more bits than the terms say, or the norm 64 bits.
        StoreFull, StoreUnavailable: from the store; nothing was stored.
    """
    total = 0
    entries = []
    with store.batch():
        for name in sorted(tensors):
            values = tensors[name]
            _check_range(values, terms.bits, name)
            total += norm_sq(values)
            entries.append(_write_tensor(store, name, values))
    if total > INT64_MAX:
        raise OutOfRange(f"the squared norm {total} does not fit into 64 bits")
    return Delta(
        repo=terms.repo,
        branch=terms.branch,
        contributor=terms.contributor,
        round_index=terms.round_index,
        base=terms.base,
        policy=terms.policy,
        bits=terms.bits,
        scale_exp=terms.scale_exp,
        norm_sq=total,
        tensors=tuple(entries),
    )


def _write_tensor(store: Store, name: str, values: Int16Array) -> DeltaTensor:
    raw = values.astype("<i2", copy=False).tobytes()
    encoding = DeltaEncodingId.DENSE if values.any() else DeltaEncodingId.ZERO
    packed = DELTA_ENCODINGS[encoding].pack(raw)
    return DeltaTensor(
        name=name,
        shape=tuple(values.shape),
        encoding=encoding,
        digest=Digest(hashlib.sha256(raw).digest()),
        blocks=tuple(store.put(CODEC_RAW, block) for block in packed),
    )


def read_delta_tensor(delta: Delta, name: str, store: Store) -> Int16Array:
    """The integers of one tensor, as an array of its shape.

    Raises:
        TensorMismatch: the delta has no such tensor.
        As `delta_parts`.
    """
    tensor = delta.by_name().get(name)
    if tensor is None:
        raise TensorMismatch(name, "a tensor of the delta", "none")
    values = np.empty(tensor.n_values, dtype=np.int16)
    at = 0
    for part in delta_parts(tensor, delta.bits, store):
        values[at : at + part.size] = part
        at += part.size
    return values.reshape(tensor.shape)


def delta_parts(tensor: DeltaTensor, bits: int, store: Store) -> Iterator[Int16Array]:
    """The integers of one tensor, flat, 2^18 at a time; at the end its digest holds.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks are not what the delta says.
        OutOfRange: a value has more bits.
    """
    encoding = DELTA_ENCODINGS[tensor.encoding]
    path = f"tensor {tensor.name!r}"
    n_bytes = tensor.n_values * DENSE_ITEM_SIZE
    digest = hashlib.sha256()
    for i, at in enumerate(range(0, n_bytes, encoding.CHUNK_SIZE)):
        block = None
        if i < len(tensor.blocks):
            block = store.get(tensor.blocks[i], max_size=MAX_RAW_BLOCK_SIZE)
        size = min(encoding.CHUNK_SIZE, n_bytes - at)
        raw = encoding.unpack(block, size, path)
        digest.update(raw)
        values = np.frombuffer(raw, dtype="<i2").astype(np.int16, copy=False)
        _check_range(values, bits, tensor.name)
        yield values
    if digest.digest() != tensor.digest.raw:
        actual = digest.hexdigest()
        reason = f"its values have digest {actual} instead of {tensor.digest}"
        raise ObjectInvalid(path, reason)


def validate_delta(
    store: Store, delta: Delta, base: Manifest, policy: DeltaPolicy
) -> None:
    """Checks a delta whole: header, blocks, digests, range of every value and norm.

    Args:
        store: where the blocks lie.
        delta: decoded.
        base: weights of the commit that the delta is for.
        policy: of the round.

    Raises:
        As `validate_delta_header` and `delta_parts`.
        NormExceeded: the values are longer than the policy allows.
        ObjectInvalid: the delta says another norm than its values have.
    """
    validate_delta_header(delta, base, policy)
    total = 0
    for tensor in delta.tensors:
        for part in delta_parts(tensor, delta.bits, store):
            total += norm_sq(part)
    if total != delta.norm_sq:
        reason = f"{delta.norm_sq} is declared, the values have {total}"
        raise ObjectInvalid("delta.norm_sq", reason)


def validate_delta_header(delta: Delta, base: Manifest, policy: DeltaPolicy) -> None:
    """Checks what can be checked without the values: before any block is fetched.

    Raises:
        ObjectInvalid: bits, scale or number of values are not the policy's.
        TensorMismatch: other names or shapes than the base's shared tensors.
        NormExceeded: the declared norm is above the bound.
    """
    for field in ("bits", "scale_exp"):
        expected, actual = getattr(policy, field), getattr(delta, field)
        if expected != actual:
            reason = f"{actual}, the policy says {expected}"
            raise ObjectInvalid(f"delta.{field}", reason)
    tensors = delta.by_name()
    n_values = 0
    for entry in base.tensors:
        if not entry.role.is_shared:
            continue
        tensor = tensors.pop(entry.name, None)
        expected = f"int16 {list(entry.shape)}"
        if tensor is None:
            raise TensorMismatch(entry.name, expected, "nothing")
        if tensor.shape != entry.shape:
            raise TensorMismatch(entry.name, expected, f"int16 {list(tensor.shape)}")
        n_values += entry.n_values
    for name, tensor in tensors.items():
        raise TensorMismatch(name, "no such tensor", f"int16 {list(tensor.shape)}")
    if n_values != policy.n_params:
        reason = f"{n_values} values, the policy says {policy.n_params}"
        raise ObjectInvalid("delta.tensors", reason)
    if delta.norm_sq > policy.norm_bound_sq:
        raise NormExceeded(delta.norm_sq, policy.norm_bound_sq)


def _check_range(values: Int16Array, bits: int, name: str) -> None:
    low, high = int_range(bits)
    if values.size and (int(values.min()) < low or int(values.max()) > high):
        raise OutOfRange(f"tensor {name!r}: a value is not in {low} to {high}")
