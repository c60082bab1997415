"""The light form of frozen tensors: its bytes, what comes out, what is refused."""

import hashlib
import struct
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from flair_client.arithmetic import bytes_from_values
from flair_client.encoding import decode_manifest, encode_manifest, weights_digest
from flair_client.encoding.rules import INT8_CHUNK_VALUES
from flair_client.errors import BlockMissing, DigestMismatch, ObjectInvalid
from flair_client.ids import CODEC_RAW, Digest
from flair_client.objects import DType, Role
from flair_client.store import MemoryStore
from flair_client.tensor_encodings import int8
from flair_client.testing_objects import make_digest, make_entry, make_manifest
from flair_client.weights import export_weights, load_tensor
from flair_client.weights.light_form import (
    check_light_form,
    light_chunks,
    light_digest,
    with_light_form,
    without_light_form,
)
from flair_client.weights.reading import N_PART

F32_MAX = float(np.finfo(np.float32).max)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def by_hand(values):
    """The chunk by docs/protocol.md, section 5, with exact fractions."""
    scales, levels = b"", b""
    for at in range(0, len(values), 256):
        group = [float(one) for one in values[at : at + 256]]
        scale = struct.unpack("<f", struct.pack("<f", max(map(abs, group)) / 127))[0]
        scales += struct.pack("<f", scale)
        for one in group:
            # Python rounds half to even; the quotient is one of float64.
            level = round(one / scale) if scale else 0
            levels += struct.pack("b", max(-127, min(127, level)))
    return scales + levels


def example(n=700, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(n).astype(dtype)


@settings(max_examples=40)
@given(st.lists(floats, min_size=1, max_size=300))
def test_a_chunk_is_that_of_the_protocol(values):
    array = np.array(values, np.float32)

    assert int8.quantise(array) == by_hand(array)


@settings(max_examples=40)
@given(st.lists(floats, min_size=1, max_size=300))
def test_a_value_is_off_by_little(values):
    array = np.array(values, np.float32)
    out = int8.dequantise(int8.quantise(array), array.size, DType.F32, "x")

    for at in range(0, array.size, 256):
        largest = Fraction(float(np.abs(array[at : at + 256]).max()))
        # Half a step, and what rounding the scale and the value itself adds.
        slack = largest * Fraction(1, 2**22) + Fraction(2) ** -140
        for one, two in zip(array[at : at + 256], out[at : at + 256], strict=True):
            off = abs(Fraction(float(one)) - Fraction(float(two)))
            assert off <= largest / 254 + slack


@pytest.mark.parametrize(
    "values",
    [
        [F32_MAX, -F32_MAX, 0],
        [1e-45, -1e-45, 0],
        [0, -0.0],
        [1e-40] * 300,
        [0.5, 1.5, 2.5, 127],
    ],
)
def test_values_at_the_edges_stay_finite(values):
    array = np.array(values, np.float32)
    chunk = int8.quantise(array)
    out = int8.dequantise(chunk, array.size, DType.F32, "x")

    assert chunk == by_hand(array)
    assert np.isfinite(out).all()
    assert not np.signbit(out[array == 0]).any()


def test_halves_are_rounded_to_even():
    levels = int8.quantise(np.array([0.5, 1.5, 2.5, -0.5, 127], np.float32))[4:]

    assert list(np.frombuffer(levels, np.int8)) == [0, 2, 2, 0, 127]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_comes_out_has_the_tensors_dtype(dtype):
    store = MemoryStore()
    values = example(INT8_CHUNK_VALUES + 300, dtype=dtype)
    manifest = light_manifest(store, values)

    raw = b"".join(light_chunks(manifest.tensors[0], store))

    out = np.frombuffer(raw, dtype)
    assert out.size == values.size
    assert np.abs(out.astype(float) - values).max() < np.abs(values).max() / 200
    assert len(manifest.tensors[0].light.blocks) == 2
    assert light_digest(manifest.tensors[0], store).raw == hashlib.sha256(raw).digest()


def test_bf16_is_rounded_by_way_of_float32():
    store = MemoryStore()
    wide = example(300)
    raw = bytes_from_values(wide, DType.BF16)
    entry = replace(
        make_entry(store, "base", wide, Role.FROZEN),
        dtype=DType.BF16,
        digest=Digest(hashlib.sha256(raw).digest()),
        blocks=(store.put(CODEC_RAW, raw),),
    )
    manifest = with_light_form(
        replace(make_manifest(store, {}), tensors=(entry,)), store
    )
    kept = load_tensor(manifest, manifest.tensors[0], store)

    out = b"".join(light_chunks(manifest.tensors[0], store))

    levels = int8.dequantise(int8.quantise(kept), kept.size, DType.BF16, "x")
    assert out == bytes_from_values(levels, DType.BF16)


def test_parts_of_tensors_are_chunks_of_the_light_form():
    assert N_PART == INT8_CHUNK_VALUES


def light_manifest(store, values, name="base"):
    manifest = make_manifest(store, {name: values}, {name: Role.FROZEN})
    return with_light_form(manifest, store)


def mixed(store):
    """A manifest with a tensor of every role, and integers."""
    tensors = {
        "a.train": example(10, 1),
        "b.average": example(10, 2),
        "c.local": example(10, 3),
        "d.frozen": example(400, 4),
        "e.ids": np.arange(5),
        "f.wide": example(10, 5).astype(np.float64),
        "g.empty": np.zeros((0, 3), np.float32),
    }
    roles = {name: Role.FROZEN for name in tensors if name >= "d"}
    roles |= {"b.average": Role.AVERAGE, "c.local": Role.LOCAL}
    return make_manifest(store, tensors, roles)


def test_only_frozen_floats_have_a_light_form_and_the_state_does_not_change():
    store = MemoryStore()
    manifest = mixed(store)

    light = with_light_form(manifest, store)

    assert [e.name for e in light.tensors if e.light is not None] == ["d.frozen"]
    assert weights_digest(light) == weights_digest(manifest)
    assert decode_manifest(encode_manifest(light)) == light
    assert with_light_form(light, store) == light
    assert without_light_form(light) == manifest


def test_a_light_file_has_light_values_and_a_full_one_all(tmp_path):
    store = MemoryStore()
    manifest = with_light_form(mixed(store), store)
    full, light = tmp_path / "full.safetensors", tmp_path / "light.safetensors"
    for path, takes_light in ((full, False), (light, True)):
        export_weights(manifest, store, path, takes_light=takes_light)

    whole = safetensors.numpy.load_file(full)
    small = safetensors.numpy.load_file(light)

    different = [n for n in whole if not np.array_equal(whole[n], small[n])]
    assert different == ["d.frozen"]
    assert np.abs(whole["d.frozen"] - small["d.frozen"]).max() < 0.02


def test_a_light_file_needs_no_block_of_the_full_form(tmp_path):
    store = MemoryStore()
    manifest = with_light_form(mixed(store), store)
    for cid in manifest.by_name()["d.frozen"].blocks:
        store.delete(cid)

    export_weights(manifest, store, tmp_path / "light.safetensors", takes_light=True)
    with pytest.raises(BlockMissing):
        export_weights(manifest, store, tmp_path / "full.safetensors")
    assert not (tmp_path / "full.safetensors").exists()


def repacked(store, entry, chunk):
    """The entry with another light form of one chunk."""
    light = replace(
        entry.light,
        digest=Digest(hashlib.sha256(chunk).digest()),
        blocks=(store.put(CODEC_RAW, int8.pack(chunk)),),
    )
    return replace(entry, light=light)


def test_a_light_form_of_other_values_is_found():
    store = MemoryStore()
    manifest = light_manifest(store, example(300))
    entry = manifest.tensors[0]
    check_light_form(manifest, entry, store)

    lying = repacked(store, entry, int8.quantise(example(300, seed=1)))

    with pytest.raises(
        ObjectInvalid, match="'base': its light form is not that of its"
    ):
        check_light_form(manifest, lying, store)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c[:-1] + b"\x80", "a value of its light form is -128"),
        (lambda c: struct.pack("<f", -1) + c[4:], "is no positive number"),
        (lambda c: struct.pack("<f", float("nan")) + c[4:], "is no positive number"),
        (lambda c: struct.pack("<f", float("inf")) + c[4:], "is no positive number"),
        (lambda c: c[:-1], "declares 307 bytes instead of 308"),
        (lambda c: c + b"\0", "declares 309 bytes instead of 308"),
    ],
)
def test_a_malformed_chunk_is_refused(change, said):
    store = MemoryStore()
    entry = light_manifest(store, example(300)).tensors[0]
    chunk = int8.quantise(example(300))

    with pytest.raises(ObjectInvalid, match=said):
        list(light_chunks(repacked(store, entry, change(chunk)), store))


