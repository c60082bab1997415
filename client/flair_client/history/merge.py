"""A head and updates to the next weights, in exact integers, part by part.

Whoever makes a merge and whoever verifies it run this same function. Memory holds one
part of one tensor (2^18 values) and one part of one update, whatever their number.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from flair_client.arithmetic import IntArray
from flair_client.delta import delta_parts
from flair_client.errors import ObjectInvalid, TensorMismatch
from flair_client.objects import (
    Delta,
    DeltaEncodingId,
    DeltaTensor,
    Manifest,
    TensorEncodingId,
    TensorEntry,
)
from flair_client.store.base import Store
from flair_client.strategies.base import Strategy
from flair_client.weights.reading import fixed_parts
from flair_client.weights.writing import FixedWriter


def merge_weights(  # noqa: PLR0917 - the order of the formula
    store: Store,
    base: Manifest,
    updates: Sequence[tuple[int, Delta]],
    strategy: Strategy,
    lambda_: int,
    scale_exp: int,
    store_out: Store,
) -> Manifest:
    """The weights after a merge: `M' = strategy(M, updates)` for each shared tensor.

    A tensor that does not change keeps its entry, and its blocks. The order in which
    the updates are given does not matter.

    Args:
        store: where the blocks of base and updates lie.
        base: weights of the head.
        updates: weight and delta of each; validated.
        strategy: of the policy.
        lambda_: `lambda_for` of the policy's eta and the sum of weights.
        scale_exp: of the policy.
        store_out: takes the new blocks.

    Returns:
        The manifest, not put into the store.

    Raises:
        TensorMismatch: a delta has other tensors than the base.
        ObjectInvalid: a delta has another scale.
        OutOfRange: a sum leaves 64 bits, or the float's range.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    for _, delta in updates:
        if delta.scale_exp != scale_exp:
            reason = f"{delta.scale_exp}, the merge is at {scale_exp}"
            raise ObjectInvalid("delta.scale_exp", reason)
    by_contributor = sorted(updates, key=lambda update: update[1].contributor)
    tensors = [(weight, delta, delta.by_name()) for weight, delta in by_contributor]
    with store_out.batch():
        entries = []
        for entry in base.tensors:
            if not entry.role.is_shared:
                entries.append(entry)
                continue
            terms = [
                (weight, delta.bits, matching_tensor(entry, by_name.get(entry.name)))
                for weight, delta, by_name in tensors
            ]
            merged = _TensorMerge(store, base, entry, terms)
            entries.append(merged.run(strategy, lambda_, scale_exp, store_out))
    return with_tensors(base, entries, scale_exp)


class _TensorMerge:
    """One tensor of a merge."""

    def __init__(
        self,
        store: Store,
        base: Manifest,
        entry: TensorEntry,
        terms: Sequence[tuple[int, int, DeltaTensor]],
    ) -> None:
        """The base's tensor, and weight, bits and tensor of each update."""
        self._store = store
        self._base = base
        self._entry = entry
        self._terms = terms

    def run(
        self, strategy: Strategy, lambda_: int, scale_exp: int, store_out: Store
    ) -> TensorEntry:
        """The new entry, or the base's where nothing changes."""
        entry = self._entry
        can_stay = has_scale(self._base, entry, scale_exp)
        all_zero = all(t.encoding is DeltaEncodingId.ZERO for _, _, t in self._terms)
        if can_stay and all_zero and strategy.linear:
            return entry
        streams = [
            (weight, delta_parts(tensor, bits, self._store))
            for weight, bits, tensor in self._terms
        ]
        writer = FixedWriter(entry, scale_exp, store_out)
        changed = False
        for part in fixed_parts(self._base, entry, scale_exp, self._store):
            current = ((weight, next(stream)) for weight, stream in streams)
            merged = strategy.merge_tensor(part, current, lambda_, entry.name)
            changed = changed or not np.array_equal(merged, part)
            writer.write(merged)
        for _, stream in streams:
            # Behind the last part the stream checks the digest of the whole.
            next(stream, None)
        return writer.finish() if changed or not can_stay else entry


def matching_tensor(entry: TensorEntry, tensor: DeltaTensor | None) -> DeltaTensor:
    """A delta's tensor of the entry's shape.

    Raises:
        TensorMismatch: there is none, or it has another shape.
    """
    expected = f"int16 {list(entry.shape)}"
    if tensor is None:
        raise TensorMismatch(entry.name, expected, "nothing")
    if tensor.shape != entry.shape:
        raise TensorMismatch(entry.name, expected, f"int16 {list(tensor.shape)}")
    return tensor


def has_scale(manifest: Manifest, entry: TensorEntry, scale_exp: int) -> bool:
    """Whether the entry can stand in a manifest of this scale."""
    is_fixed = entry.encoding is TensorEncodingId.FIXED
    return not is_fixed or manifest.scale_exp == scale_exp


def with_tensors(
    manifest: Manifest, entries: Sequence[TensorEntry], scale_exp: int
) -> Manifest:
    """The manifest with other entries, and the scale that they need."""
    any_fixed = any(entry.encoding is TensorEncodingId.FIXED for entry in entries)
    return Manifest(
        tensors=tuple(entries),
        scale_exp=scale_exp if any_fixed else None,
        source=manifest.source,
    )


def part_streams(
    manifests: Sequence[tuple[Manifest, TensorEntry]], scale_exp: int, store: Store
) -> Iterator[tuple[IntArray, ...]]:
    """The integers of one tensor in several states, side by side, part by part."""
    streams = [fixed_parts(m, entry, scale_exp, store) for m, entry in manifests]
    return zip(*streams, strict=True)
