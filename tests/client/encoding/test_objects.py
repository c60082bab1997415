"""Manifest, delta, list of events, recipe: rules of each that break."""

from dataclasses import replace

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.encoding import (
    decode_delta,
    decode_event_list,
    decode_manifest,
    decode_recipe,
    encode_delta,
    encode_event_list,
    encode_manifest,
    encode_recipe,
    weights_digest,
)
from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.ids import CODEC_RAW
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.objects import (
    DType,
    EventList,
    Manifest,
    Recipe,
    RecipeFile,
    Role,
    Source,
    TensorEncodingId,
    TensorEntry,
)
from flair_client.store import MemoryStore
from flair_client.testing_objects import (
    make_cid,
    make_delta,
    make_digest,
    make_manifest,
)

RAW = make_cid(7, CODEC_RAW)


def entry(**fields):
    values = {
        "name": "w",
        "dtype": DType.F32,
        "shape": (2, 3),
        "role": Role.TRAIN,
        "digest": make_digest(1),
        "encoding": TensorEncodingId.RAW,
        "blocks": (RAW,),
    }
    return TensorEntry(**{**values, **fields})


def fixed_entry(**fields):
    values = {"encoding": TensorEncodingId.FIXED, "fixed_digest": make_digest(2)}
    return entry(**{**values, **fields})


def refused(encode, value, path):
    with pytest.raises(ObjectInvalid) as caught:
        encode(value)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(tensors=()),
        Manifest(tensors=(entry(), entry(name="x", shape=()))),
        Manifest(tensors=(entry(shape=(0, 5), blocks=()),)),
        Manifest(tensors=(fixed_entry(),), scale_exp=-20),
        Manifest(tensors=(entry(),), source=Source(header_size=2, blocks=(RAW,))),
    ],
)
def test_a_manifest_comes_back(manifest):
    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize(
    ("tensors", "path"),
    [
        ((entry(name="b"), entry(name="a")), "manifest.tensors[1]"),
        ((entry(), entry()), "manifest.tensors[1]"),
        ((entry(name=""),), "manifest.tensors[0].name"),
        ((entry(name="a\x1bb"),), "manifest.tensors[0].name"),
        ((entry(name="a" * 513),), "manifest.tensors[0].name"),
        ((entry(shape=(-1,)),), "manifest.tensors[0].shape[0]"),
        ((entry(shape=(1,) * 17),), "manifest.tensors[0].shape"),
        ((entry(blocks=()),), "manifest.tensors[0] ('w').blocks"),
        ((entry(blocks=(RAW, RAW)),), "manifest.tensors[0] ('w').blocks"),
        ((entry(shape=(1 << 18, 2)),), "manifest.tensors[0] ('w').blocks"),
        ((entry(shape=(10**12,)),), "manifest.tensors[0].shape[0]"),
        ((entry(shape=(10**6, 10**6)),), "manifest.tensors[0] ('w').shape"),
        (
            (entry(shape=(0, 2**38, 2**38), blocks=()),),
            "manifest.tensors[0] ('w').shape",
        ),
        ((entry(dtype=DType.I64, shape=(1,)),), "manifest.tensors[0] ('w').role"),
        (
            (entry(fixed_digest=make_digest(2)),),
            "manifest.tensors[0] ('w').fixed_digest",
        ),
        ((fixed_entry(fixed_digest=None),), "manifest.tensors[0] ('w').fixed_digest"),
        ((fixed_entry(role=Role.LOCAL),), "manifest.tensors[0] ('w').encoding"),
        ((fixed_entry(),), "manifest.scale_exp"),
        ((entry(blocks=(make_cid(7),)),), "manifest.tensors[0].blocks[0]"),
    ],
)
def test_a_wrong_tensor_is_named(tensors, path):
    refused(encode_manifest, Manifest(tensors=tensors), path)


def test_a_scale_without_integers_is_refused():
    refused(
        encode_manifest, Manifest(tensors=(entry(),), scale_exp=0), "manifest.scale_exp"
    )


def test_a_manifest_that_declares_a_terabyte_is_refused():
    plain = cbor2.loads(encode_manifest(Manifest(tensors=(entry(),))))
    plain["tensors"][0]["shape"] = [1 << 20, 1 << 18]

    with pytest.raises(ObjectInvalid, match="1099511627776 bytes, at most"):
        decode_manifest(cbor2.dumps(plain))


def test_an_oversized_manifest_is_refused_before_decoding():
    with pytest.raises(ObjectTooLarge):
        decode_manifest(bytes(MAX_OBJECT_SIZE + 1))


def test_a_header_that_does_not_fit_its_blocks_is_refused():
    source = Source(header_size=(1 << 20) + 1, blocks=(RAW,))

    refused(
        encode_manifest, Manifest(tensors=(), source=source), "manifest.source.blocks"
    )


