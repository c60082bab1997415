"""The light form of frozen tensors: eight bits a value, beside the full form.

It is no part of a model's state: `weights_digest` does not count it, and whoever has
the full form can make it again, byte for byte.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from flair_client.arithmetic import bytes_from_values
from flair_client.encoding.rules import (
    INT8_CHUNK_VALUES,
    can_be_light,
    expected_light_blocks,
)
from flair_client.errors import ObjectInvalid
from flair_client.ids import CODEC_RAW, Digest
from flair_client.limits import MAX_RAW_BLOCK_SIZE
from flair_client.objects import Light, LightEncodingId, Manifest, TensorEntry
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.tensor_encodings import int8
from flair_client.weights.reading import value_parts


def with_light_form(
    manifest: Manifest, store: Store, *, progress: Progress = NO_PROGRESS
) -> Manifest:
    """The same weights, with a light form of every frozen tensor that can have one.

    Args:
        manifest: its full form lies in the store.
        store: takes the blocks.
        progress: counts bytes.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: the blocks are not what an entry says.
    """
    entries = []
    wanted = [entry for entry in manifest.tensors if can_be_light(entry)]
    total = sum(entry.n_bytes for entry in wanted)
    with store.batch(), progress.task("light form", total, "bytes") as task:
        for entry in manifest.tensors:
            if not can_be_light(entry):
                entries.append(replace(entry, light=None))
                continue
            if entry.light is None:
                entry = replace(entry, light=_make(manifest, entry, store))  # noqa: PLW2901 - the one that is kept
            entries.append(entry)
            task.advance(entry.n_bytes)
    return replace(manifest, tensors=tuple(entries))


def without_light_form(manifest: Manifest) -> Manifest:
    """The same weights in their full form alone."""
    tensors = tuple(replace(entry, light=None) for entry in manifest.tensors)
    return replace(manifest, tensors=tensors)


def _make(manifest: Manifest, entry: TensorEntry, store: Store) -> Light:
    digest = hashlib.sha256()
    blocks = []
    for part in value_parts(manifest, entry, store):
        chunk = int8.quantise(part)
        digest.update(chunk)
        blocks.append(store.put(CODEC_RAW, int8.pack(chunk)))
    return Light(
        encoding=LightEncodingId.INT8,
        digest=Digest(digest.digest()),
        blocks=tuple(blocks),
    )


def light_chunks(entry: TensorEntry, store: Store) -> Iterator[bytes]:
    """The tensor's bytes in its own dtype, made from its light form.

    At the end the digest of the light form is checked.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: there is no light form, or it is not what the entry says.
    """
    path = f"tensor {entry.name!r}"
    for chunk, n_values in _stored(entry, store):
        values = int8.dequantise(chunk, n_values, entry.dtype, path)
        yield bytes_from_values(values, entry.dtype)


def check_light_blocks(entry: TensorEntry, store: Store) -> None:
    """Reads the light form: all blocks there, digest right, every value a number.

    Raises:
        As `light_chunks`.
    """
    for _ in light_chunks(entry, store):
        pass


def check_light_form(manifest: Manifest, entry: TensorEntry, store: Store) -> None:
    """Makes the light form again from the full one and compares.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: they differ, or a form is not what the entry says.
    """
    if entry.light is None:
        return
    check_light_blocks(entry, store)
    digest = hashlib.sha256()
    for part in value_parts(manifest, entry, store):
        digest.update(int8.quantise(part))
    if digest.digest() != entry.light.digest.raw:
        reason = "its light form is not that of its values"
        raise ObjectInvalid(f"tensor {entry.name!r}", reason)


def light_digest(entry: TensorEntry, store: Store) -> Digest:
    """Digest of the bytes that the light form gives: those of a light checkout.

    Raises:
        As `light_chunks`.
    """
    digest = hashlib.sha256()
    for chunk in light_chunks(entry, store):
        digest.update(chunk)
    return Digest(digest.digest())


def _stored(entry: TensorEntry, store: Store) -> Iterator[tuple[bytes, int]]:
    light = entry.light
    path = f"tensor {entry.name!r}"
    if light is None or len(light.blocks) != expected_light_blocks(entry):
        raise ObjectInvalid(path, "has no light form")
    digest = hashlib.sha256()
    for i, cid in enumerate(light.blocks):
        n_values = min(INT8_CHUNK_VALUES, entry.n_values - i * INT8_CHUNK_VALUES)
        block = store.get(cid, max_size=MAX_RAW_BLOCK_SIZE)
        chunk = int8.unpack(block, n_values, path)
        digest.update(chunk)
        yield chunk, n_values
    if digest.digest() != light.digest.raw:
        raise ObjectInvalid(path, f"its light form has digest {digest.hexdigest()}")
