"""Weights that come from files or objects of other kinds, on their way to safetensors.

Readers of single formats give `ForeignWeights`: what is there, and how to get the bytes
of one tensor at a time. Here they are fitted to a model that is known already, and
written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from flair_client.arithmetic import (
    bytes_from_values,
    count_not_finite,
    values_from_bytes,
)
from flair_client.errors import NotFinite, ObjectInvalid
from flair_client.limits import MAX_TENSORS
from flair_client.objects import DType
from flair_client.weights.replacing import replacing
from flair_client.weights.safetensors_file import (
    LENGTH_SIZE,
    Header,
    TensorSpan,
    build_header,
)

# Bytes that go through memory at once; a multiple of every item size.
CHUNK_SIZE: Final = 1 << 20
# What other tools write into a header without meaning a tensor by it.
_NO_TIES: Final = frozenset(("format",))
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TensorSource:
    """One tensor that is somewhere else.

    Attributes:
        chunks: gives its little-endian bytes in order, anew with each call; every chunk
            but the last is a multiple of eight bytes.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    chunks: Callable[[], Iterator[bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class ForeignWeights:
    """All tensors of a file or object.

    Attributes:
        ties: names that are other names of a tensor, and that tensor's name.
    """

    tensors: tuple[TensorSource, ...]
    ties: Mapping[str, str] = field(default_factory=dict)


def cut(raw: bytes | memoryview) -> Iterator[memoryview]:
    """Cuts bytes into chunks, without a copy."""
    view = memoryview(raw)
    for at in range(0, len(view), CHUNK_SIZE):
        yield view[at : at + CHUNK_SIZE]


def ties_of(header: Header) -> dict[str, str]:
    """Which names a header says are other names of its tensors.

    As the safetensors library writes it: the metadata maps each name that was left out
    to the name under which the tensor is in the file.
    """
    return {
        left_out: kept
        for left_out, kept in header.metadata.items()
        if left_out not in _NO_TIES
        and left_out not in header.spans
        and kept in header.spans
    }


def fit(
    weights: ForeignWeights, spans: Mapping[str, TensorSpan], ties: Mapping[str, str]
) -> ForeignWeights:
    """Brings weights into the form that a model is kept in.

    A name that is tied there is left out when it holds what it is tied to, or takes
    that name where it comes without it. Float32 becomes BF16, rounded half to even,
    where the model has BF16, which NumPy does not know.

    Args:
        weights: new ones.
        spans: tensors of the model.
        ties: of the model, as `ties_of` gives them.

    Raises:
        ObjectInvalid: a tied name holds other values than what it is tied to.
    """
    by_name = {one.name: one for one in weights.tensors}
    for one in weights.tensors:
        name = ties.get(one.name)
        if name is not None and name not in by_name:
            by_name[name] = replace(by_name.pop(one.name), name=name)
    kept = []
    for one in by_name.values():
        name = ties.get(one.name)
        if name is not None:
            _check_equal(one, by_name[name])
            continue
        span = spans.get(one.name)
        narrow = span is not None and (one.dtype, span.dtype) == (DType.F32, DType.BF16)
        kept.append(_as_bf16(one) if narrow else one)
    return ForeignWeights(tuple(kept), ties)


def _check_equal(tied: TensorSource, kept: TensorSource) -> None:
    same = (tied.dtype, tied.shape) == (kept.dtype, kept.shape)
    if not same or b"".join(tied.chunks()) != b"".join(kept.chunks()):
        raise ObjectInvalid(
            f"tensor {tied.name!r}", f"is tied to {kept.name!r} and has other values"
        )


def _as_bf16(one: TensorSource) -> TensorSource:
    def chunks() -> Iterator[bytes]:
        for chunk in one.chunks():
            yield bytes_from_values(values_from_bytes(chunk, DType.F32), DType.BF16)

    return replace(one, dtype=DType.BF16, chunks=chunks)


def save_foreign(
    path: Path, weights: ForeignWeights, *, metadata: Mapping[str, str] = _NONE
) -> None:
    """Writes a safetensors file: whole and on the disk, or not at all.

    Args:
        path: replaced at the end.
        weights: one tensor goes through memory at a time.
        metadata: words for the header, besides the ties.

    Raises:
        ObjectInvalid: a name, shape or tie cannot be, or there is no tensor.
        NotFinite: a tensor holds NaN or infinity; names it.
        OSError: the file cannot be written.
    """
    check_foreign(weights, path.name)
    header = build_header(
        ((one.name, one.dtype, one.shape) for one in weights.tensors),
        {**metadata, **weights.ties},
    )
    by_name = {one.name: one for one in weights.tensors}
    with replacing(path) as file:
        file.write(len(header.raw).to_bytes(LENGTH_SIZE, "little"))
        file.write(header.raw)
        for name, span in header.spans.items():
            for chunk in _checked(by_name[name], span):
                file.write(chunk)


def check_foreign(weights: ForeignWeights, where: str) -> None:
    """Refuses what no file can hold, before anything is written.

    Raises:
        ObjectInvalid: no tensor, a name twice, or a tie that leads nowhere.
    """
    names = [one.name for one in weights.tensors]
    if not names:
        raise ObjectInvalid(where, "holds no tensor")
    if len(names) > MAX_TENSORS:
        raise ObjectInvalid(where, f"{len(names)} tensors, at most {MAX_TENSORS}")
    known = set(names)
    if len(known) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ObjectInvalid(where, f"tensor {twice[:80]!r} comes twice")
    for left_out, kept in weights.ties.items():
        if left_out in known or kept not in known or left_out in _NO_TIES:
            raise ObjectInvalid(where, f"{left_out[:80]!r} cannot be tied to {kept!r}")


def check_finite(weights: ForeignWeights) -> None:
    """Reads all values.

    Raises:
        NotFinite: a tensor holds NaN or infinity; names it.
    """
    for one in weights.tensors:
        n_bad = sum(_count_bad(one, chunk) for chunk in one.chunks())
        if n_bad:
            raise NotFinite(one.name, n_bad)


def _count_bad(one: TensorSource, chunk: bytes | memoryview) -> int:
    if not one.dtype.is_float:
        return 0
    return count_not_finite(values_from_bytes(chunk, one.dtype))


def _checked(one: TensorSource, span: TensorSpan) -> Iterable[bytes | memoryview]:
    n_bytes = n_bad = 0
    for chunk in one.chunks():
        n_bytes += len(chunk)
        n_bad += _count_bad(one, chunk)
        yield chunk
    if n_bad:
        raise NotFinite(one.name, n_bad)
    if n_bytes != span.end - span.begin:
        reason = f"{n_bytes} bytes instead of {span.end - span.begin}"
        raise ObjectInvalid(f"tensor {one.name!r}", reason)
