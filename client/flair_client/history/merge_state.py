"""What a strategy keeps from one merge to the next: moments, as a manifest of float64.

A tensor `T` of the model has the tensors `m/T`, `v/T` of its shape there, one for each
moment of the strategy; encoding `raw`, so that the same moments have the same CID.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from flair_client.arithmetic import FloatArray, bytes_from_values
from flair_client.encoding import decode_manifest
from flair_client.errors import ObjectInvalid, TensorMismatch
from flair_client.ids import CODEC_RAW, Cid, Digest
from flair_client.objects import (
    Commit,
    CommitKind,
    DType,
    Manifest,
    Role,
    TensorEncodingId,
    TensorEntry,
)
from flair_client.store.base import Store
from flair_client.strategies.base import Strategy
from flair_client.tensor_encodings import raw as raw_encoding
from flair_client.weights.reading import value_parts

_PATH: Final = "strategy_state"


def state_before(store: Store, head: Commit, strategy: Strategy) -> Manifest | None:
    """What the strategy kept of the merge that made the head, or nothing.

    Moments go on only from a merge by the same strategy: after a root, a snapshot, a
    revert or another strategy's merge they begin anew.

    Raises:
        BlockMissing, DigestMismatch: the block is not there or not itself.
        ObjectError: it is no manifest.
    """
    is_same = (
        head.kind is CommitKind.MERGE
        and head.strategy is not None
        and head.strategy.id == strategy.id
    )
    if not is_same or not strategy.moments or head.strategy_state is None:
        return None
    return decode_manifest(store.get(head.strategy_state))


class TensorMoments:
    """The moments of one tensor: old ones are read, new ones written, part by part."""

    def __init__(
        self,
        old: Sequence[Iterator[FloatArray]] | None,
        writers: Sequence["_MomentWriter"],
    ) -> None:
        """With streams of the old ones, or none where they begin with zeros."""
        self._old = old
        self._writers = writers

    def read(self, n_values: int) -> tuple[FloatArray, ...]:
        """The next part of the old moments."""
        if self._old is None:
            return tuple(np.zeros(n_values, np.float64) for _ in self._writers)
        return tuple(next(stream) for stream in self._old)

    def write(self, moments: Sequence[FloatArray]) -> None:
        """The next part of the new ones."""
        for writer, values in zip(self._writers, moments, strict=True):
            writer.write(values)

    def finish(self) -> Iterator[TensorEntry]:
        """The entries of the new ones."""
        for stream in self._old or ():
            # Behind the last part the stream checks the digest of the whole.
            next(stream, None)
        for writer in self._writers:
            yield writer.finish()


class MomentStream:
    """The moments of a whole merge, one tensor after the other."""

    def __init__(
        self,
        store: Store,
        names: Sequence[str],
        old: Manifest | None,
        store_out: Store,
    ) -> None:
        """For moments of these names; `old` is the state before, if there is one."""
        self._store = store
        self._names = names
        self._old = old
        self._store_out = store_out
        self._entries: list[TensorEntry] = []

    @contextmanager
    def tensor(self, entry: TensorEntry) -> Iterator[TensorMoments]:
        """The moments of one tensor of the model.

        Raises:
            TensorMismatch: the state before has none of this shape.
        """
        streams = None
        if self._old is not None:
            by_name = self._old.by_name()
            found = [_matching(entry, by_name, name) for name in self._names]
            streams = [_floats(self._old, one, self._store) for one in found]
        writers = [_MomentWriter(entry, name, self._store_out) for name in self._names]
        moments = TensorMoments(streams, writers)
        yield moments
        self._entries += moments.finish()

    def manifest(self) -> Manifest | None:
        """What is kept for the next merge; None where the strategy keeps nothing."""
        if not self._names:
            return None
        return Manifest(tensors=tuple(sorted(self._entries, key=lambda one: one.name)))


def _matching(
    entry: TensorEntry, by_name: dict[str, TensorEntry], moment: str
) -> TensorEntry:
    name = f"{moment}/{entry.name}"
    expected = f"F64 {list(entry.shape)}"
    found = by_name.get(name)
    if found is None:
        raise TensorMismatch(name, expected, "nothing")
    if (found.dtype, found.shape) != (DType.F64, entry.shape):
        actual = f"{found.dtype.value} {list(found.shape)}"
        raise TensorMismatch(name, expected, actual)
    return found


def _floats(state: Manifest, entry: TensorEntry, store: Store) -> Iterator[FloatArray]:
    for part in value_parts(state, entry, store):
        values = part.astype(np.float64)
        if not np.isfinite(values).all():
            raise ObjectInvalid(f"{_PATH}.{entry.name}", "a moment is not finite")
        yield values


class _MomentWriter:
    """One moment of one tensor."""

    def __init__(self, like: TensorEntry, moment: str, store: Store) -> None:
        self._like = like
        self._name = f"{moment}/{like.name}"
        self._store = store
        self._digest = hashlib.sha256()
        self._blocks: list[Cid] = []

    def write(self, values: FloatArray) -> None:
        """Adds values; every part but the last is a whole number of blocks."""
        raw = memoryview(bytes_from_values(values, DType.F64))
        self._digest.update(raw)
        for at in range(0, len(raw), raw_encoding.CHUNK_SIZE):
            chunk = raw[at : at + raw_encoding.CHUNK_SIZE]
            self._blocks.append(self._store.put(CODEC_RAW, raw_encoding.pack(chunk)))

    def finish(self) -> TensorEntry:
        """Its entry."""
        like = self._like
        return TensorEntry(
            name=self._name,
            dtype=DType.F64,
            shape=like.shape,
            role=Role.FROZEN,
            digest=Digest(self._digest.digest()),
            encoding=TensorEncodingId.RAW,
            blocks=tuple(self._blocks),
        )
