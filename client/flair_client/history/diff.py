"""What changed between two states, tensor by tensor, part by part.

Figures for people: computed in float64 and not part of any digest.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

import numpy as np

from flair_client.arithmetic import Array
from flair_client.objects import DType, Manifest, TensorEntry
from flair_client.store.base import Store
from flair_client.store.bulk import bring_near
from flair_client.weights.reading import value_parts


class Change(StrEnum):
    """How a tensor differs."""

    ADDED = "added"
    REMOVED = "removed"
    RESHAPED = "reshaped"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDiff:
    """One tensor in two states.

    Attributes:
        dtype: in the later state, or the last one it had.
        shape: likewise.
        old_dtype, old_shape: in the earlier state, where they were others.
        l2: length of the difference.
        max_abs: largest difference of one value.
        cosine: between the two states; None where one of them is zero or missing.
        share_changed: of the values, 0 to 1.
    """

    name: str
    change: Change
    dtype: DType
    shape: tuple[int, ...]
    l2: float | None = None
    max_abs: float | None = None
    cosine: float | None = None
    share_changed: float | None = None
    old_dtype: DType | None = None
    old_shape: tuple[int, ...] | None = None


def diff_weights(
    store: Store, before: Manifest, after: Manifest, after_store: Store | None = None
) -> Iterator[TensorDiff]:
    """Compares two states, tensors in name order; equal tensors are not read.

    Args:
        store: where the blocks of both lie.
        before: the earlier state.
        after: the later one.
        after_store: where those of the later one lie, if not in the same.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks are not what an entry says.
    """
    olds, news = before.by_name(), after.by_name()
    for name in sorted(olds.keys() | news.keys()):
        old, new = olds.get(name), news.get(name)
        if new is None:
            if old is not None:
                yield _bare(old, Change.REMOVED)
        elif old is None:
            yield _bare(new, Change.ADDED)
        elif (old.dtype, old.shape) != (new.dtype, new.shape):
            yield replace(
                _bare(new, Change.RESHAPED), old_dtype=old.dtype, old_shape=old.shape
            )
        elif old.digest == new.digest:
            yield _same(new)
        else:
            stores = store, after_store or store
            yield _diff_tensor(stores, (before, old), (after, new))


def _bare(entry: TensorEntry, change: Change) -> TensorDiff:
    return TensorDiff(
        name=entry.name, change=change, dtype=entry.dtype, shape=entry.shape
    )


def _same(entry: TensorEntry) -> TensorDiff:
    return TensorDiff(
        name=entry.name,
        change=Change.SAME,
        dtype=entry.dtype,
        shape=entry.shape,
        l2=0.0,
        max_abs=0.0,
        cosine=1.0,
        share_changed=0.0,
    )


def _diff_tensor(
    stores: tuple[Store, Store],
    before: tuple[Manifest, TensorEntry],
    after: tuple[Manifest, TensorEntry],
) -> TensorDiff:
    entry = after[1]
    for store, (_, one) in zip(stores, (before, after), strict=True):
        bring_near(store, one.blocks)
    sums = _Sums()
    for old, new in zip_longest(
        value_parts(*before, stores[0]), value_parts(*after, stores[1])
    ):
        sums.add(old, new)
    return TensorDiff(
        name=entry.name,
        change=Change.CHANGED,
        dtype=entry.dtype,
        shape=entry.shape,
        l2=math.sqrt(sums.difference_sq),
        max_abs=sums.max_abs,
        cosine=sums.cosine(),
        share_changed=sums.n_changed / max(1, entry.n_values),
    )


class _Sums:
    """Sums over the parts of one tensor."""

    def __init__(self) -> None:
        self.difference_sq = 0.0
        self.max_abs = 0.0
        self.n_changed = 0
        self._old_sq = 0.0
        self._new_sq = 0.0
        self._product = 0.0

    def add(self, old_part: Array, new_part: Array) -> None:
        """Takes the same part of both states in."""
        old = old_part.astype(np.float64)
        new = new_part.astype(np.float64)
        difference = new - old
        self.difference_sq += _sum(difference * difference)
        self.max_abs = max(self.max_abs, float(np.abs(difference).max(initial=0.0)))
        self.n_changed += int(np.count_nonzero(old_part != new_part))
        self._old_sq += _sum(old * old)
        self._new_sq += _sum(new * new)
        self._product += _sum(old * new)

    def cosine(self) -> float | None:
        """Of the angle between the two states."""
        lengths = math.sqrt(self._old_sq) * math.sqrt(self._new_sq)
        if not lengths:
            return None
        return max(-1.0, min(1.0, self._product / lengths))


def _sum(values: Array) -> float:
    # Not `dot`: its threads wait for each other on a machine that is busy.
    return float(values.sum())
