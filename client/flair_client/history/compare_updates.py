"""How updates of one round compare: lengths by tensor, and directions.

Figures for people: computed in float64 and not part of any digest.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import Int16Array
from flair_client.delta import delta_parts
from flair_client.history.merge import matching_tensor
from flair_client.objects import Delta, DeltaEncodingId, Manifest
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store

_Gram = npt.NDArray[np.float64]
# Columns that are multiplied at once: 64 updates take 8 MiB.
_COLUMNS = 1 << 14


@dataclass(frozen=True, slots=True)
class TensorChange:
    """What an update does to one tensor.

    Attributes:
        l2: length of the change, in units of the weights.
        share: of the update's squared length, 0 to 1.
        cosine: to the weighted sum of the others' changes of it; None where one of the
            two is zero.
    """

    name: str
    l2: float
    share: float
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One update beside the others.

    Attributes:
        cosine: to the weighted sum of the others; None where there are none, or one
            of the two is zero.
        tensors: that it changes, the largest change first.
    """

    cosine: float | None
    tensors: tuple[TensorChange, ...]


def compare_updates(
    store: Store,
    base: Manifest,
    updates: Sequence[tuple[int, Delta]],
    progress: Progress = NO_PROGRESS,
) -> list[Comparison]:
    """Compares each update with the sum of the others, tensor by tensor.

    Args:
        store: where the blocks lie.
        base: weights that the updates were made from.
        updates: weight and delta of each; validated. A weight of 0 leaves an update
            out of the sums.
        progress: counts tensors.

    Raises:
        TensorMismatch: a delta has other tensors than the base.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    weights = np.array([weight for weight, _ in updates], dtype=np.float64)
    shared = [entry for entry in base.tensors if entry.role.is_shared]
    grams: list[tuple[str, _Gram]] = []
    named = [(delta, delta.by_name()) for _, delta in updates]
    with progress.task("compare updates", len(shared), "tensors") as task:
        for entry in shared:
            streams = []
            rows = []
            for row, (delta, tensors) in enumerate(named):
                tensor = matching_tensor(entry, tensors.get(entry.name))
                if tensor.encoding is not DeltaEncodingId.ZERO:
                    streams.append(delta_parts(tensor, delta.bits, store))
                    rows.append(row)
            gram = np.zeros((len(updates), len(updates)))
            if rows:
                gram[np.ix_(rows, rows)] = _gram(streams)
            grams.append((entry.name, gram))
            task.advance(1)
    unit = 2.0 ** updates[0][1].scale_exp if updates else 1.0
    total = sum((gram for _, gram in grams), np.zeros((len(updates), len(updates))))
    return [_comparison(n, weights, grams, total, unit) for n in range(len(updates))]


def _gram(streams: Sequence[Iterator[Int16Array]]) -> _Gram:
    """Every product of two rows, summed over the parts of a tensor."""
    total = np.zeros((len(streams), len(streams)))
    for parts in zip(*streams, strict=True):
        stacked = np.stack(parts)
        for start in range(0, stacked.shape[1], _COLUMNS):
            cut = stacked[:, start : start + _COLUMNS].astype(np.float64)
            total += cut @ cut.T
    return total


def _comparison(
    n: int,
    weights: npt.NDArray[np.float64],
    grams: Sequence[tuple[str, _Gram]],
    total: _Gram,
    unit: float,
) -> Comparison:
    whole = total[n, n]
    changes = [
        TensorChange(
            name,
            math.sqrt(gram[n, n]) * unit,
            float(gram[n, n] / whole),
            _cosine(n, weights, gram),
        )
        for name, gram in grams
        if gram[n, n] > 0
    ]
    changes.sort(key=lambda one: (-one.share, one.name))
    return Comparison(_cosine(n, weights, total), tuple(changes))


def _cosine(n: int, weights: npt.NDArray[np.float64], gram: _Gram) -> float | None:
    others = weights.copy()
    others[n] = 0.0
    length_sq = float(others @ gram @ others)
    if length_sq <= 0.0 or gram[n, n] <= 0.0:
        return None
    cosine = float(gram[n] @ others) / math.sqrt(length_sq * gram[n, n])
    return min(1.0, max(-1.0, cosine))
