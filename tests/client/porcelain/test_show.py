"""Reports of merges are somebody's JSON: read with care, shown with more."""

import json
from dataclasses import replace

import pytest

from flair_client.cli.show import shown_text
from flair_client.cli.text import width
from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.ids import CODEC_RAW, Address, CommitId, Digest
from flair_client.objects import CommitKind, StrategyRecord
from flair_client.porcelain.show import Shown, read_report
from flair_client.store import MemoryStore

SHOWN = Shown(
    commit=CommitId(bytes([1]) * 32),
    names=("HEAD", "main"),
    kind=CommitKind.MERGE,
    repo=Address(bytes([2]) * 32),
    branch="main",
    parents=tuple(CommitId(bytes([n]) * 32) for n in range(65)),
    author=Address(bytes([3]) * 32),
    message="merge",
    time=1_800_000_000,
    policy=Digest(bytes([4]) * 32),
    round_index=7,
    training=None,
    metrics={f"metric_{n}": n / 7 for n in range(64)},
    privacy=None,
    strategy=StrategyRecord(id="fedavg", params={"lambda": 1}, weights=(1,) * 64),
    reverts=None,
    events=None,
    recipe=(),
    weights=None,
    delta=None,
    report=None,
    n_bytes=700,
    verified=True,
)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_report_that_is_no_json_object_is_refused(block):
    store = MemoryStore()
    cid = store.put(CODEC_RAW, block)

    with pytest.raises(ObjectInvalid, match="report"):
        read_report(store, cid)


def test_a_report_that_is_too_long_is_refused():
    store = MemoryStore()
    cid = store.put(CODEC_RAW, b'{"a": "' + b"x" * (1 << 20) + b'"}')

    with pytest.raises(ObjectTooLarge):
        read_report(store, cid)


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"updates": 5},
        {"updates": ["x"]},
        {"updates": [{}]},
        {"updates": [{"commit": None, "contributor": [1], "weight": {}}]},
        {"updates": [{"commit": "\x1b[2J" * 40, "contributor": "\u202eabc" * 40}]},
        {"updates": [{"norm_sq": "-4", "norm_bound_sq": "1"}]},
        {"updates": [{"norm_sq": "4", "norm_bound_sq": "0"}]},
        {"updates": [{"norm_sq": "9" * 4000, "norm_bound_sq": "1"}]},
        {"updates": [{"norm_sq": "x", "norm_bound_sq": None}]},
        {"updates": [{"weight": "1" * 500}] * 500},
        json.loads('{"updates": [{"norm_sq": NaN, "norm_bound_sq": 1e999}]}'),
    ],
)
def test_whatever_a_report_says_it_stays_in_its_lines(report):
    lines = shown_text(replace(SHOWN, report=report)).split("\n")

    assert all(line.isprintable() for line in lines)
    assert all(width(line) <= 80 for line in lines)


def test_a_report_of_flairs_own_form_is_a_table():
    row = {
        "commit": "ab" * 32,
        "contributor": str(SHOWN.author),
        "weight": 4,
        "norm_sq": "25",
        "norm_bound_sq": "100",
    }

    lines = shown_text(replace(SHOWN, report={"updates": [row]})).split("\n")

    assert lines[-1].split() == ["ab" * 6, str(SHOWN.author), "4", "50.0%"]
