from dataclasses import replace

import cbor2
import pytest
from cbor2 import CBORTag
from hypothesis import given
from hypothesis import strategies as st

from flair_client.encoding import decode_commit, encode_commit
from flair_client.encoding.rules import KIND_FIELDS, KIND_RULES
from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.ids import CODEC_RAW, Address
from flair_client.limits import MAX_COMMIT_SIZE
from flair_client.objects import (
    CommitKind,
    Privacy,
    Revert,
    RevertKind,
    StrategyRecord,
    Training,
)
from flair_client.testing_objects import (
    make_cid,
    make_commit,
    make_commit_id,
    make_digest,
    sign,
)

FULL_UPDATE = make_commit(
    training=Training(samples_bucket=256, epochs=3, framework="numpy 2.1", seed=7),
    metrics={"auc": 0.75, "log_loss": -0.0},
    privacy=Privacy(mode="public", clip=1.5, epsilon=2.0, delta=1e-5, accountant="rdp"),
    message="two lines\nwith ümlauts and 𝄞",
    recipe=make_cid(12),
)


def plain_of(commit=None):
    """The CBOR map of a signed commit, as another library reads it."""
    return cbor2.loads(encode_commit(sign(commit or make_commit())))


def refused(plain, path, words):
    with pytest.raises(ObjectInvalid) as caught:
        decode_commit(canonical(plain))
    assert caught.value.path == path
    assert words in caught.value.reason


def canonical(plain):
    if isinstance(plain, dict):
        ordered = sorted(plain, key=lambda k: (len(k.encode()), k.encode()))
        plain = {k: plain[k] for k in ordered}
    return cbor2.dumps(plain)


@pytest.mark.parametrize("kind", CommitKind)
def test_every_kind_comes_back(kind):
    commit = sign(make_commit(kind))

    assert decode_commit(encode_commit(commit)) == commit


def test_all_optional_fields_come_back():
    commit = sign(FULL_UPDATE)

    assert decode_commit(encode_commit(commit)) == commit


def test_an_absent_field_is_not_in_the_bytes():
    assert "metrics" not in plain_of()


def test_an_address_that_looks_like_a_cid_stays_bytes():
    # One writer of DAG-CBOR makes a link of such bytes; a wallet with this address
    # could never commit.
    repo = Address(bytes.fromhex("01551220") + b"a" * 28)
    commit = sign(make_commit(repo=repo))
    block = encode_commit(commit)

    assert cbor2.loads(block)["repo"] == bytes(repo)
    assert decode_commit(block) == commit


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_truncated_bytes_are_refused(cut):
    block = encode_commit(sign(make_commit()))

    with pytest.raises(ObjectInvalid, match="not DAG-CBOR"):
        decode_commit(block[:cut])


def test_bytes_behind_the_end_are_refused():
    with pytest.raises(ObjectInvalid, match="not DAG-CBOR"):
        decode_commit(encode_commit(sign(make_commit())) + b"\0")


