"""Tensors of a file that the store has already, found without hashing them again.

A fingerprint is the 128-bit XXH3 of a tensor's bytes with a random seed of this
workspace. It is twenty times faster than sha-256 and does not replace it: it only tells
whether a tensor is the one whose sha-256 was taken earlier here. By chance two tensors
collide once in 2^128. Who wanted to collide them on purpose would have to know the
seed, which does not leave the machine, and could only make the owner of the file commit
an older tensor of their own: what is committed is still what its digests say.
"""

import os
import secrets
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import libipld
import xxhash

from flair_client.errors import FlairError
from flair_client.ids import Cid, Digest
from flair_client.objects import DType, TensorEncodingId
from flair_client.store.base import Store

_VERSION = 1
_SEED_SIZE = 8
# Tensors of some hundred commits of a large model; beyond it the cache starts anew.
_MAX_FILE_SIZE = 256 << 20


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor's bytes are in the store, whatever its name."""

    digest: Digest
    encoding: TensorEncodingId
    blocks: tuple[Cid, ...]


class FingerprintCache:
    """What this workspace stored before; a file that may be deleted at any time."""

    def __init__(self, path: Path) -> None:
        """Reads the file; one that is missing or damaged is an empty cache.

        Args:
            path: kept private to the workspace.
        """
        self._path = path
        self._lock = threading.Lock()
        self._old: dict[bytes, StoredTensor] = {}
        self._used: dict[bytes, StoredTensor] = {}
        self._seed = secrets.token_bytes(_SEED_SIZE)
        with suppress(OSError, ValueError, KeyError, TypeError, FlairError):
            self._load()

    def fingerprint(self, dtype: DType, raw: memoryview) -> bytes:
        """What a tensor's bytes are found by here, and nowhere else."""
        # The dtype is in it because only floats are checked for NaN and infinity.
        seed = int.from_bytes(self._seed, "little")
        digest: bytes = xxhash.xxh3_128_digest(raw, seed)
        return digest + len(raw).to_bytes(8, "little") + dtype.value.encode()

    def find(self, fingerprint: bytes, store: Store) -> StoredTensor | None:
        """The tensor, if it was stored before and all its blocks are still there."""
        stored = self._used.get(fingerprint) or self._old.get(fingerprint)
        if stored is None or not all(store.has(cid) for cid in stored.blocks):
            return None
        return stored

    def remember(self, fingerprint: bytes, stored: StoredTensor) -> None:
        """Keeps where a tensor went, for `save`."""
        with self._lock:
            self._used[fingerprint] = stored

    def save(self) -> None:
        """Writes what the last import used; call it once its blocks are durable.

        A cache that cannot be written is no error.
        """
        rows = [
            [key, one.digest.raw, one.encoding.value, b"".join(map(bytes, one.blocks))]
            for key, one in sorted(self._used.items())
        ]
        content = cbor2.dumps({"v": _VERSION, "rows": rows, "seed": self._seed})
        with suppress(OSError):
            fd, name = tempfile.mkstemp(
                dir=self._path.parent, prefix=f".{self._path.name}."
            )
            with os.fdopen(fd, "wb") as file:
                file.write(content)
            Path(name).replace(self._path)

    def _load(self) -> None:
        if self._path.stat().st_size > _MAX_FILE_SIZE:
            return
        content: dict[str, Any] = libipld.decode_dag_cbor(self._path.read_bytes())
        if content["v"] != _VERSION or len(content["seed"]) != _SEED_SIZE:
            return
        rows = {}
        for key, digest, encoding, blocks in content["rows"]:
            cids = tuple(
                Cid.from_bytes(blocks[at : at + 36]) for at in range(0, len(blocks), 36)
            )
            rows[key] = StoredTensor(Digest(digest), TensorEncodingId(encoding), cids)
        self._seed, self._old = content["seed"], rows
