"""Rows from NumPy's `.npz` files, without pickle; every array is held in memory.

Weights in such files are the business of `weights.npz_file`, which knows models' dtypes
alone. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from flair_client.errors import DataError, DataUnreadable
from flair_client.training.doors import Array
from flair_client.zip_claims import false_claim

_SUFFIX: Final = ".npy"
_MAGIC: Final = b"\x93NUMPY"
# A header names dtype, order and shape; NumPy writes 118 bytes.
_MAX_HEADER_SIZE: Final = 10_000
_ENCRYPTED: Final = 1


def read_npz(path: Path) -> dict[str, Array]:
    """Reads the arrays of an `.npz` file by name.

    Raises:
        DataUnreadable: it is not there, or may not be read.
        DataError: it is no such file, or an array in it cannot be rows; names it.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                raise DataError(f"{path} is one array without a name, no .npz file")
            if not zipfile.is_zipfile(file):
                raise DataError(f"{path} is no .npz file")
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                false = false_claim(members, path.stat().st_size)
                if false is not None:
                    raise DataError(f"{path} {false}")
                return dict(_array(path, archive, one) for one in members)
    except OSError as exc:
        raise DataUnreadable(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as exc:
        raise DataError(f"{path} is damaged: {exc}") from exc


def _array(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> tuple[str, Array]:
    name = info.filename.removesuffix(_SUFFIX)
    where = f"{path}: array {name[:80]!r}"
    if name == info.filename:
        raise DataError(f"{path}: {name[:80]!r} is no array")
    if info.flag_bits & _ENCRYPTED:
        raise DataError(f"{where} is encrypted")
    with archive.open(info) as file:
        try:
            shape, dtype, header_size = _read_header(file)
        except (ValueError, EOFError) as exc:
            raise DataError(f"{where} is no array: {exc}") from exc
        if dtype.hasobject:
            raise DataError(f"{where} holds pickled objects, which are never read")
        # Before memory is taken for what the file does not hold.
        if info.file_size - header_size != prod(shape) * dtype.itemsize:
            raise DataError(f"{where} has not the size that its shape needs")
    with archive.open(info) as file:
        values: Array = npy.read_array(file, allow_pickle=False)
    return name, values


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Gives shape, dtype and the bytes before the first value.

    Raises:
        ValueError: it is no header of version 1 or 2, the only ones for plain arrays.
    """
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(file, _MAX_HEADER_SIZE)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(file, _MAX_HEADER_SIZE)
    else:
        raise ValueError(f"version {version} of the format")
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return shape, dtype, file.tell()