def test_another_digest_is_refused():
    store = MemoryStore()
    entry = light_manifest(store, example(300)).tensors[0]
    wrong = replace(entry, light=replace(entry.light, digest=make_digest(1)))

    with pytest.raises(ObjectInvalid, match="its light form has digest"):
        list(light_chunks(wrong, store))


def test_a_corrupt_block_is_refused():
    store = MemoryStore()
    entry = light_manifest(store, example(300)).tensors[0]
    (cid,) = entry.light.blocks
    # What the name says is another block.
    store._blocks[cid] = b"x"

    with pytest.raises(DigestMismatch):
        list(light_chunks(entry, store))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role": Role.TRAIN}, "F32 with role train has no light form"),
        ({"role": Role.LOCAL}, "F32 with role local has no light form"),
        ({"dtype": DType.I32}, "I32 with role frozen has no light form"),
        ({"shape": (150, 2)}, None),
    ],
)
def test_a_manifest_refuses_light_forms_that_cannot_be(changes, said):
    store = MemoryStore()
    manifest = light_manifest(store, example(300))
    entry = replace(manifest.tensors[0], **changes)
    changed = replace(manifest, tensors=(entry,))

    if said is None:
        assert decode_manifest(encode_manifest(changed)) == changed
        return
    with pytest.raises(ObjectInvalid, match=said):
        encode_manifest(changed)


def test_a_light_form_of_too_few_blocks_is_refused():
    store = MemoryStore()
    manifest = light_manifest(store, example(INT8_CHUNK_VALUES + 1))
    entry = manifest.tensors[0]
    short = replace(entry, light=replace(entry.light, blocks=entry.light.blocks[:1]))

    with pytest.raises(
        ObjectInvalid, match=r"light\.blocks.*1 blocks, its size needs 2"
    ):
        encode_manifest(replace(manifest, tensors=(short,)))
