"""Builders of small valid objects for everybody's tests; each field can be replaced."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flair_client.arithmetic import bytes_from_values
from flair_client.delta import DeltaTerms, write_delta
from flair_client.encoding import sign_commit
from flair_client.encoding.rules import RAW_CHUNK_SIZE
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address, Cid, CommitId, Digest
from flair_client.objects import (
    Commit,
    CommitKind,
    Delta,
    DType,
    Manifest,
    Revert,
    RevertKind,
    Role,
    StrategyRecord,
    TensorEncodingId,
    TensorEntry,
)
from flair_client.store.base import Store

_NUMPY_DTYPES = {
    np.dtype(np.float64): DType.F64,
    np.dtype(np.float32): DType.F32,
    np.dtype(np.float16): DType.F16,
    np.dtype(np.int64): DType.I64,
    np.dtype(np.int32): DType.I32,
    np.dtype(np.uint8): DType.U8,
    np.dtype(np.bool_): DType.BOOL,
}


def make_key(n: int = 1) -> Ed25519PrivateKey:
    """The n-th test key."""
    return Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)


def make_address(n: int = 1) -> Address:
    """The address of `make_key(n)`."""
    return Address(make_key(n).public_key().public_bytes_raw())


def make_digest(n: int = 1) -> Digest:
    """A digest that is easy to see."""
    return Digest(bytes([n]) * 32)


def make_commit_id(n: int = 1) -> CommitId:
    """A commit id that is easy to see; they sort as their numbers."""
    return CommitId(bytes([n]) * 32)


def make_cid(n: int = 1, codec: int = CODEC_DAG_CBOR) -> Cid:
    """A CID that is easy to see."""
    return Cid(codec, bytes([n]) * 32)


def make_commit(kind: CommitKind = CommitKind.UPDATE, **fields: Any) -> Commit:
    """A commit with exactly the fields that its kind demands, without a signature."""
    needed: dict[CommitKind, dict[str, Any]] = {
        CommitKind.ROOT: {
            "weights": make_cid(11),
            "recipe": make_cid(12),
            "events": make_cid(13),
        },
        CommitKind.UPDATE: {
            "parents": (make_commit_id(1),),
            "delta": make_cid(14),
            "policy": make_digest(15),
            "round_index": 1,
        },
        CommitKind.MERGE: {
            "parents": (make_commit_id(9), make_commit_id(2), make_commit_id(3)),
            "weights": make_cid(11),
            "policy": make_digest(15),
            "round_index": 1,
            "strategy": StrategyRecord(
                id="fedavg", params={"eta_q24": 1 << 24}, weights=(1, 4)
            ),
            "events": make_cid(13),
        },
        CommitKind.REVERT: {
            "parents": (make_commit_id(1),),
            "weights": make_cid(11),
            "events": make_cid(13),
            "reverts": Revert(kind=RevertKind.MERGE, commit=make_commit_id(1)),
        },
        CommitKind.SNAPSHOT: {
            "parents": (make_commit_id(1),),
            "weights": make_cid(11),
            "events": make_cid(13),
        },
    }
    values: dict[str, Any] = {
        "repo": make_address(101),
        "branch": "main",
        "author": make_address(1),
        "message": "train on site one",
        "time": 1_750_000_000,
    }
    return Commit(kind=kind, **{**values, **needed[kind], **fields})


def sign(commit: Commit, n: int = 1) -> Commit:
    """The commit signed with the n-th test key, which must be its author's."""
    return sign_commit(commit, make_address(n), make_key(n).sign)


def make_entry(
    store: Store, name: str, values: npt.NDArray[Any], role: Role = Role.TRAIN
) -> TensorEntry:
    """A tensor with encoding `raw`."""
    dtype = _NUMPY_DTYPES[values.dtype]
    raw = bytes_from_values(values, dtype)
    chunks = [
        raw[at : at + RAW_CHUNK_SIZE] for at in range(0, len(raw), RAW_CHUNK_SIZE)
    ]
    return TensorEntry(
        name=name,
        dtype=dtype,
        shape=tuple(values.shape),
        role=role,
        digest=Digest(hashlib.sha256(raw).digest()),
        encoding=TensorEncodingId.RAW,
        blocks=tuple(store.put(CODEC_RAW, chunk) for chunk in chunks),
    )


def make_manifest(
    store: Store,
    tensors: dict[str, npt.NDArray[Any]],
    roles: dict[str, Role] | None = None,
) -> Manifest:
    """A manifest of small tensors; they are trained unless `roles` says otherwise."""
    roles = roles or {}
    return Manifest(
        tensors=tuple(
            make_entry(store, name, tensors[name], roles.get(name, Role.TRAIN))
            for name in sorted(tensors)
        )
    )


def make_delta(
    store: Store,
    tensors: dict[str, npt.NDArray[np.int16]],
    *,
    contributor: int = 1,
    bits: int = 16,
    scale_exp: int = -10,
    base: CommitId | None = None,
) -> Delta:
    """A delta of these integers by the n-th test key's wallet."""
    terms = DeltaTerms(
        repo=make_address(101),
        branch="main",
        contributor=make_address(contributor),
        round_index=1,
        base=base or make_commit_id(1),
        policy=make_digest(15),
        bits=bits,
        scale_exp=scale_exp,
    )
    return write_delta(store, terms, tensors)
