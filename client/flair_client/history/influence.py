"""What each update of a merge contributed to it: weight, length, direction.

Figures for people: computed in float64 and not part of any digest.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.delta import delta_parts
from flair_client.history.merge import matching_tensor
from flair_client.objects import Delta, DeltaEncodingId, Manifest, TensorEntry
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.weights.reading import value_parts


def merge_cosines(
    store: Store,
    before: Manifest,
    after: Manifest,
    deltas: Sequence[Delta],
    progress: Progress = NO_PROGRESS,
) -> list[float | None]:
    """Compares the direction of each update with that of the whole merge.

    Args:
        store: where the blocks lie.
        before: weights of the head that was merged into.
        after: weights of the merge.
        deltas: of the updates; validated.
        progress: counts tensors.

    Returns:
        `u . c / (|u| |c|)` for each update `u` and the change `c` of all shared
        tensors; None where one of the two is zero.

    Raises:
        TensorMismatch: a delta has other tensors than the weights before.
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks are not what an entry says.
    """
    news = after.by_name()
    products = np.zeros(len(deltas))
    length_sq = 0.0
    shared = [entry for entry in before.tensors if entry.role.is_shared]
    named = [(delta.bits, delta.by_name()) for delta in deltas]
    with progress.task("compare with merge", len(shared), "tensors") as task:
        for old in shared:
            new = news.get(old.name)
            terms = [
                (bits, matching_tensor(old, tensors.get(old.name)))
                for bits, tensors in named
            ]
            if new is not None and new.shape == old.shape and new.digest != old.digest:
                streams = {
                    row: delta_parts(tensor, bits, store)
                    for row, (bits, tensor) in enumerate(terms)
                    if tensor.encoding is not DeltaEncodingId.ZERO
                }
                for change in _changes(store, (before, old), (after, new)):
                    length_sq += float((change * change).sum())
                    for row, parts in streams.items():
                        # Not `dot`: its threads wait for each other on a busy machine.
                        products[row] += float((change * next(parts)).sum())
            task.advance(1)
    return [
        _cosine(float(product), math.sqrt(length_sq) * math.sqrt(delta.norm_sq))
        for product, delta in zip(products, deltas, strict=True)
    ]


def _changes(
    store: Store,
    before: tuple[Manifest, TensorEntry],
    after: tuple[Manifest, TensorEntry],
) -> Iterator[FloatArray]:
    olds, news = value_parts(*before, store), value_parts(*after, store)
    for old, new in zip(olds, news, strict=True):
        yield new.astype(np.float64) - old.astype(np.float64)


def _cosine(product: float, lengths: float) -> float | None:
    if not lengths:
        return None
    return max(-1.0, min(1.0, product / lengths))
