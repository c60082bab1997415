"""Checks that weights are all there, and that two manifests name the same state."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from flair_client.encoding import decode_manifest
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    NotFinite,
    ObjectError,
    VerificationError,
)
from flair_client.ids import Cid
from flair_client.objects import Manifest, TensorEntry
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.weights import load_tensor


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
    known: set[Cid] | None = None,
    progress: Progress = NO_PROGRESS,
) -> None:
    """Reads every tensor, one at a time: all blocks there, digests right, finite.

    Args:
        store: where the blocks lie.
        manifest: the weights.
        known: first blocks of tensors that were read before; added to.
        progress: counts tensors.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectError: a tensor does not decode to what its entry says, or is not finite.
    """
    known = set() if known is None else known
    with progress.task("weights", len(manifest.tensors), "tensors") as task:
        for entry in manifest.tensors:
            if not entry.blocks or not known.issuperset(entry.blocks):
                _verify_tensor(store, manifest, entry)
                known.update(entry.blocks)
            task.advance(1)
        if manifest.source is not None:
            for cid in manifest.source.blocks:
                store.get(cid)


def _verify_tensor(store: Store, manifest: Manifest, entry: TensorEntry) -> None:
    values = load_tensor(manifest, entry, store)
    if entry.dtype.is_float:
        n_bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if n_bad:
            raise NotFinite(entry.name, n_bad)


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
    if theirs:
        return f"tensor {min(theirs)!r} should not be there"
    if expected.source != actual.source:
        return "the safetensors header is not the parent's"
    return None
