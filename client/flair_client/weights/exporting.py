"""A manifest out of a store into a safetensors file, one chunk at a time."""

from collections.abc import Iterator
from pathlib import Path

from flair_client.errors import ObjectInvalid
from flair_client.limits import MAX_RAW_BLOCK_SIZE
from flair_client.objects import Manifest, Source
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.weights.light_form import light_chunks
from flair_client.weights.reading import tensor_chunks
from flair_client.weights.replacing import naming_path, replacing
from flair_client.weights.safetensors_file import (
    LENGTH_SIZE,
    Header,
    build_header,
    parse_header,
)


def export_weights(
    manifest: Manifest,
    store: Store,
    path: Path,
    *,
    header: Header | None = None,
    takes_light: bool = False,
    progress: Progress = NO_PROGRESS,
) -> None:
    """Writes the weights as a safetensors file: whole, or not at all.

    With a source the file has its order and metadata; a root comes out as it went in,
    byte for byte.

    Args:
        manifest: the weights.
        store: where the blocks lie.
        path: replaced when the new file is complete and on the disk.
        header: of the same tensors, to be written instead of the source's.
        takes_light: write what a tensor's light form gives, where there is one; its
            full form is not read.
        progress: counts bytes.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks or the header are not what the manifest says.
        StoreFull: no room for the file.
        UsageError: the file cannot be written.
    """
    chosen = header_of(manifest, store) if header is None else header
    with naming_path(path), replacing(path) as file:
        total = LENGTH_SIZE + len(chosen.raw) + chosen.data_size
        with progress.task("export", total, "bytes") as task:
            for chunk in _file_chunks(manifest, chosen, store, takes_light):
                file.write(chunk)
                task.advance(len(chunk))


def _file_chunks(
    manifest: Manifest, header: Header, store: Store, takes_light: bool
) -> Iterator[bytes]:
    yield len(header.raw).to_bytes(LENGTH_SIZE, "little")
    yield header.raw
    entries = manifest.by_name()
    for name in header.spans:
        if takes_light and entries[name].light is not None:
            yield from light_chunks(entries[name], store)
        else:
            yield from tensor_chunks(manifest, entries[name], store)


def header_of(manifest: Manifest, store: Store) -> Header:
    """The header that an export has: that of the source, where there is one.

    Raises:
        BlockMissing, DigestMismatch: a block of it is not there or not itself.
        ObjectInvalid: it does not fit the manifest.
    """
    if manifest.source is None:
        return build_header((e.name, e.dtype, e.shape) for e in manifest.tensors)
    header = parse_header(_read_source(manifest.source, store), "manifest.source")
    declared = {(s.name, s.dtype, s.shape) for s in header.spans.values()}
    if declared != {(e.name, e.dtype, e.shape) for e in manifest.tensors}:
        reason = "its tensors are not those of the manifest"
        raise ObjectInvalid("manifest.source", reason)
    return header


def _read_source(source: Source, store: Store) -> bytes:
    raw = b"".join(store.get(c, max_size=MAX_RAW_BLOCK_SIZE) for c in source.blocks)
    if len(raw) != source.header_size:
        reason = f"{len(raw)} bytes instead of {source.header_size}"
        raise ObjectInvalid("manifest.source", reason)
    return raw
