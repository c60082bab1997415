"""The header of safetensors files, read strictly and written plainly.

Nothing in a file is believed: every size is checked against the file's own before
memory is taken for it, and the tensors must fill the file without hole or overlap.
Format: https://github.com/huggingface/safetensors#format
"""

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flair_client.encoding.rules import check_shape
from flair_client.encoding.schemas import TENSOR_NAME
from flair_client.errors import ObjectInvalid, ObjectTooLarge, UsageError
from flair_client.limits import (
    MAX_DIMENSIONS,
    MAX_SAFETENSORS_HEADER_SIZE,
    MAX_TENSORS,
)
from flair_client.objects import DType

LENGTH_SIZE = 8
_METADATA = "__metadata__"
_NO_METADATA: Mapping[str, str] = MappingProxyType({})
_KEYS = frozenset(("dtype", "shape", "data_offsets"))
_NAMES = frozenset(dtype.value for dtype in DType)


@dataclass(frozen=True, slots=True)
class TensorSpan:
    """Where one tensor lies in the data part of a file.

    Attributes:
        begin: first byte, counted from the end of the header.
        end: the byte behind the last.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """A checked header.

    Attributes:
        raw: its JSON, as in the file.
        spans: by name, in the order of the data.
        metadata: free words of whoever wrote the file.
    """

    raw: bytes
    spans: Mapping[str, TensorSpan]
    metadata: Mapping[str, str]

    @property
    def data_size(self) -> int:
        """Bytes behind the header."""
        return max((span.end for span in self.spans.values()), default=0)


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """An open file, mapped into memory."""

    path: Path
    header: Header
    data: memoryview

    def tensor(self, name: str) -> memoryview:
        """The bytes of one tensor, without a copy."""
        span = self.header.spans[name]
        return self.data[span.begin : span.end]


@contextmanager
def read_safetensors(path: Path) -> Iterator[SafetensorsFile]:
    """Opens a file, checks its header and maps it while the context lasts.

    Raises:
        UsageError: the file cannot be opened.
        ObjectInvalid: it is no safetensors file, or its header does not fit the file;
            also when it was changed while it was read.
        ObjectTooLarge: the header is larger than the format allows.
    """
    try:
        file = path.open("rb")
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}") from exc
    with file:
        before = os.fstat(file.fileno())
        header = _read_header(file.read, before.st_size, path.name)
        start = LENGTH_SIZE + len(header.raw)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            with memoryview(mapped) as whole:
                yield SafetensorsFile(path, header, whole[start:])
        finally:
            # Views in the frames of an error's traceback keep it open a little longer.
            with suppress(BufferError):
                mapped.close()
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ObjectInvalid(path.name, "changed while it was read")


def _read_header(read: Any, file_size: int, where: str) -> Header:
    if file_size < LENGTH_SIZE:
        raise ObjectInvalid(where, f"{file_size} bytes are no safetensors file")
    size = int.from_bytes(read(LENGTH_SIZE), "little")
    if size > MAX_SAFETENSORS_HEADER_SIZE:
        raise ObjectTooLarge(f"{where}: header", size, MAX_SAFETENSORS_HEADER_SIZE)
    if size > file_size - LENGTH_SIZE:
        reason = f"declares a header of {size} bytes, the file has {file_size}"
        raise ObjectInvalid(where, reason)
    header = parse_header(read(size), where)
    data_size = file_size - LENGTH_SIZE - size
    if header.data_size != data_size:
        reason = f"declares {header.data_size} bytes of tensors, has {data_size}"
        raise ObjectInvalid(where, reason)
    return header


def parse_header(raw: bytes, where: str) -> Header:
    """Checks the JSON of a header.

    Args:
        raw: the JSON, with the spaces that may follow.
        where: the file, for messages.

    Raises:
        ObjectInvalid: names the tensor that is wrong.
    """
    # The format wants the brace first, so that a file cannot be two formats at once.
    if raw[:1] != b"{":
        raise ObjectInvalid(where, "the header does not begin with a brace")
    try:
        content = json.loads(
            raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as exc:
        raise ObjectInvalid(where, f"the header is not JSON: {exc}") from exc
    metadata = content.pop(_METADATA, {})
    if type(metadata) is not dict or not all(
        type(value) is str for value in metadata.values()
    ):
        raise ObjectInvalid(f"{where}: {_METADATA}", "not a map of text to text")
    if len(content) > MAX_TENSORS:
        reason = f"{len(content)} tensors, at most {MAX_TENSORS}"
        raise ObjectInvalid(where, reason)
    spans = [_parse_span(name, fields, where) for name, fields in content.items()]
    spans.sort(key=lambda span: (span.begin, span.end, span.name))
    _check_contiguous(spans, where)
    by_name = MappingProxyType({span.name: span for span in spans})
    return Header(raw, by_name, MappingProxyType(metadata))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:80]!r} comes twice")
    return content


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _parse_span(name: str, fields: Any, where: str) -> TensorSpan:
    path = f"{where}: tensor {name[:80]!r}"
    TENSOR_NAME.to_plain(name, path)
    if type(fields) is not dict or fields.keys() != _KEYS:
        raise ObjectInvalid(path, "needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if type(dtype) is not str or dtype not in _NAMES:
        raise ObjectInvalid(path, f"unknown dtype {dtype!r:.80}")
    if not _is_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise ObjectInvalid(path, f"not a shape: {shape!r:.80}")
    if not _is_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ObjectInvalid(path, f"not a pair of offsets: {offsets!r:.80}")
    span = TensorSpan(name, DType(dtype), tuple(shape), offsets[0], offsets[1])
    check_shape(span.shape, span.dtype.item_size, path)
    n_bytes = prod(span.shape) * span.dtype.item_size
    if span.end - span.begin != n_bytes:
        reason = f"shape and dtype need {n_bytes} bytes, got {span.end - span.begin}"
        raise ObjectInvalid(path, reason)
    return span


def _is_sizes(value: Any) -> bool:
    return type(value) is list and all(type(n) is int and n >= 0 for n in value)


def _check_contiguous(spans: list[TensorSpan], where: str) -> None:
    at = 0
    for span in spans:
        if span.begin != at:
            how = "overlaps another" if span.begin < at else "leaves a hole before it"
            raise ObjectInvalid(f"{where}: tensor {span.name[:80]!r}", how)
        at = span.end


def build_header(
    tensors: Iterable[tuple[str, DType, tuple[int, ...]]],
    metadata: Mapping[str, str] = _NO_METADATA,
) -> Header:
    """A header for these tensors: wide dtypes first, then by name, padded to 8 bytes.

    The order of the safetensors library, which keeps every tensor aligned.

    Raises:
        ObjectInvalid: names the tensor that cannot be in a file.
    """
    ordered = sorted(tensors, key=lambda t: (-t[1].item_size, t[0]))
    content: dict[str, Any] = {}
    if metadata:
        content[_METADATA] = dict(sorted(metadata.items()))
    at = 0
    for name, dtype, shape in ordered:
        end = at + prod(shape) * dtype.item_size
        content[name] = {
            "dtype": dtype.value,
            "shape": list(shape),
            "data_offsets": [at, end],
        }
        at = end
    raw = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % LENGTH_SIZE)
    return parse_header(raw, "header")
