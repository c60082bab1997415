"""Merged float64 values into a store: as exact integers, or in their tensor's dtype."""

import hashlib
from dataclasses import replace

from flair_client.arithmetic import (
    Array,
    FloatArray,
    bytes_from_values,
    count_not_finite,
    to_fixed,
)
from flair_client.encoding.rules import can_be_light
from flair_client.errors import OutOfRange, TensorMismatch
from flair_client.ids import CODEC_RAW, Cid, Digest
from flair_client.merging.rounding import to_dtype
from flair_client.objects import Light, LightEncodingId, TensorEncodingId, TensorEntry
from flair_client.store.base import Store
from flair_client.tensor_encodings import int8
from flair_client.tensor_encodings import raw as raw_encoding
from flair_client.weights import FixedWriter


class FloatWriter:
    """Writes one tensor in its own dtype, uncompressed, and makes its entry.

    Compressed sizes depend on the library's version; whether a tensor is compressed
    must not.
    """

    def __init__(self, like: TensorEntry, store: Store) -> None:
        """For a tensor with name, dtype, shape and role of another.

        Args:
            like: the entry that the new one replaces; where it has a light form the new
                one has its own.
            store: takes the blocks.
        """
        self._like = like
        self._store = store
        self._digest = hashlib.sha256()
        self._blocks: list[Cid] = []
        self._held = b""
        self._n_values = 0
        self._light = _LightWriter(store) if _has_light(like) else None

    def write(self, values: FloatArray) -> None:
        """Adds values; every part but the last has `N_PART`.

        Raises:
            OutOfRange: a value is beyond the largest float of the dtype.
        """
        narrow = to_dtype(values, self._like.dtype, self._like.name)
        if self._light is not None:
            self._light.write(narrow)
        raw = bytes_from_values(narrow, self._like.dtype)
        self._digest.update(raw)
        self._n_values += values.size
        self._held += raw
        size = raw_encoding.CHUNK_SIZE
        while len(self._held) >= size:
            self._put(self._held[:size])
            self._held = self._held[size:]

    def finish(self) -> TensorEntry:
        """The entry of what was written.

        Raises:
            TensorMismatch: more or fewer values than the shape has.
        """
        like = self._like
        if self._n_values != like.n_values:
            expected = f"{like.n_values} values"
            raise TensorMismatch(like.name, expected, f"{self._n_values}")
        if self._held:
            self._put(self._held)
        return replace(
            like,
            digest=Digest(self._digest.digest()),
            encoding=TensorEncodingId.RAW,
            blocks=tuple(self._blocks),
            fixed_digest=None,
            light=None if self._light is None else self._light.finish(),
        )

    def _put(self, chunk: bytes) -> None:
        self._blocks.append(self._store.put(CODEC_RAW, chunk))


class _LightWriter:
    """The light form of the same values; a part is a block of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._digest = hashlib.sha256()
        self._blocks: list[Cid] = []

    def write(self, values: Array) -> None:
        chunk = int8.quantise(values)
        self._digest.update(chunk)
        self._blocks.append(self._store.put(CODEC_RAW, int8.pack(chunk)))

    def finish(self) -> Light:
        return Light(
            encoding=LightEncodingId.INT8,
            digest=Digest(self._digest.digest()),
            blocks=tuple(self._blocks),
        )


def _has_light(like: TensorEntry) -> bool:
    return like.light is not None and can_be_light(like)


class ExactWriter:
    """Writes one tensor as the nearest exact integers, half to even."""

    def __init__(self, like: TensorEntry, scale_exp: int, store: Store) -> None:
        """As `FixedWriter`."""
        self._like = like
        self._scale_exp = scale_exp
        self._writer = FixedWriter(like, scale_exp, store)

    def write(self, values: FloatArray) -> None:
        """Adds values; every part but the last has `N_PART`.

        Raises:
            OutOfRange: a value has no 64-bit integer, or no float of the dtype.
        """
        name = self._like.name
        if count_not_finite(values):
            reason = "a merged value is beyond the range of float64"
            raise OutOfRange(f"tensor {name!r}: {reason}")
        self._writer.write(to_fixed(values, self._scale_exp, name))

    def finish(self) -> TensorEntry:
        """The entry of what was written."""
        return self._writer.finish()