def test_every_flipped_bit_is_refused_or_another_commit():
    commit = sign(make_commit())
    block = encode_commit(commit)

    for at in range(0, 8 * len(block), 7):
        broken = bytearray(block)
        broken[at // 8] ^= 1 << (at % 8)
        try:
            other = decode_commit(bytes(broken))
        except ObjectInvalid:
            continue
        assert other != commit
        assert encode_commit(other) == broken


def test_oversized_bytes_are_refused_before_decoding():
    with pytest.raises(ObjectTooLarge):
        decode_commit(b"\xff" * (MAX_COMMIT_SIZE + 1))


def test_deep_nesting_is_refused():
    with pytest.raises(ObjectInvalid, match="recursion"):
        decode_commit(b"\x81" * 60_000)


def test_a_length_beyond_the_bytes_is_refused():
    with pytest.raises(ObjectInvalid, match="not DAG-CBOR"):
        decode_commit(bytes.fromhex("bbffffffffffffffff"))


def test_a_long_form_of_an_integer_is_refused():
    block = encode_commit(sign(make_commit(round_index=1)))
    key = b"kround_index"
    assert key + b"\x01" in block

    with pytest.raises(ObjectInvalid, match="not canonical"):
        decode_commit(block.replace(key + b"\x01", key + b"\x18\x01"))


def test_a_short_float_is_refused():
    block = encode_commit(sign(make_commit(metrics={"auc": 0.5})))
    long, short = bytes.fromhex("fb3fe0000000000000"), bytes.fromhex("fa3f000000")
    assert long in block

    with pytest.raises(ObjectInvalid, match="not canonical"):
        decode_commit(block.replace(long, short))


@pytest.mark.parametrize("bits", ["7ff8000000000000", "7ff0000000000000"])
def test_nan_and_infinity_are_refused(bits):
    block = encode_commit(sign(make_commit(metrics={"auc": 0.5})))
    broken = block.replace(
        bytes.fromhex("fb3fe0000000000000"), bytes.fromhex("fb" + bits)
    )

    with pytest.raises(ObjectInvalid):
        decode_commit(broken)


def test_unsorted_keys_are_refused():
    plain = plain_of()

    with pytest.raises(ObjectInvalid, match="not DAG-CBOR"):
        decode_commit(cbor2.dumps(dict(reversed(plain.items()))))


def test_an_unknown_field_is_named():
    refused(plain_of() | {"extra": 1}, "commit.extra", "unknown field")


def test_an_unknown_nested_field_is_named():
    plain = plain_of(FULL_UPDATE)
    plain["training"] = {**plain["training"], "secret": 1}
    block = canonical(
        plain
        | {
            "training": dict(
                sorted(plain["training"].items(), key=lambda i: (len(i[0]), i[0]))
            )
        }
    )

    with pytest.raises(ObjectInvalid, match=r"commit\.training\.secret: unknown field"):
        decode_commit(block)


@pytest.mark.parametrize(
    ("field", "value", "path", "words"),
    [
        ("v", 2, "commit.v", "2 is not in 1 to 1"),
        ("v", True, "commit.v", "got bool"),
        ("time", 1.0, "commit.time", "got float"),
        ("time", -1, "commit.time", "is not in"),
        ("time", 2**63, "commit.time", "is not in"),
        ("round_index", 2**63, "commit.round_index", "is not in"),
        ("kind", "squash", "commit.kind", "expected one of"),
        ("repo", b"a" * 31, "commit.repo", "31 bytes"),
        ("repo", "a" * 32, "commit.repo", "expected bytes"),
        ("branch", "Main", "commit.branch", "is not a name"),
        ("branch", "", "commit.branch", "is not a name"),
        ("branch", "a" * 65, "commit.branch", "is not a name"),
        ("branch", "a\n", "commit.branch", "is not a name"),
        ("message", b"hi", "commit.message", "expected text"),
        ("message", "a\x1b[2J", "commit.message", "control character U+001B"),
        ("message", "a\x7f", "commit.message", "control character U+007F"),
        ("message", "a\u202eb", "commit.message", "control character U+202E"),
        ("message", "a\rb", "commit.message", "control character U+000D"),
        ("message", "é" * 5000, "commit.message", "10000 bytes"),
        ("metrics", {"auc": 1}, "commit.metrics.auc", "expected a float"),
        ("metrics", {"a b": 1.0}, "commit.metrics", "is not a label"),
        ("metrics", {f"m{i:02}": 0.0 for i in range(65)}, "commit.metrics", "65"),
        ("metrics", [], "commit.metrics", "expected a map"),
        ("policy", None, "commit.policy", "expected bytes"),
        ("signature", b"s" * 63, "commit.signature", "63 bytes"),
        ("parents", {}, "commit.parents", "expected a list"),
        ("parents", [b"p" * 36], "commit.parents[0]", "not CIDv1"),
        ("parents", [], "commit.parents", "0 parents"),
        ("delta", 1, "commit.delta", "expected a link"),
        ("training", [], "commit.training", "expected a map"),
        ("training", {"epochs": 1}, "commit.training.samples_bucket", "missing"),
    ],
)
def test_a_wrong_value_is_named(field, value, path, words):
    refused(plain_of() | {field: value}, path, words)


@pytest.mark.parametrize("field", ["v", "kind", "repo", "author", "signature", "time"])
def test_a_missing_field_is_named(field):
    plain = plain_of()
    del plain[field]

    refused(plain, f"commit.{field}", "missing")


def test_bytes_where_a_link_belongs_are_refused():
    plain = plain_of()
    plain["delta"] = plain["delta"].value[1:]

    with pytest.raises(ObjectInvalid, match="not canonical"):
        decode_commit(canonical(plain))


def test_a_link_where_bytes_belong_is_refused():
    plain = plain_of()
    plain["policy"] = CBORTag(42, b"\0" + bytes(make_cid(5)))

    with pytest.raises(ObjectInvalid):
        decode_commit(canonical(plain))


def test_a_link_of_another_codec_is_named():
    plain = plain_of()
    plain["delta"] = CBORTag(42, b"\0" + bytes(make_cid(5, CODEC_RAW)))

    refused(plain, "commit.delta", "raw link instead of link to a dag-cbor block")


def test_a_parent_of_another_codec_is_named():
    plain = plain_of()
    plain["parents"] = [CBORTag(42, b"\0" + bytes(make_cid(5, CODEC_RAW)))]

    refused(plain, "commit.parents[0]", "raw link")


def test_a_wrong_type_is_refused_when_encoding():
    with pytest.raises(ObjectInvalid, match=r"commit\.time: expected an integer"):
        encode_commit(replace(sign(make_commit()), time=True))


def test_a_lone_surrogate_is_refused_when_encoding():
    with pytest.raises(ObjectInvalid, match="not valid Unicode"):
        encode_commit(replace(sign(make_commit()), message="\ud800"))


FILLED = {
    "weights": make_cid(1),
    "delta": make_cid(1),
    "recipe": make_cid(1),
    "training": Training(samples_bucket=1, epochs=1, framework="x"),
    "metrics": {"auc": 1.0},
    "privacy": Privacy(mode="public"),
    "strategy": StrategyRecord(id="fedavg", params={}, weights=(1,)),
    "strategy_state": make_cid(1),
    "report": make_cid(1, CODEC_RAW),
    "proof": make_cid(1, CODEC_RAW),
    "opening": make_cid(1, CODEC_RAW),
    "events": make_cid(1),
    "reverts": Revert(kind=RevertKind.MERGE, commit=make_commit_id(1)),
    "policy": make_digest(1),
    "round_index": 1,
}


@pytest.mark.parametrize("kind", CommitKind)
def test_a_kind_refuses_the_fields_of_others(kind):
    rule = KIND_RULES[kind]
    assert FILLED.keys() == KIND_FIELDS

    for name in KIND_FIELDS - rule.required - rule.allowed:
        with pytest.raises(ObjectInvalid) as caught:
            sign(make_commit(kind, **{name: FILLED[name]}))
        assert caught.value.path == f"commit.{name}"


@pytest.mark.parametrize("kind", CommitKind)
def test_a_kind_demands_its_fields(kind):
    for name in KIND_RULES[kind].required:
        with pytest.raises(ObjectInvalid) as caught:
            sign(make_commit(kind, **{name: None}))
        assert caught.value.path == f"commit.{name}"


@pytest.mark.parametrize("kind", CommitKind)
def test_a_kind_takes_what_it_may_have(kind):
    for name in KIND_RULES[kind].allowed:
        sign(make_commit(kind, **{name: FILLED[name]}))


@pytest.mark.parametrize(
    ("kind", "parents", "path"),
    [
        (CommitKind.ROOT, (1,), "commit.parents"),
        (CommitKind.UPDATE, (), "commit.parents"),
        (CommitKind.UPDATE, (1, 2), "commit.parents"),
        (CommitKind.REVERT, (1, 2), "commit.parents"),
        (CommitKind.SNAPSHOT, (), "commit.parents"),
        (CommitKind.MERGE, (), "commit.parents"),
        (CommitKind.MERGE, (9,), "commit.parents"),
        (CommitKind.MERGE, (9, 3, 2), "commit.parents[2]"),
        (CommitKind.MERGE, (9, 2, 2), "commit.parents[2]"),
        (CommitKind.MERGE, (2, 1, 2), "commit.parents[2]"),
        (CommitKind.MERGE, (9, 1, 2, 3), "commit.strategy.weights"),
    ],
)
def test_wrong_parents_are_named(kind, parents, path):
    with pytest.raises(ObjectInvalid) as caught:
        sign(make_commit(kind, parents=tuple(map(make_commit_id, parents))))

    assert caught.value.path == path


def model_merge(parents=(9, 2, 3), **fields):
    """A merge of models, of which the head is one unless there are fewer weights."""
    record = StrategyRecord(
        id="linear", params={"normalize": 1}, weights=(1, -7, 10**9)
    )
    return make_commit(
        CommitKind.MERGE,
        **{
            "policy": None,
            "round_index": None,
            "strategy": record,
            "parents": tuple(map(make_commit_id, parents)),
            **fields,
        },
    )


def test_a_merge_of_models_has_no_round_and_weights_of_any_size():
    assert model_merge().merges_models
    assert not make_commit(CommitKind.MERGE).merges_models
    for commit in (model_merge(), model_merge((9, 2, 3, 4))):
        signed = sign(commit)
        assert decode_commit(encode_commit(signed)) == signed


@pytest.mark.parametrize("parents", [(9, 2), (9, 2, 3, 4, 5)])
def test_a_merge_of_models_has_a_weight_for_each(parents):
    with pytest.raises(ObjectInvalid) as caught:
        sign(model_merge(parents))

    assert caught.value.path == "commit.strategy.weights"


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("strategy", "commit.strategy"),
        ("weights", "commit.weights"),
        ("events", "commit.events"),
    ],
)
def test_a_merge_of_models_demands_its_fields(field, path):
    with pytest.raises(ObjectInvalid) as caught:
        sign(model_merge(**{field: None}))

    assert caught.value.path == path


