"""Checks that weights are all there, and that two manifests name the same state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from flair_client.encoding import decode_manifest
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    NotFinite,
    ObjectError,
    VerificationError,
)
from flair_client.ids import Cid, Digest
from flair_client.objects import Manifest, Role, TensorEntry
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.store.bulk import bring_near
from flair_client.weights import load_tensor
from flair_client.weights.light_form import check_light_blocks, check_light_form

# A tensor as it lies in blocks, the scale of its integers, and which form was read.
KnownTensor: TypeAlias = tuple[TensorEntry, int | None, bool]


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Turns what is wrong with an object or block into a verdict that names the place.

    A store or RPC that does not answer is no verdict and goes through.
    """
    try:
        yield
    except (ObjectError, BlockMissing, DigestMismatch) as exc:
        raise VerificationError(where, str(exc)) from exc


def read_manifest(store: Store, cid: Cid) -> Manifest:
    """Reads and decodes the manifest of a commit's weights."""
    return decode_manifest(store.get(cid))


def verify_complete(
    store: Store,
    manifest: Manifest,
    *,
    known: set[KnownTensor] | None = None,
    takes_light: bool = False,
    progress: Progress = NO_PROGRESS,
) -> None:
    """Reads every tensor, one at a time: all blocks there, digests right, finite.

    Args:
        store: where the blocks lie.
        manifest: the weights.
        known: tensors that were read before; added to.
        takes_light: whether a tensor's light form, where there is one, will do. It is
            not compared with the full form then.
        progress: counts tensors.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectError: a tensor does not decode to what its entry says, or is not finite.
    """
    known = set() if known is None else known
    bring_near(store, _to_read(manifest, known, takes_light=takes_light))
    with progress.task("weights", len(manifest.tensors), "tensors") as task:
        for entry in manifest.tensors:
            key = _key(manifest, entry, takes_light=takes_light)
            if key not in known:
                _verify_tensor(store, manifest, entry, takes_light=takes_light)
                known.add(key)
            task.advance(1)
        if manifest.source is not None:
            for cid in manifest.source.blocks:
                store.get(cid)


def _to_read(
    manifest: Manifest, known: set[KnownTensor], *, takes_light: bool
) -> Iterator[Cid]:
    for entry in manifest.tensors:
        if _key(manifest, entry, takes_light=takes_light) in known:
            continue
        if entry.light is not None:
            yield from entry.light.blocks
        if entry.light is None or not takes_light:
            yield from entry.blocks


def _key(manifest: Manifest, entry: TensorEntry, *, takes_light: bool) -> KnownTensor:
    """Everything that what was read depends on; names and roles play no part."""
    scale_exp = None if entry.fixed_digest is None else manifest.scale_exp
    same = replace(entry, name="", role=Role.FROZEN)
    return same, scale_exp, takes_light


def _verify_tensor(
    store: Store, manifest: Manifest, entry: TensorEntry, *, takes_light: bool
) -> None:
    if takes_light and entry.light is not None:
        check_light_blocks(entry, store)
        return
    values = load_tensor(manifest, entry, store)
    if entry.dtype.is_float:
        n_bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if n_bad:
            raise NotFinite(entry.name, n_bad)
    check_light_form(manifest, entry, store)


def first_difference(  # noqa: PLR0911 - one per way to differ
    expected: Manifest, actual: Manifest
) -> str | None:
    """Says where two manifests name different states; None where they do not.

    Blocks are not compared: the same integers may be packed differently.
    """
    if expected.scale_exp != actual.scale_exp:
        return f"scale_exp is {actual.scale_exp} instead of {expected.scale_exp}"
    theirs = actual.by_name()
    for entry in expected.tensors:
        other = theirs.pop(entry.name, None)
        if other is None:
            return f"tensor {entry.name!r} is missing"
        if (other.dtype, other.shape) != (entry.dtype, entry.shape):
            return (
                f"tensor {entry.name!r} is {other.dtype} {list(other.shape)} "
                f"instead of {entry.dtype} {list(entry.shape)}"
            )
        if (other.role, other.encoding) != (entry.role, entry.encoding):
            return f"tensor {entry.name!r} has another role or encoding"
        if (other.digest, other.fixed_digest) != (entry.digest, entry.fixed_digest):
            return f"tensor {entry.name!r} is not what recomputing gives"
        if _light_digest(other) != _light_digest(entry):
            return f"tensor {entry.name!r} has another light form"
    if theirs:
        return f"tensor {min(theirs)!r} should not be there"
    if expected.source != actual.source:
        return "the safetensors header is not the parent's"
    return None


def _light_digest(entry: TensorEntry) -> Digest | None:
    return None if entry.light is None else entry.light.digest
