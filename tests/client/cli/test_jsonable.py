import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag
from pathlib import Path
from typing import Literal

import pytest

from flair_client.cli.jsonable import envelope, json_schema, to_json
from flair_client.ids import CODEC_RAW, Address, Cid, CommitId, Digest


class Color(Enum):
    DARK_RED = 1


class Right(IntFlag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Inner:
    address: Address
    weight: float


@dataclass(frozen=True)
class Outer:
    inner: tuple[Inner, ...]
    path: Path
    color: Color
    right: Right
    head: CommitId | None
    names: Mapping[int, str]
    kind: Literal["a", "b"]
    raw: bytes
    big: int


VALUE = Outer(
    inner=(Inner(Address(bytes(32)), 0.5), Inner(Address(bytes(32)), math.nan)),
    path=Path("a/x"),
    color=Color.DARK_RED,
    right=Right.READ | Right.WRITE,
    head=None,
    names={1: "one"},
    kind="a",
    raw=b"\x01\xff",
    big=2**128 - 1,
)


def test_a_value_becomes_plain_json():
    assert json.loads(json.dumps(to_json(VALUE), allow_nan=False)) == {
        "inner": [
            {"address": "1" * 32, "weight": 0.5},
            {"address": "1" * 32, "weight": None},
        ],
        "path": "a/x",
        "color": "dark-red",
        "right": ["read", "write"],
        "head": None,
        "names": {"1": "one"},
        "kind": "a",
        "raw": "01ff",
        "big": 2**128 - 1,
    }


def test_identifiers_have_their_usual_text():
    digest = bytes(range(32))

    assert to_json(Digest(digest)) == digest.hex()
    assert to_json(CommitId(digest)) == digest.hex()
    assert to_json(Cid(CODEC_RAW, digest)) == str(Cid(CODEC_RAW, digest))
    assert to_json(Address(digest)) == str(Address(digest))


def test_a_value_without_a_rule_is_refused():
    with pytest.raises(TypeError, match="set"):
        to_json({1, 2})


def test_schema_follows_the_fields():
    schema = json_schema(Outer)

    assert schema["required"] == list(to_json(VALUE))
    properties = schema["properties"]
    assert properties["inner"]["items"]["properties"]["address"] == {"type": "string"}
    assert properties["head"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert properties["color"] == {"enum": ["dark-red"]}
    assert properties["right"]["items"] == {"enum": ["read", "write"]}
    assert properties["names"]["additionalProperties"] == {"type": "string"}
    assert properties["kind"] == {"enum": ["a", "b"]}
    assert properties["big"] == {"type": "integer"}


def test_envelope_is_ok_only_with_exit_code_0():
    assert envelope("x")["status"] == "ok"
    assert envelope("x", exit_code=1)["status"] == "error"
