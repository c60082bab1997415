"""A file of weights of any known kind as a safetensors file."""

import functools
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from flair_client.errors import ObjectInvalid, UsageError
from flair_client.objects import Manifest
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.weights.exporting import export_weights
from flair_client.weights.foreign import (
    ForeignWeights,
    TensorSource,
    check_foreign,
    cut,
    fit,
    save_foreign,
    ties_of,
)
from flair_client.weights.npz_file import read_npz, write_npz
from flair_client.weights.replacing import naming_path
from flair_client.weights.safetensors_file import (
    Header,
    SafetensorsFile,
    TensorSpan,
    read_safetensors,
)
from flair_client.weights.torch_file import read_torch, write_torch

_MAX_SAFETENSORS_START: Final = 9
_NO_SPANS: Final[Mapping[str, TensorSpan]] = {}


class WeightsFormat(StrEnum):
    """Kinds of files that weights come in."""

    SAFETENSORS = "safetensors"
    NPZ = "npz"
    PT = "pt"


def format_of(path: Path) -> WeightsFormat:
    """Tells by its first bytes what kind a file is; its name does not count.

    Raises:
        UsageError: it cannot be opened.
        ObjectInvalid: it is of no known kind.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_MAX_SAFETENSORS_START)
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}") from exc
    if start[8:] == b"{":
        return WeightsFormat.SAFETENSORS
    if start.startswith(b"PK"):
        return _kind_of_archive(path)
    # What pickle's protocols 2 and up begin with: torch's older files.
    if start[:1] == b"\x80":
        return WeightsFormat.PT
    if start.startswith(b"\x93NUMPY"):
        raise ObjectInvalid(path.name, "is one array without a name, no .npz file")
    raise ObjectInvalid(path.name, "is no .safetensors, .npz or PyTorch file")


def _kind_of_archive(path: Path) -> WeightsFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError) as exc:
        raise ObjectInvalid(path.name, f"is damaged: {exc}") from exc
    if any(name.endswith("/data.pkl") for name in names):
        return WeightsFormat.PT
    return WeightsFormat.NPZ


@contextmanager
def read_foreign(path: Path) -> Iterator[ForeignWeights]:
    """Opens a file of any kind; its values are read while it is open.

    Raises:
        UsageError: it cannot be opened.
        NotStateDict: a PyTorch file holds something else.
        ObjectInvalid: it is of no known kind, damaged, or holds a tensor that no model
            can have.
        ExtraMissing: PyTorch is needed and not installed.
    """
    with _reader(path) as weights:
        check_foreign(weights, path.name)
        yield weights


@contextmanager
def _reader(path: Path) -> Iterator[ForeignWeights]:
    kind = format_of(path)
    if kind is WeightsFormat.NPZ:
        with read_npz(path) as weights:
            yield weights
    elif kind is WeightsFormat.PT:
        yield read_torch(path)
    else:
        with read_safetensors(path) as file:
            yield _of_safetensors(file)


def _of_safetensors(file: SafetensorsFile) -> ForeignWeights:
    header = file.header
    tensors = tuple(
        TensorSource(
            span.name,
            span.dtype,
            span.shape,
            functools.partial(lambda name: cut(file.tensor(name)), span.name),
        )
        for span in header.spans.values()
    )
    return ForeignWeights(tensors, ties_of(header))


@contextmanager
def as_safetensors(path: Path, like: Header | None = None) -> Iterator[Path]:
    """Gives the path of a safetensors file with the same weights, for a while.

    Args:
        path: of any kind; a safetensors file is given as it is.
        like: the header of the model that they are new weights of.

    Raises:
        UsageError: it cannot be opened.
        NotStateDict: a PyTorch file holds something else.
        ObjectInvalid: it is of no known kind, damaged, or holds a tensor that no model
            can have.
        NotFinite: a tensor holds NaN or infinity.
        ExtraMissing: PyTorch is needed and not installed.
        OSError: no room for the new file.
    """
    kind = format_of(path)
    if kind is WeightsFormat.SAFETENSORS and like is None:
        yield path
        return
    spans = _NO_SPANS if like is None else like.spans
    with TemporaryDirectory(prefix="flair-") as folder, read_foreign(path) as weights:
        fitted = fit(weights, spans, weights.ties if like is None else ties_of(like))
        if kind is WeightsFormat.SAFETENSORS and fitted.tensors == weights.tensors:
            yield path
            return
        converted = Path(folder) / "weights.safetensors"
        save_foreign(converted, fitted)
        yield converted


def header_at(path: Path) -> Header:
    """The header of a safetensors file.

    Raises:
        As `read_safetensors`.
    """
    with read_safetensors(path) as file:
        return file.header


def write_weights(
    manifest: Manifest,
    store: Store,
    path: Path,
    kind: WeightsFormat,
    *,
    progress: Progress = NO_PROGRESS,
) -> None:
    """Writes weights as a file of some kind: whole, or not at all.

    Raises:
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
        StoreFull, UsageError: the file cannot be written.
        ExtraMissing: PyTorch is needed and not installed.
    """
    if kind is WeightsFormat.SAFETENSORS:
        export_weights(manifest, store, path, progress=progress)
        return
    write = write_npz if kind is WeightsFormat.NPZ else write_torch
    with naming_path(path):
        write(manifest, store, path)
