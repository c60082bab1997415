"""Exact integers into a store, part by part."""

import hashlib

from flair_client.arithmetic import IntArray, bytes_from_values, from_fixed
from flair_client.errors import TensorMismatch
from flair_client.ids import CODEC_RAW, Cid, Digest
from flair_client.objects import TensorEncodingId, TensorEntry
from flair_client.store.base import Store
from flair_client.tensor_encodings import fixed as fixed_encoding


class FixedWriter:
    """Writes one tensor's `M` with encoding `fixed` and makes its entry."""

    def __init__(self, like: TensorEntry, scale_exp: int, store: Store) -> None:
        """For a tensor with name, dtype, shape and role of another.

        Args:
            like: the entry that the new one replaces.
            scale_exp: the integers are in units of `2 ** (scale_exp - 24)`.
            store: takes the blocks.
        """
        self._like = like
        self._scale_exp = scale_exp
        self._store = store
        self._digest = hashlib.sha256()
        self._fixed_digest = hashlib.sha256()
        self._blocks: list[Cid] = []
        self._n_values = 0

    def write(self, part: IntArray) -> None:
        """Adds values; every part but the last is a whole number of chunks.

        Raises:
            OutOfRange: a value is beyond the largest float of the dtype.
        """
        like = self._like
        floats = from_fixed(part, self._scale_exp, like.dtype, like.name)
        self._digest.update(bytes_from_values(floats, like.dtype))
        raw = memoryview(part.astype("<i8", copy=False).tobytes())
        self._fixed_digest.update(raw)
        for at in range(0, len(raw), fixed_encoding.CHUNK_SIZE):
            block = fixed_encoding.pack(raw[at : at + fixed_encoding.CHUNK_SIZE])
            self._blocks.append(self._store.put(CODEC_RAW, block))
        self._n_values += part.size

    def finish(self) -> TensorEntry:
        """The entry of what was written.

        Raises:
            TensorMismatch: more or fewer values than the shape has.
        """
        like = self._like
        if self._n_values != like.n_values:
            expected = f"{like.n_values} values"
            raise TensorMismatch(like.name, expected, f"{self._n_values}")
        return TensorEntry(
            name=like.name,
            dtype=like.dtype,
            shape=like.shape,
            role=like.role,
            digest=Digest(self._digest.digest()),
            encoding=TensorEncodingId.FIXED,
            blocks=tuple(self._blocks),
            fixed_digest=Digest(self._fixed_digest.digest()),
        )
