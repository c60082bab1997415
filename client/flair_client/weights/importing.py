"""A safetensors file into a store: one pass for each tensor, several at once."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from flair_client.arithmetic import count_not_finite, values_from_bytes
from flair_client.errors import NotFinite, ObjectTooLarge
from flair_client.ids import CODEC_RAW, Cid, Digest
from flair_client.limits import MAX_HEADER_BLOCKS, MAX_RAW_BLOCK_SIZE
from flair_client.objects import Manifest, Source, TensorEncodingId, TensorEntry
from flair_client.progress import NO_PROGRESS, Progress, Task
from flair_client.store.base import Store
from flair_client.tensor_encodings import raw as raw_encoding
from flair_client.tensor_encodings import zstd as zstd_encoding
from flair_client.weights.fingerprints import FingerprintCache, StoredTensor
from flair_client.weights.roles import RoleOf
from flair_client.weights.safetensors_file import (
    SafetensorsFile,
    TensorSpan,
    read_safetensors,
)

# Compression must save a tenth: less is not worth the time of every reader.
_MAX_COMPRESSED_SHARE = 0.9
# Looked at first, from the middle: trained floats show here that nothing is to be won.
_SAMPLE_SIZE = 64 << 10
_MIN_COMPRESSED_SIZE = 4 << 10
_MAX_JOBS = 8


def import_weights(
    path: Path,
    store: Store,
    roles: RoleOf,
    jobs: int | None = None,
    *,
    cache: FingerprintCache | None = None,
    progress: Progress = NO_PROGRESS,
) -> Manifest:
    """Puts all tensors of a file into a store; they become durable together.

    Args:
        path: the safetensors file.
        store: takes the blocks.
        roles: role of each tensor.
        jobs: threads; hashing and writing run beside each other.
        cache: finds tensors that are known already, without hashing and writing them.
        progress: counts bytes.

    Returns:
        The manifest, not put into the store. Exporting it gives the file's bytes.

    Raises:
        UsageError: the file cannot be opened.
        ObjectInvalid, ObjectTooLarge: the file is no valid safetensors file.
        NotFinite: a tensor holds NaN or infinity; names it. Nothing was stored.
        StoreFull, StoreUnavailable: from the store; nothing was stored.
    """
    n_jobs = jobs or min(len(os.sched_getaffinity(0)) + 1, _MAX_JOBS)
    with read_safetensors(path) as file, store.batch():
        total = file.header.data_size
        spans = sorted(file.header.spans.values(), key=lambda span: span.name)
        with progress.task("weights", total, "bytes") as task:
            stored = _store_all(
                file, spans, store, n_jobs=n_jobs, cache=cache, task=task
            )
        source = _store_header(file.header.raw, store)
    entries = tuple(
        _entry(span, one, roles) for span, one in zip(spans, stored, strict=True)
    )
    if cache is not None:
        cache.save()
    return Manifest(tensors=entries, source=source)


def _store_all(
    file: SafetensorsFile,
    spans: list[TensorSpan],
    store: Store,
    *,
    n_jobs: int,
    cache: FingerprintCache | None,
    task: Task,
) -> list[StoredTensor]:
    def store_one(span: TensorSpan, hashes: ThreadPoolExecutor) -> StoredTensor:
        raw = file.tensor(span.name)
        if cache is None:
            stored = _store_tensor(span, raw, store, hashes)
        else:
            fingerprint = cache.fingerprint(span.dtype, raw)
            found = cache.find(fingerprint, store)
            stored = found or _store_tensor(span, raw, store, hashes)
            cache.remember(fingerprint, stored)
        task.advance(len(raw))
        return stored

    # Two pools: who stores a tensor waits for its hash, and must not take its place.
    with (
        ThreadPoolExecutor(n_jobs) as hashes,
        ThreadPoolExecutor(n_jobs) as tensors,
    ):
        futures = [tensors.submit(store_one, span, hashes) for span in spans]
        return _results(futures)


def _results(futures: list[Future[StoredTensor]]) -> list[StoredTensor]:
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()


def _store_tensor(
    span: TensorSpan, raw: memoryview, store: Store, hashes: ThreadPoolExecutor
) -> StoredTensor:
    """Blocks and digest of one tensor, at the same time when it has several blocks."""
    if len(raw) <= raw_encoding.CHUNK_SIZE:
        digest = _check_and_hash(span, raw)
        encoding, blocks = _store_blocks(raw, store)
    else:
        future = hashes.submit(_check_and_hash, span, raw)
        try:
            encoding, blocks = _store_blocks(raw, store)
        finally:
            digest = future.result()
    return StoredTensor(digest, encoding, blocks)


def _check_and_hash(span: TensorSpan, raw: memoryview) -> Digest:
    digest = hashlib.sha256()
    n_bad = 0
    for chunk in _chunks(raw):
        digest.update(chunk)
        n_bad += count_not_finite(values_from_bytes(chunk, span.dtype))
    if n_bad:
        raise NotFinite(span.name, n_bad)
    return Digest(digest.digest())


def _store_blocks(
    raw: memoryview, store: Store
) -> tuple[TensorEncodingId, tuple[Cid, ...]]:
    packed = _compressed(raw)
    if packed is not None:
        blocks = tuple(store.put(CODEC_RAW, block) for block in packed)
        return TensorEncodingId.ZSTD, blocks
    blocks = tuple(store.put(CODEC_RAW, chunk) for chunk in _chunks(raw))
    return TensorEncodingId.RAW, blocks


def _compressed(raw: memoryview) -> list[bytes] | None:
    """The chunks as frames, or None where that saves too little."""
    if len(raw) < _MIN_COMPRESSED_SIZE:
        return None
    middle = max(0, len(raw) // 2 - _SAMPLE_SIZE // 2)
    sample = raw[middle : middle + _SAMPLE_SIZE]
    if len(zstd_encoding.pack(sample)) > _MAX_COMPRESSED_SHARE * len(sample):
        return None
    frames: list[bytes] = []
    left = _MAX_COMPRESSED_SHARE * len(raw)
    for chunk in _chunks(raw):
        frame = zstd_encoding.pack(chunk)
        left -= len(frame)
        if left < 0 or len(frame) > MAX_RAW_BLOCK_SIZE:
            return None
        frames.append(frame)
    return frames


def _chunks(raw: memoryview) -> list[memoryview]:
    size = raw_encoding.CHUNK_SIZE
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def _store_header(raw: bytes, store: Store) -> Source:
    chunks = _chunks(memoryview(raw))
    if len(chunks) > MAX_HEADER_BLOCKS:
        limit = MAX_HEADER_BLOCKS * raw_encoding.CHUNK_SIZE
        raise ObjectTooLarge("header", len(raw), limit)
    blocks = tuple(store.put(CODEC_RAW, chunk) for chunk in chunks)
    return Source(header_size=len(raw), blocks=blocks)


def _entry(span: TensorSpan, stored: StoredTensor, roles: RoleOf) -> TensorEntry:
    return TensorEntry(
        name=span.name,
        dtype=span.dtype,
        shape=span.shape,
        role=roles(span.name, span.dtype),
        digest=stored.digest,
        encoding=stored.encoding,
        blocks=stored.blocks,
    )
