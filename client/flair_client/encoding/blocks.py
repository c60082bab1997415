"""Objects to canonical bytes and back; the only place that knows the format.

DAG-CBOR is written by `cbor2` and read by `libipld`. Not both by `libipld`: its writer
makes a link of any byte string that happens to look like a CID, which one digest or
signature in a thousand does.
"""

import hashlib
from typing import Any

import cbor2
import libipld

from flair_client.encoding.records import Record
from flair_client.encoding.schemas import (
    COMMIT_SCHEMA,
    DELTA_SCHEMA,
    EVENT_LIST_SCHEMA,
    MANIFEST_SCHEMA,
    RECIPE_SCHEMA,
    UNSIGNED_COMMIT_SCHEMA,
)
from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.ids import CODEC_DAG_CBOR, Cid, CommitId, Digest, block_cid
from flair_client.limits import (
    MAX_COMMIT_SIZE,
    MAX_OBJECT_SIZE,
    MAX_RECIPE_SIZE,
)
from flair_client.objects import Commit, Delta, EventList, Manifest, Recipe


def object_cid(block: bytes) -> Cid:
    """The CID of an encoded object."""
    return block_cid(CODEC_DAG_CBOR, block)


def commit_id(block: bytes) -> CommitId:
    """The id of an encoded commit."""
    return CommitId(hashlib.sha256(block).digest())


def encode_commit(commit: Commit) -> bytes:
    """Canonical bytes of a signed commit.

    Raises:
        ObjectInvalid: a rule of docs/protocol.md is broken; names the place.
        ObjectTooLarge: more than the limit.
    """
    return _encode(COMMIT_SCHEMA, commit, "commit", MAX_COMMIT_SIZE)


def encode_unsigned_commit(commit: Commit) -> bytes:
    """Canonical bytes of a commit without its signature: what is signed.

    Raises:
        ObjectInvalid: as `encode_commit`; also when it has a signature.
    """
    if commit.signature:
        raise ObjectInvalid("commit.signature", "the commit is signed already")
    plain = UNSIGNED_COMMIT_SCHEMA.to_plain(commit, "commit")
    del plain["signature"]
    return _dump(plain, "commit", MAX_COMMIT_SIZE)


def decode_commit(block: bytes) -> Commit:
    """Reads a signed commit strictly; the signature itself is not verified.

    Raises:
        ObjectInvalid: not canonical DAG-CBOR of a commit that keeps every rule.
        ObjectTooLarge: refused before decoding.
    """
    commit: Commit = _decode(COMMIT_SCHEMA, block, "commit", MAX_COMMIT_SIZE)
    return commit


def encode_manifest(manifest: Manifest) -> bytes:
    """Canonical bytes of a manifest. Raises as `encode_commit`."""
    return _encode(MANIFEST_SCHEMA, manifest, "manifest", MAX_OBJECT_SIZE)


def decode_manifest(block: bytes) -> Manifest:
    """Reads a manifest strictly. Raises as `decode_commit`."""
    manifest: Manifest = _decode(MANIFEST_SCHEMA, block, "manifest", MAX_OBJECT_SIZE)
    return manifest


def encode_delta(delta: Delta) -> bytes:
    """Canonical bytes of a delta. Raises as `encode_commit`."""
    return _encode(DELTA_SCHEMA, delta, "delta", MAX_OBJECT_SIZE)


def decode_delta(block: bytes) -> Delta:
    """Reads a delta strictly. Raises as `decode_commit`."""
    delta: Delta = _decode(DELTA_SCHEMA, block, "delta", MAX_OBJECT_SIZE)
    return delta


def encode_event_list(event_list: EventList) -> bytes:
    """Canonical bytes of a list of events. Raises as `encode_commit`."""
    return _encode(EVENT_LIST_SCHEMA, event_list, "events", MAX_OBJECT_SIZE)


def decode_event_list(block: bytes) -> EventList:
    """Reads a list of events strictly. Raises as `decode_commit`."""
    events: EventList = _decode(EVENT_LIST_SCHEMA, block, "events", MAX_OBJECT_SIZE)
    return events


def encode_recipe(recipe: Recipe) -> bytes:
    """Canonical bytes of a recipe. Raises as `encode_commit`."""
    return _encode(RECIPE_SCHEMA, recipe, "recipe", MAX_RECIPE_SIZE)


def decode_recipe(block: bytes) -> Recipe:
    """Reads a recipe strictly. Raises as `decode_commit`."""
    recipe: Recipe = _decode(RECIPE_SCHEMA, block, "recipe", MAX_RECIPE_SIZE)
    return recipe


def weights_digest(manifest: Manifest) -> Digest:
    """Names the state of a model, however its tensors are stored.

    Over the canonical list of (name, dtype, shape, role, digest) in name order. Where a
    tensor is held as exact integers, its `fixed_digest` is a sixth item: integers that
    round to the same floats are different states, and merge to different ones.
    """
    rows = []
    for entry in manifest.tensors:
        row: list[Any] = [entry.name, entry.dtype.value, list(entry.shape)]
        row += [entry.role.value, bytes(entry.digest)]
        if entry.fixed_digest is not None:
            row.append(bytes(entry.fixed_digest))
        rows.append(row)
    text = b"flair-weights-v1\n" + cbor2.dumps([manifest.scale_exp, rows])
    return Digest(hashlib.sha256(text).digest())


def _encode(schema: Record, value: Any, path: str, limit: int) -> bytes:
    return _dump(schema.to_plain(value, path), path, limit)


def _dump(plain: Any, path: str, limit: int) -> bytes:
    block = cbor2.dumps(plain)
    if len(block) > limit:
        raise ObjectTooLarge(path, len(block), limit)
    return block


def _decode(schema: Record, block: bytes, path: str, limit: int) -> Any:
    if len(block) > limit:
        raise ObjectTooLarge(path, len(block), limit)
    try:
        plain = libipld.decode_dag_cbor(block)
    except (ValueError, RecursionError) as exc:
        raise ObjectInvalid(path, f"not DAG-CBOR: {exc}") from exc
    value = schema.from_plain(plain, path)
    if _dump(schema.to_plain(value, path), path, limit) != block:
        raise ObjectInvalid(path, "not canonical")
    return value
