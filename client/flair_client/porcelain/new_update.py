"""From weights that training made to the file that a commit takes; no verb itself.

What training made may be hostile: its file is compared with the base, tensor by tensor,
before anything of it is kept.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from flair_client.arithmetic import (
    FloatArray,
    bytes_from_values,
    count_not_finite,
    values_from_bytes,
)
from flair_client.errors import NotFinite, ObjectInvalid, TensorMismatch
from flair_client.objects import DType, Role
from flair_client.weights import SafetensorsFile, TensorSpan, read_safetensors
from flair_client.weights.foreign import (
    CHUNK_SIZE,
    ForeignWeights,
    TensorSource,
    save_foreign,
    ties_of,
)

# Just inside of the bound, so that rounding to the dtype does not lead out of it.
_INSIDE: Final = 1 - 2.0**-20


@dataclass(frozen=True, slots=True)
class NewUpdate:
    """What became of the weights.

    Attributes:
        norm: length of the difference to the base over what is sent, before clipping.
        is_clipped: whether it was shortened to the bound.
        n_changed: tensors that are sent and not as in the base.
    """

    norm: float
    is_clipped: bool
    n_changed: int


def write_update(
    base: Path,
    made: Path,
    roles: Mapping[str, Role],
    target: Path,
    *,
    norm_bound: float,
    is_sent: Callable[[Role], bool],
) -> NewUpdate:
    """Checks new weights, clips what is sent of them, and writes them.

    Integers cannot be trained: counters that a framework moves, as those of batch
    norms, come out as in the base.

    Args:
        base: safetensors file that training began with.
        made: safetensors file that it ended with; BF16 may have become F32.
        roles: of the base's tensors.
        target: replaced at the end: whole, or not at all.
        norm_bound: length that the difference may have over what is sent.
        is_sent: whether a push sends tensors of a role.

    Raises:
        TensorMismatch: other tensors than the base; names the first.
        NotFinite: NaN or infinity; names the tensor.
        ObjectInvalid: no safetensors file, or a frozen tensor was changed.
    """
    with read_safetensors(base) as old, read_safetensors(made) as new:
        _check_names(old, new)
        squares, n_changed = 0.0, 0
        for span in old.header.spans.values():
            square = _square(old, new, span, roles[span.name])
            if is_sent(roles[span.name]):
                squares += square
                n_changed += square > 0
        norm = math.sqrt(squares)
        factor = norm_bound * _INSIDE / norm if norm > norm_bound else 1.0
        sources = tuple(
            _source(old, new, span, roles[span.name], factor)
            if is_sent(roles[span.name])
            else _source(old, new, span, roles[span.name], 1.0)
            for span in old.header.spans.values()
        )
        save_foreign(target, ForeignWeights(sources, ties_of(old.header)))
    return NewUpdate(norm, factor != 1.0, n_changed)


def _check_names(old: SafetensorsFile, new: SafetensorsFile) -> None:
    ours, theirs = old.header.spans, new.header.spans
    for name in sorted(ours.keys() | theirs.keys()):
        wanted = _told(ours.get(name))
        got = _told(theirs.get(name))
        widened = _told(ours.get(name), DType.F32)
        is_widened = name in ours and ours[name].dtype is DType.BF16 and got == widened
        if wanted != got and not is_widened:
            raise TensorMismatch(name, wanted, got)


def _told(span: TensorSpan | None, dtype: DType | None = None) -> str:
    if span is None:
        return "nothing"
    return f"{dtype or span.dtype} {list(span.shape)}"


def _square(
    old: SafetensorsFile, new: SafetensorsFile, span: TensorSpan, role: Role
) -> float:
    """Squared length of one tensor's difference, in float64."""
    if not span.dtype.is_float:
        return 0.0
    total, n_bad = 0.0, 0
    for before, after in _pairs(old, new, span):
        n_bad += count_not_finite(after)
        with np.errstate(over="ignore", invalid="ignore"):
            total += float(np.square(after - before).sum())
    if n_bad:
        raise NotFinite(span.name, n_bad)
    if role is Role.FROZEN and total > 0:
        raise ObjectInvalid(f"tensor {span.name!r}", "is frozen and was changed")
    if not math.isfinite(total):
        raise NotFinite(span.name, 1)
    return total


def _pairs(
    old: SafetensorsFile, new: SafetensorsFile, span: TensorSpan
) -> Iterator[tuple[FloatArray, FloatArray]]:
    theirs = new.header.spans[span.name].dtype
    sizes = span.dtype.item_size, theirs.item_size
    before, after = old.tensor(span.name), new.tensor(span.name)
    step = CHUNK_SIZE // 8
    n_values = len(before) // sizes[0]
    for at in range(0, n_values, step):
        end = min(at + step, n_values)
        yield (
            _floats(before[at * sizes[0] : end * sizes[0]], span.dtype),
            _floats(after[at * sizes[1] : end * sizes[1]], theirs),
        )


def _floats(raw: memoryview, dtype: DType) -> FloatArray:
    return values_from_bytes(raw, dtype).astype(np.float64)


def _source(
    old: SafetensorsFile,
    new: SafetensorsFile,
    span: TensorSpan,
    role: Role,
    factor: float,
) -> TensorSource:
    def chunks() -> Iterator[bytes]:
        if not span.dtype.is_float or role is Role.FROZEN:
            raw = old.tensor(span.name)
            for at in range(0, len(raw), CHUNK_SIZE):
                yield bytes(raw[at : at + CHUNK_SIZE])
            return
        for before, after in _pairs(old, new, span):
            moved = after if factor == 1.0 else before + factor * (after - before)
            yield bytes_from_values(_narrow(moved, span.dtype), span.dtype)

    return TensorSource(span.name, span.dtype, span.shape, chunks)


def _narrow(values: FloatArray, dtype: DType) -> np.ndarray[tuple[int, ...], np.dtype]:
    if dtype is DType.F64:
        return values
    return values.astype(np.float16 if dtype is DType.F16 else np.float32)
