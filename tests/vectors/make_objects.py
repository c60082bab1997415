"""Writes objects.json: one of each object, its DAG-JSON form, bytes and digest.

Run it only when the format changes on purpose; the tests confirm the bytes with another
library. `python tests/vectors/make_objects.py`
"""

import base64
import hashlib
import json
from pathlib import Path

import cbor2
from cbor2 import CBORTag

from flair_client.encoding import (
    commit_id,
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
from flair_client.ids import CODEC_RAW, Address, Cid
from flair_client.objects import (
    CommitKind,
    Delta,
    DeltaEncodingId,
    DeltaTensor,
    DType,
    EventList,
    Light,
    LightEncodingId,
    Manifest,
    Privacy,
    Recipe,
    RecipeFile,
    Revert,
    RevertKind,
    Role,
    Source,
    StrategyRecord,
    TensorEncodingId,
    TensorEntry,
    Training,
)
from flair_client.testing_objects import (
    make_address,
    make_cid,
    make_commit,
    make_commit_id,
    make_digest,
    make_key,
    sign,
)

# Bytes that look like a CID, so that no writer may take them for a link.
LOOKS_LIKE_A_CID = Address(bytes.fromhex("01551220") + b"a" * 28)
RAW = make_cid(21, CODEC_RAW)

COMMITS = {
    "root": make_commit(CommitKind.ROOT, message="first weights"),
    "update": make_commit(
        training=Training(samples_bucket=256, epochs=3, framework="numpy 2.1", seed=7),
        metrics={"auc": 0.75, "log_loss": 0.5, "accuracy": 1.0},
        privacy=Privacy(
            mode="public", clip=1.5, epsilon=2.0, delta=1e-5, accountant="rdp"
        ),
        message="two lines\nwith ümlauts and 𝄞",
    ),
    "update of a repository that looks like a CID": make_commit(repo=LOOKS_LIKE_A_CID),
    "merge": make_commit(CommitKind.MERGE, report=RAW),
    "merge of models": make_commit(
        CommitKind.MERGE,
        policy=None,
        round_index=None,
        strategy=StrategyRecord(
            id="dare_ties",
            params={"density_e9": 500_000_000, "seed": 7},
            weights=(10**9, -300_000_000),
            base=make_commit_id(1),
        ),
    ),
    "revert": make_commit(
        CommitKind.REVERT,
        reverts=Revert(
            kind=RevertKind.CONTRIBUTOR,
            commit=make_commit_id(4),
            update=make_commit_id(5),
        ),
    ),
    "snapshot": make_commit(CommitKind.SNAPSHOT, time=253_402_300_799),
}
MANIFEST = Manifest(
    tensors=(
        TensorEntry(
            name="embed",
            dtype=DType.I64,
            shape=(),
            role=Role.FROZEN,
            digest=make_digest(31),
            encoding=TensorEncodingId.RAW,
            blocks=(RAW,),
        ),
        TensorEntry(
            name="linear.weight",
            dtype=DType.F32,
            shape=(3, 50_000),
            role=Role.TRAIN,
            digest=make_digest(32),
            encoding=TensorEncodingId.FIXED,
            blocks=(RAW, make_cid(22, CODEC_RAW), make_cid(23, CODEC_RAW)),
            fixed_digest=make_digest(33),
        ),
    ),
    scale_exp=-16,
    source=Source(header_size=120, blocks=(make_cid(24, CODEC_RAW),)),
)
DELTA = Delta(
    repo=make_address(101),
    branch="main",
    contributor=make_address(1),
    round_index=2**40,
    base=make_commit_id(1),
    policy=make_digest(15),
    bits=13,
    scale_exp=-16,
    norm_sq=2**63 - 1,
    tensors=(
        DeltaTensor(
            name="linear.bias",
            shape=(1,),
            encoding=DeltaEncodingId.ZERO,
            digest=make_digest(41),
            blocks=(),
        ),
        DeltaTensor(
            name="linear.weight",
            shape=(3, 50_000),
            encoding=DeltaEncodingId.DENSE,
            digest=make_digest(42),
            blocks=(RAW,),
        ),
    ),
)
LIGHT = Manifest(
    tensors=(
        TensorEntry(
            name="base",
            dtype=DType.BF16,
            shape=(513, 512),
            role=Role.FROZEN,
            digest=make_digest(61),
            encoding=TensorEncodingId.RAW,
            blocks=(RAW,),
            light=Light(
                encoding=LightEncodingId.INT8,
                digest=make_digest(62),
                blocks=(make_cid(63, CODEC_RAW), make_cid(64, CODEC_RAW)),
            ),
        ),
    ),
)
EVENTS = EventList(first_seq=7, events=(b"\x01" * 129, bytes(range(200))))
RECIPE = Recipe(
    files=(
        RecipeFile(path="CARD.md", size=0, cid=make_cid(51, CODEC_RAW)),
        RecipeFile(path="flair.toml", size=1_048_576, cid=make_cid(52, CODEC_RAW)),
    )
)


def dag_json(value: object) -> object:
    """The standard JSON form of IPLD data: links and bytes as `{"/": …}`."""
    if isinstance(value, CBORTag):
        return {"/": str(Cid.from_bytes(value.value[1:]))}
    if isinstance(value, bytes):
        text = base64.b64encode(value).decode().rstrip("=")
        return {"/": {"bytes": text}}
    if isinstance(value, dict):
        return {key: dag_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [dag_json(item) for item in value]
    return value


def describe(kind: str, name: str, block: bytes) -> dict[str, object]:
    """One vector."""
    return {
        "kind": kind,
        "name": name,
        "object": dag_json(cbor2.loads(block)),
        "bytes": block.hex(),
        "digest": hashlib.sha256(block).hexdigest(),
        "cid": str(object_cid(block)),
    }


def make_vectors() -> dict[str, object]:
    """Everything in the file."""
    objects = []
    signatures = []
    for name, commit in COMMITS.items():
        signed = sign(commit)
        block = encode_commit(signed)
        objects.append(describe("commit", name, block))
        signatures.append(
            {
                "name": name,
                "seed": make_key(1).private_bytes_raw().hex(),
                "author": bytes(commit.author).hex(),
                "unsigned": encode_unsigned_commit(commit).hex(),
                "text": signing_text(commit).decode("ascii"),
                "signature": signed.signature.hex(),
                "commit_id": str(commit_id(block)),
            }
        )
    objects.append(describe("manifest", "two tensors", encode_manifest(MANIFEST)))
    objects.append(describe("manifest", "a light form", encode_manifest(LIGHT)))
    objects.append(describe("delta", "two tensors", encode_delta(DELTA)))
    objects.append(describe("events", "two events", encode_event_list(EVENTS)))
    objects.append(describe("recipe", "two files", encode_recipe(RECIPE)))
    return {
        "objects": objects,
        "signatures": signatures,
        "weights_digest": str(weights_digest(MANIFEST)),
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("objects.json")
    text = json.dumps(make_vectors(), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
