"""NumPy's `.npz` files, in and out, without pickle and one array at a time.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from flair_client.arithmetic import Array
from flair_client.encoding.rules import check_shape
from flair_client.errors import ObjectInvalid, UsageError
from flair_client.objects import DType, Manifest
from flair_client.store.base import Store
from flair_client.weights.exporting import header_of
from flair_client.weights.foreign import (
    CHUNK_SIZE,
    ForeignWeights,
    TensorSource,
    cut,
    ties_of,
)
from flair_client.weights.reading import load_tensor
from flair_client.weights.replacing import replacing
from flair_client.zip_claims import false_claim

_SUFFIX: Final = ".npy"
# A header names dtype, order and shape; NumPy writes 118 bytes.
_MAX_HEADER_SIZE: Final = 10_000
_ENCRYPTED: Final = 1
DTYPES: Final[Mapping[np.dtype[Any], DType]] = {
    np.dtype(np.float64): DType.F64,
    np.dtype(np.float32): DType.F32,
    np.dtype(np.float16): DType.F16,
    np.dtype(np.int64): DType.I64,
    np.dtype(np.int32): DType.I32,
    np.dtype(np.int16): DType.I16,
    np.dtype(np.int8): DType.I8,
    np.dtype(np.uint8): DType.U8,
    np.dtype(np.bool_): DType.BOOL,
}


def dtype_of(dtype: np.dtype[Any], where: str) -> DType:
    """Our name of a NumPy type, whatever its byte order.

    Raises:
        ObjectInvalid: models have no values of this type.
    """
    found = DTYPES.get(dtype.newbyteorder("="))
    if found is None:
        held = "pickled Python objects" if dtype.hasobject else f"dtype {dtype}"
        raise ObjectInvalid(where, f"{held} cannot be in a model")
    return found


def array_source(name: str, array: Array) -> TensorSource:
    """A tensor source from an array in memory."""
    dtype = dtype_of(array.dtype, f"tensor {name!r}")

    def chunks() -> Iterator[memoryview]:
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        return cut(little.tobytes())

    return TensorSource(name, dtype, array.shape, chunks)


@contextmanager
def read_npz(path: Path) -> Iterator[ForeignWeights]:
    """Looks through a file; values are read one array at a time while it is open.

    Raises:
        UsageError: the file cannot be opened.
        ObjectInvalid: it is no such file, or an array has no place in a model; also
            when that shows only in its values.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            false = false_claim(members, path.stat().st_size)
            if false is not None:
                raise ObjectInvalid(path.name, false)
            tensors = [_source(path, archive, one) for one in members]
            yield ForeignWeights(tuple(tensors))
    except FileNotFoundError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}") from exc
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as exc:
        raise ObjectInvalid(path.name, f"is no .npz file: {exc}") from exc


def _source(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> TensorSource:
    if not info.filename.endswith(_SUFFIX):
        raise ObjectInvalid(path.name, f"{info.filename[:80]!r} is no array")
    name = info.filename.removesuffix(_SUFFIX)
    where = f"{path.name}: tensor {name[:80]!r}"
    if info.flag_bits & _ENCRYPTED:
        raise ObjectInvalid(where, "is encrypted")
    with archive.open(info) as file:
        shape, is_fortran, numpy_dtype, header_size = _read_header(file, where)
    dtype = dtype_of(numpy_dtype, where)
    check_shape(shape, dtype.item_size, where)
    n_bytes = prod(shape) * dtype.item_size
    if info.file_size - header_size != n_bytes:
        reason = f"its shape needs {n_bytes} bytes, it has "
        raise ObjectInvalid(where, f"{reason}{info.file_size - header_size}")
    # Most arrays are stored as they are needed; others go through memory whole.
    as_stored = numpy_dtype.newbyteorder("<") == numpy_dtype and (
        not is_fortran or len(shape) < 2
    )

    def chunks() -> Iterator[bytes | memoryview]:
        with archive.open(info) as file:
            if as_stored:
                file.read(header_size)
                while chunk := file.read(CHUNK_SIZE):
                    yield chunk
                return
            array = npy.read_array(file, allow_pickle=False)
            yield from array_source(name, array).chunks()

    return TensorSource(name, dtype, shape, chunks)


def _read_header(
    file: IO[bytes], where: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    try:
        version = npy.read_magic(file)
        if version == (1, 0):
            read = npy.read_array_header_1_0
        elif version == (2, 0):
            read = npy.read_array_header_2_0
        else:
            # The third is for fields with names, which no tensor has.
            raise ObjectInvalid(where, f"has version {version} of the format")
        shape, is_fortran, dtype = read(file, max_header_size=_MAX_HEADER_SIZE)
    except (ValueError, EOFError, zipfile.BadZipFile) as exc:
        raise ObjectInvalid(where, f"is no array: {exc}") from exc
    if any(size < 0 for size in shape):
        raise ObjectInvalid(where, f"has shape {shape}")
    return shape, is_fortran, dtype, file.tell()


def write_npz(manifest: Manifest, store: Store, path: Path) -> None:
    """Writes the weights as a file that `numpy.load` reads: whole, or not at all.

    Tied names are written as arrays of their own, since the format has no ties. BF16,
    which NumPy does not know, comes as float32 of the same values.

    Args:
        manifest: the weights.
        store: where the blocks lie.
        path: replaced when the new file is complete and on the disk.

    Raises:
        As `load_tensor`.
        OSError: the file cannot be written.
    """
    ties: dict[str, list[str]] = {}
    for left_out, kept in ties_of(header_of(manifest, store)).items():
        ties.setdefault(kept, []).append(left_out)
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for entry in manifest.tensors:
            values = load_tensor(manifest, entry, store)
            for name in (entry.name, *ties.get(entry.name, ())):
                _write_array(archive, name, values)


def _write_array(archive: zipfile.ZipFile, name: str, values: Array) -> None:
    # Without a time of its own the same weights give the same bytes.
    info = zipfile.ZipInfo(f"{name}{_SUFFIX}")
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        npy.write_array(member, values, allow_pickle=False)