@pytest.mark.parametrize("field", ["strategy_state", "opening", "delta", "privacy"])
def test_a_merge_of_models_has_no_other_fields(field):
    with pytest.raises(ObjectInvalid) as caught:
        sign(model_merge(**{field: FILLED[field]}))

    assert caught.value.path == f"commit.{field}"


def test_a_merge_of_updates_has_no_base():
    strategy = StrategyRecord(
        id="fedavg", params={}, weights=(1, 1), base=make_commit_id(1)
    )

    with pytest.raises(ObjectInvalid) as caught:
        sign(make_commit(CommitKind.MERGE, strategy=strategy))

    assert caught.value.path == "commit.strategy.base"


@pytest.mark.parametrize("weight", [0, 3, 512, -1, True])
def test_a_weight_that_is_no_power_of_two_is_refused(weight):
    strategy = StrategyRecord(id="fedavg", params={}, weights=(1, weight))

    with pytest.raises(ObjectInvalid) as caught:
        sign(make_commit(CommitKind.MERGE, strategy=strategy))

    assert caught.value.path == "commit.strategy.weights[1]"


@pytest.mark.parametrize(
    "reverts",
    [
        Revert(
            kind=RevertKind.MERGE, commit=make_commit_id(1), update=make_commit_id(2)
        ),
        Revert(kind=RevertKind.CONTRIBUTOR, commit=make_commit_id(1)),
        Revert(kind=RevertKind.REPLAY, commit=make_commit_id(1)),
    ],
)
def test_a_revert_names_an_update_exactly_for_a_contributor(reverts):
    with pytest.raises(ObjectInvalid, match=r"commit\.reverts\.update"):
        sign(make_commit(CommitKind.REVERT, reverts=reverts))


@pytest.mark.parametrize(
    "privacy",
    [
        Privacy(mode="public", epsilon=1.0),
        Privacy(mode="public", epsilon=1.0, delta=1e-5),
        Privacy(mode="public", epsilon=1.0, delta=2.0, accountant="rdp"),
        Privacy(mode="public", epsilon=-1.0, delta=0.1, accountant="rdp"),
        Privacy(mode="secret"),
    ],
)
def test_privacy_that_says_nothing_is_refused(privacy):
    with pytest.raises(ObjectInvalid, match=r"commit\.privacy"):
        sign(make_commit(privacy=privacy))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2**63 - 1))
def test_any_number_comes_back(metric, round_index):
    commit = sign(make_commit(metrics={"auc": metric}, round_index=round_index))

    assert decode_commit(encode_commit(commit)) == commit


@given(st.text(max_size=30))
def test_any_message_is_refused_or_comes_back(message):
    try:
        commit = sign(make_commit(message=message))
    except ObjectInvalid:
        return
    assert decode_commit(encode_commit(commit)).message == message
