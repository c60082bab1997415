"""Bytes that must never change, confirmed by a second library and a second signer."""

import base64
import hashlib
import json
from pathlib import Path

import dag_cbor
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from multiformats import CID

from flair_client.encoding import (
    commit_id,
    decode_commit,
    decode_delta,
    decode_event_list,
    decode_manifest,
    decode_recipe,
    encode_commit,
    encode_delta,
    encode_event_list,
    encode_manifest,
    encode_recipe,
    encode_unsigned_commit,
    object_cid,
    signing_text,
    weights_digest,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "objects.json").read_text(encoding="utf-8")
)
CODERS = {
    "commit": (encode_commit, decode_commit),
    "manifest": (encode_manifest, decode_manifest),
    "delta": (encode_delta, decode_delta),
    "events": (encode_event_list, decode_event_list),
    "recipe": (encode_recipe, decode_recipe),
}
objects = pytest.mark.parametrize(
    "vector", VECTORS["objects"], ids=lambda v: f"{v['kind']}: {v['name']}"
)
signatures = pytest.mark.parametrize(
    "vector", VECTORS["signatures"], ids=lambda v: v["name"]
)


def from_dag_json(value):
    if isinstance(value, dict):
        if value.keys() == {"/"}:
            inner = value["/"]
            if isinstance(inner, str):
                return CID.decode(inner)
            text = inner["bytes"]
            return base64.b64decode(text + "=" * (-len(text) % 4))
        return {key: from_dag_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_dag_json(item) for item in value]
    return value


@objects
def test_a_second_library_writes_the_same_bytes(vector):
    block = dag_cbor.encode(from_dag_json(vector["object"]))

    assert block.hex() == vector["bytes"]
    assert hashlib.sha256(block).hexdigest() == vector["digest"]


@objects
def test_a_second_library_reads_the_same_values(vector):
    value = dag_cbor.decode(bytes.fromhex(vector["bytes"]))

    assert value == from_dag_json(vector["object"])


@objects
def test_a_second_library_names_the_same_cid(vector):
    digest = bytes.fromhex(vector["digest"])

    cid = CID("base32", 1, "dag-cbor", ("sha2-256", digest))

    assert str(cid) == vector["cid"] == str(object_cid(bytes.fromhex(vector["bytes"])))


@objects
def test_bytes_are_read_and_written_again(vector):
    encode, decode = CODERS[vector["kind"]]
    block = bytes.fromhex(vector["bytes"])

    assert encode(decode(block)) == block


@signatures
def test_the_signature_is_of_the_text_by_another_signer(vector):
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"]))
    digest = hashlib.sha256(bytes.fromhex(vector["unsigned"])).hexdigest()

    assert vector["text"] == f"flair commit v1 {digest}"
    assert key.public_key().public_bytes_raw().hex() == vector["author"]
    assert key.sign(vector["text"].encode()).hex() == vector["signature"]
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vector["author"]))
    public.verify(bytes.fromhex(vector["signature"]), vector["text"].encode())


@signatures
def test_the_signed_bytes_are_the_commit_without_its_signature(vector):
    unsigned = dag_cbor.decode(bytes.fromhex(vector["unsigned"]))
    signed = unsigned | {"signature": bytes.fromhex(vector["signature"])}

    block = dag_cbor.encode(signed)
    commit = decode_commit(block)

    assert hashlib.sha256(block).hexdigest() == vector["commit_id"]
    assert str(commit_id(block)) == vector["commit_id"]
    assert signing_text(commit).decode() == vector["text"]


def test_every_kind_of_commit_has_a_vector():
    kinds = {v["object"]["kind"] for v in VECTORS["objects"] if v["kind"] == "commit"}

    assert kinds == {"root", "update", "merge", "revert", "snapshot"}


def test_the_weights_digest_is_of_the_rows():
    (vector,) = (
        v
        for v in VECTORS["objects"]
        if v["name"] == "two tensors" and v["kind"] == "manifest"
    )
    manifest = from_dag_json(vector["object"])
    rows = [
        [
            t[field]
            for field in ("name", "dtype", "shape", "role", "digest", "fixed_digest")
            if field in t
        ]
        for t in manifest["tensors"]
    ]
    text = b"flair-weights-v1\n" + dag_cbor.encode([manifest["scale_exp"], rows])

    assert hashlib.sha256(text).hexdigest() == VECTORS["weights_digest"]
    block = bytes.fromhex(vector["bytes"])
    assert str(weights_digest(decode_manifest(block))) == VECTORS["weights_digest"]


def test_an_unsigned_commit_is_encoded_as_in_the_vectors():
    from dataclasses import replace

    for vector, signature in zip(
        VECTORS["objects"], VECTORS["signatures"], strict=False
    ):
        commit = decode_commit(bytes.fromhex(vector["bytes"]))
        unsigned = encode_unsigned_commit(replace(commit, signature=b""))
        assert unsigned.hex() == signature["unsigned"]
