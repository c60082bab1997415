"""What changed between two states, and what an update adds, tensor by tensor.

For people: figures in floating point. What a page would take too long for is left out
and said so; `flair diff` has no such bound.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from flair_client.delta import delta_parts
from flair_client.encoding import decode_delta
from flair_client.history.diff import Change, TensorDiff, diff_weights
from flair_client.ids import Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.objects import Delta, Manifest
from flair_client.store.base import Store
from flair_web.blocks import Unread, manifest_at, reading
from flair_web.kept import Kept

# Values that are compared for one page.
MAX_VALUES: Final = 1 << 20
# Tensors that a page lists, those that changed most first.
MAX_LISTED: Final = 100
_kept: Final = Kept(50_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorChange:
    """One tensor.

    Attributes:
        change: `added`, `removed`, `reshaped`, `changed`, `same`, or `large` where it
            was not compared for a page.
        l2: length of the difference, in units of the weights.
        max_abs: largest difference of one value.
        cosine: between both states.
        share_changed: of its values, 0 to 1.
        share: of the longest difference of all tensors, 0 to 1.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    change: str
    l2: float | None = None
    max_abs: float | None = None
    cosine: float | None = None
    share_changed: float | None = None
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed.

    Attributes:
        l2: length over all tensors that were compared.
        n_tensors: of both states together.
        n_changed: that are not the same.
        n_large: that were not compared, since a page would take too long.
        tensors: those that changed most first, then by name; not all of them.
    """

    l2: float
    n_tensors: int
    n_changed: int
    n_large: int
    tensors: tuple[TensorChange, ...]


def changes_between(store: Store, before: Cid, after: Cid) -> Changes | Unread:
    """Compares two manifests."""
    old = manifest_at(store, before)
    if isinstance(old, Unread):
        return old
    new = manifest_at(store, after)
    if isinstance(new, Unread):
        return new
    return reading(
        lambda: _kept.get(
            ("diff", before, after),
            lambda: _gathered(_compared(store, old, new)),
            lambda one: 1 + len(one.tensors),
        )
    )


def changes_of_update(store: Store, delta: Cid) -> Changes | Unread:
    """Gives what an update adds."""

    def make() -> Changes:
        decoded = decode_delta(store.get(delta, max_size=MAX_OBJECT_SIZE))
        return _gathered(_added(store, decoded))

    return reading(
        lambda: _kept.get(("delta", delta), make, lambda one: 1 + len(one.tensors))
    )


def _compared(store: Store, old: Manifest, new: Manifest) -> Iterator[TensorChange]:
    """Small tensors first, so that as many as can be are compared."""
    olds, news = old.by_name(), new.by_name()
    room = MAX_VALUES
    large, small_old, small_new = [], dict(olds), dict(news)
    both = [
        name
        for name in olds.keys() & news.keys()
        if olds[name].digest != news[name].digest
    ]
    for name in sorted(both, key=lambda one: (news[one].n_values, one)):
        room -= news[name].n_values
        if room < 0:
            entry = news[name]
            large.append(
                TensorChange(
                    name=name, dtype=entry.dtype, shape=entry.shape, change="large"
                )
            )
            del small_old[name], small_new[name]
    kept_old = Manifest(tensors=tuple(small_old.values()), scale_exp=old.scale_exp)
    kept_new = Manifest(tensors=tuple(small_new.values()), scale_exp=new.scale_exp)
    yield from map(_shown, diff_weights(store, kept_old, kept_new))
    yield from large


def _shown(one: TensorDiff) -> TensorChange:
    is_same = one.change is Change.SAME
    return TensorChange(
        name=one.name,
        dtype=one.dtype,
        shape=one.shape,
        change=str(one.change),
        l2=0.0 if is_same else one.l2,
        max_abs=0.0 if is_same else one.max_abs,
        cosine=one.cosine,
        share_changed=0.0 if is_same else one.share_changed,
    )


def _added(store: Store, delta: Delta) -> Iterator[TensorChange]:
    unit = 2.0**delta.scale_exp
    room = MAX_VALUES
    for tensor in sorted(delta.tensors, key=lambda one: (one.n_values, one.name)):
        room -= tensor.n_values
        dtype = f"int{delta.bits}"
        if room < 0:
            yield TensorChange(
                name=tensor.name, dtype=dtype, shape=tensor.shape, change="large"
            )
            continue
        squares, largest, n_changed = 0, 0, 0
        for part in delta_parts(tensor, delta.bits, store):
            wide = part.astype(np.int64)
            squares += int(np.dot(wide, wide))
            largest = max(largest, int(np.abs(wide).max(initial=0)))
            n_changed += int(np.count_nonzero(wide))
        yield TensorChange(
            name=tensor.name,
            dtype=dtype,
            shape=tensor.shape,
            change="changed" if n_changed else "same",
            l2=math.sqrt(squares) * unit,
            max_abs=largest * unit,
            share_changed=n_changed / max(tensor.n_values, 1),
        )


def _gathered(found: Iterator[TensorChange]) -> Changes:
    every = list(found)
    longest = max((one.l2 or 0.0 for one in every), default=0.0)
    order = sorted(every, key=lambda one: (one.change == "same", -(one.l2 or 0.0)))
    listed = tuple(_with_share(one, longest) for one in order[:MAX_LISTED])
    return Changes(
        math.sqrt(sum((one.l2 or 0.0) ** 2 for one in every)),
        len(every),
        sum(one.change != "same" for one in every),
        sum(one.change == "large" for one in every),
        listed,
    )


def _with_share(one: TensorChange, longest: float) -> TensorChange:
    if not one.l2 or not longest:
        return one
    return replace(one, share=one.l2 / longest)