def test_the_weights_digest_ignores_how_tensors_are_stored():
    raw = Manifest(tensors=(entry(),))
    packed = Manifest(tensors=(entry(encoding=TensorEncodingId.ZSTD),))

    assert weights_digest(raw) == weights_digest(packed)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "v"},
        {"dtype": DType.F16, "shape": (2, 3)},
        {"shape": (3, 2)},
        {"role": Role.AVERAGE},
        {"digest": make_digest(9)},
    ],
)
def test_the_weights_digest_covers_the_state(change):
    one, other = Manifest(tensors=(entry(),)), Manifest(tensors=(entry(**change),))

    assert weights_digest(one) != weights_digest(other)


def test_the_weights_digest_covers_the_exact_integers():
    one = Manifest(tensors=(fixed_entry(),), scale_exp=0)
    other = Manifest(tensors=(fixed_entry(fixed_digest=make_digest(3)),), scale_exp=0)

    assert weights_digest(one) != weights_digest(other)


def test_a_delta_comes_back():
    delta = make_delta(
        MemoryStore(), {"w": np.array([[1, -2]], "i2"), "z": np.zeros(3, "i2")}
    )

    assert delta.norm_sq == 5
    assert delta.by_name()["z"].blocks == ()
    assert decode_delta(encode_delta(delta)) == delta


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"bits": 14}, "delta.bits"),
        ({"scale_exp": -41}, "delta.scale_exp"),
        ({"norm_sq": -1}, "delta.norm_sq"),
        ({"round_index": True}, "delta.round_index"),
        ({"branch": "a b"}, "delta.branch"),
    ],
)
def test_a_wrong_field_of_a_delta_is_named(change, path):
    delta = make_delta(MemoryStore(), {"w": np.array([1], "i2")})

    refused(encode_delta, replace(delta, **change), path)


def test_blocks_of_a_delta_follow_from_its_size():
    delta = make_delta(MemoryStore(), {"w": np.array([1], "i2")})
    tensor = replace(delta.tensors[0], shape=(1 << 20,))

    refused(
        encode_delta, replace(delta, tensors=(tensor,)), "delta.tensors[0] ('w').blocks"
    )


def test_a_list_of_events_comes_back():
    events = EventList(first_seq=3, events=(b"e" * 129, b"f" * 300))

    assert decode_event_list(encode_event_list(events)) == events


@pytest.mark.parametrize(
    ("events", "path"),
    [
        (EventList(first_seq=0, events=()), "events.first_seq"),
        (EventList(first_seq=1, events=(b"e" * 128,)), "events.events[0]"),
        (EventList(first_seq=1, events=(b"e" * 1025,)), "events.events[0]"),
    ],
)
def test_a_wrong_list_of_events_is_named(events, path):
    refused(encode_event_list, events, path)


def recipe_of(*paths):
    return Recipe(files=tuple(RecipeFile(path=p, size=1, cid=RAW) for p in paths))


def test_a_recipe_comes_back():
    recipe = recipe_of("CARD.md", "flair.toml", "src/model.py")

    assert decode_recipe(encode_recipe(recipe)) == recipe


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "a\\b",
        "c:x",
        "a\x00b",
        ".flair/config",
        ".git/hooks/x",
        ".GIT/config",
        "a./b",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(path):
    with pytest.raises(ObjectInvalid, match=r"recipe\.files\[0\]\.path"):
        encode_recipe(recipe_of(path))


@pytest.mark.parametrize(
    "paths", [("b", "a"), ("a", "a"), ("A", "a"), ("a", "a/b"), ("A/x", "a")]
)
def test_paths_that_clash_are_refused(paths):
    with pytest.raises(ObjectInvalid, match=r"recipe\.files\[1?0?\]"):
        encode_recipe(recipe_of(*paths))


def test_a_recipe_without_files_is_refused():
    refused(encode_recipe, Recipe(files=()), "recipe.files")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_canonical(block):
    for decode, encode in (
        (decode_manifest, encode_manifest),
        (decode_delta, encode_delta),
        (decode_event_list, encode_event_list),
        (decode_recipe, encode_recipe),
    ):
        try:
            value = decode(block)
        except ObjectInvalid:
            continue
        assert encode(value) == block


@given(
    st.dictionaries(
        st.text(
            st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=9
        ),
        st.integers(0, 5),
        max_size=5,
    )
)
def test_any_manifest_comes_back(sizes):
    tensors = {name: np.arange(n, dtype=np.float32) for name, n in sizes.items()}
    manifest = make_manifest(MemoryStore(), tensors)

    assert decode_manifest(encode_manifest(manifest)) == manifest
