"""Tensors in memory into a safetensors file of the user's."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from flair_client.arithmetic import Array, bytes_from_values, count_not_finite
from flair_client.errors import NotFinite
from flair_client.ids import Digest
from flair_client.objects import DType
from flair_client.weights.replacing import replacing
from flair_client.weights.safetensors_file import LENGTH_SIZE, build_header


def save_weights(path: Path, tensors: Mapping[str, tuple[DType, Array]]) -> Digest:
    """Writes a file: whole and on the disk, or not at all.

    Args:
        path: replaced at the end.
        tensors: dtype and values by name; BF16 as float32.

    Returns:
        The sha256 of the file.

    Raises:
        NotFinite: a tensor holds NaN or infinity; names it.
        OSError: the file cannot be written.
    """
    for name, (_, values) in tensors.items():
        n_bad = count_not_finite(values)
        if n_bad:
            raise NotFinite(name, n_bad)
    header = build_header(
        (name, dtype, values.shape) for name, (dtype, values) in tensors.items()
    )
    digest = hashlib.sha256()
    with replacing(path) as file:
        length = len(header.raw).to_bytes(LENGTH_SIZE, "little")
        for part in (length, header.raw):
            digest.update(part)
            file.write(part)
        for name in header.spans:
            dtype, values = tensors[name]
            raw = bytes_from_values(values, dtype)
            digest.update(raw)
            file.write(raw)
    return Digest(digest.digest())


def digest_of_file(path: Path) -> Digest:
    """The sha256 of a file, read piece by piece.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest())
