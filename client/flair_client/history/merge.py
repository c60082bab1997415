"""A head and updates to the next weights, the same bytes everywhere, part by part.

Whoever makes a merge and whoever verifies it run this same function. Memory holds one
part of one tensor (2^18 values) of the base and what the strategy keeps, and one part
of one update; a strategy that compares updates value by value holds one part of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flair_client.arithmetic import IntArray
from flair_client.delta import delta_parts
from flair_client.errors import ObjectInvalid, TensorMismatch
from flair_client.history.merge_distances import distances_sq
from flair_client.history.merge_state import MomentStream
from flair_client.objects import (
    Delta,
    DeltaEncodingId,
    DeltaTensor,
    Manifest,
    TensorEncodingId,
    TensorEntry,
)
from flair_client.store.base import Store
from flair_client.strategies import Choice, Facts, Rule
from flair_client.weights.reading import fixed_parts
from flair_client.weights.writing import FixedWriter


@dataclass(frozen=True, slots=True)
class Merged:
    """What comes out of a merge; neither manifest is in the store.

    Attributes:
        state: what the strategy keeps for the next merge; None where it keeps nothing.
    """

    weights: Manifest
    state: Manifest | None


def merge_weights(
    store: Store,
    base: Manifest,
    updates: Sequence[tuple[int, Delta]],
    choice: Choice,
    store_out: Store,
    *,
    state: Manifest | None = None,
) -> Merged:
    """The weights after a merge: `M' = strategy(M, updates)` for each shared tensor.

    A tensor that does not change keeps its entry, and its blocks. The order in which
    the updates are given does not matter.

    Args:
        store: where the blocks of base and updates lie.
        base: weights of the head.
        updates: weight and delta of each; validated.
        choice: strategy, its parameters, eta and scale, by the policy.
        store_out: takes the new blocks.
        state: what the strategy kept of the merge that made the base, if it did.

    Raises:
        TooFewUpdates: fewer than what the strategy promises needs.
        TensorMismatch: a delta has other tensors than the base.
        ObjectInvalid: a delta has another scale.
        OutOfRange: a sum leaves 64 bits, or the float's range.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    for _, delta in updates:
        if delta.scale_exp != choice.scale_exp:
            reason = f"{delta.scale_exp}, the merge is at {choice.scale_exp}"
            raise ObjectInvalid("delta.scale_exp", reason)
    strategy = choice.strategy
    strategy.require(len(updates), choice.params)
    by_contributor = sorted(updates, key=lambda update: update[1].contributor)
    shared = [entry for entry in base.tensors if entry.role.is_shared]
    terms = _terms(shared, [delta for _, delta in by_contributor])
    rule = strategy.rule(_facts(store, by_contributor, terms, choice))
    moments = MomentStream(store, strategy.moments, state, store_out)
    with store_out.batch():
        entries = []
        for entry in base.tensors:
            if entry.role.is_shared:
                merged = _TensorMerge(store, base, entry, terms[entry.name], choice)
                entries.append(merged.run(rule, moments, store_out))
            else:
                entries.append(entry)
    weights = with_tensors(base, entries, choice.scale_exp)
    return Merged(weights, moments.manifest())


# Bits and tensor of each update.
_Terms = list[tuple[int, DeltaTensor]]


def _terms(shared: Sequence[TensorEntry], deltas: Sequence[Delta]) -> dict[str, _Terms]:
    """What each update says about each tensor, in the order of the contributors."""
    by_name = [(delta.bits, delta.by_name()) for delta in deltas]
    return {
        entry.name: [
            (bits, matching_tensor(entry, tensors.get(entry.name)))
            for bits, tensors in by_name
        ]
        for entry in shared
    }


def _facts(
    store: Store,
    updates: Sequence[tuple[int, Delta]],
    terms: dict[str, _Terms],
    choice: Choice,
) -> Facts:
    needed = choice.strategy.needs_distances
    return Facts(
        eta_q24=choice.eta_q24,
        scale_exp=choice.scale_exp,
        params=choice.params,
        weights=tuple(weight for weight, _ in updates),
        norms_sq=tuple(delta.norm_sq for _, delta in updates),
        distances_sq=distances_sq(store, terms.values()) if needed else (),
    )


class _TensorMerge:
    """One tensor of a merge."""

    def __init__(
        self,
        store: Store,
        base: Manifest,
        entry: TensorEntry,
        terms: _Terms,
        choice: Choice,
    ) -> None:
        """The base's tensor, and bits and tensor of each update."""
        self._store = store
        self._base = base
        self._entry = entry
        self._terms = terms
        self._choice = choice

    def run(self, rule: Rule, moments: MomentStream, store_out: Store) -> TensorEntry:
        """The new entry, or the base's where nothing changes."""
        entry, scale_exp = self._entry, self._choice.scale_exp
        can_stay = has_scale(self._base, entry, scale_exp)
        all_zero = all(t.encoding is DeltaEncodingId.ZERO for _, t in self._terms)
        if can_stay and all_zero and self._choice.strategy.linear:
            return entry
        streams = [
            delta_parts(tensor, bits, self._store) for bits, tensor in self._terms
        ]
        writer = FixedWriter(entry, scale_exp, store_out)
        changed = False
        with moments.tensor(entry) as kept:
            for part in fixed_parts(self._base, entry, scale_exp, self._store):
                current = (next(stream) for stream in streams)
                old = kept.read(part.size)
                merged, new = rule.merge_part(part, current, old, entry.name)
                # Streams stay side by side whatever the rule looked at.
                for _ in current:
                    pass
                kept.write(new)
                changed = changed or not np.array_equal(merged, part)
                writer.write(merged)
        for stream in streams:
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
