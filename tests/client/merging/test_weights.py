"""What comes out of a merge: encodings, scales, roles, light forms, memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from merging_world import as_manifest, merged

from flair_client.arithmetic import from_fixed, to_fixed
from flair_client.encoding import decode_manifest, encode_manifest
from flair_client.errors import ObjectInvalid
from flair_client.history.verify_weights import verify_complete
from flair_client.ids import Digest
from flair_client.objects import DType, Manifest, Role, TensorEncodingId
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_entry
from flair_client.weights import FixedWriter, load_fixed, load_tensor
from flair_client.weights.light_form import with_light_form
from flair_client.weights.reading import N_PART

SCALE = -10
INTEGERS = st.lists(st.integers(-(2**50), 2**50), min_size=3, max_size=3)


def exact(store, integers, scale_exp=SCALE, dtype=np.float32):
    """A manifest of one tensor `w` of exact integers."""
    like = make_entry(store, "w", np.zeros(len(integers), dtype))
    writer = FixedWriter(like, scale_exp, store)
    writer.write(np.array(integers, np.int64))
    return Manifest(tensors=(writer.finish(),), scale_exp=scale_exp)


def integers_of(store, manifest):
    entry = manifest.by_name()["w"]
    return load_fixed(manifest, entry, manifest.scale_exp, store).tolist()


@given(INTEGERS, INTEGERS)
def test_the_mean_of_exact_states_is_rounded_half_to_even(first, second):
    store = MemoryStore()

    _, manifest = merged(
        "linear", [exact(store, first), exact(store, second)], store=store
    )

    means = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    assert integers_of(store, manifest) == [round(mean) for mean in means]
    assert decode_manifest(encode_manifest(manifest)) == manifest
    verify_complete(store, manifest)


def test_the_state_of_the_head_sets_the_scale():
    store = MemoryStore()
    models = [exact(store, [8, 16], -12), exact(store, [8, 16], -14)]

    _, manifest = merged("linear", models, store=store, form=exact(store, [0, 0], -13))

    # 8 at 2^-12 is 16 at 2^-13, 8 at 2^-14 is 4.
    assert manifest.scale_exp == -13
    assert integers_of(store, manifest) == [10, 20]


def test_without_a_scale_of_the_head_the_finest_of_the_models_is_taken():
    store = MemoryStore()
    floats = as_manifest(store, {"w": np.array([0, 0], np.float32)})
    models = [exact(store, [8, 16], -12), floats, exact(store, [8, 16], -14)]

    _, manifest = merged("linear", models, store=store, form=floats)

    assert manifest.scale_exp == -14
    assert integers_of(store, manifest) == [round(40 / 3), round(80 / 3)]


def test_floats_of_models_without_a_scale_stay_floats():
    store, manifest = merged(
        "linear", [{"w": np.array([n], np.float16)} for n in (1, 2)]
    )

    (entry,) = manifest.tensors
    assert manifest.scale_exp is None
    assert (entry.dtype, entry.encoding) == (DType.F16, TensorEncodingId.RAW)
    assert load_tensor(manifest, entry, store).tolist() == [1.5]


def test_roles_are_those_of_the_head():
    store = MemoryStore()
    models = [as_manifest(store, {"w": np.array([n], np.float32)}) for n in (1, 2)]
    head = as_manifest(store, {"w": np.zeros(1, np.float32)}, {"w": Role.FROZEN})

    _, manifest = merged("linear", models, store=store, form=head)

    assert manifest.tensors[0].role is Role.FROZEN


def test_a_frozen_tensor_stays_floats_where_others_are_exact():
    store = MemoryStore()
    tensors = []
    for n in (1, 2):
        state = exact(store, [n << 34])
        base = make_entry(store, "base", np.array([n], np.float32), Role.FROZEN)
        tensors.append(Manifest(tensors=(base, *state.tensors), scale_exp=SCALE))

    _, manifest = merged("linear", tensors, store=store)

    base, shared = manifest.tensors
    assert base.encoding is TensorEncodingId.RAW
    assert shared.encoding is TensorEncodingId.FIXED
    assert load_tensor(manifest, base, store).tolist() == [1.5]


@pytest.mark.parametrize("own", [True, False])
def test_what_all_models_have_keeps_its_blocks(own):
    store = MemoryStore()
    models = [exact(store, [5, 1 << 55]), exact(store, [5, 1 << 55])]
    head = models[0] if own else exact(store, [0, 0])

    _, manifest = merged("linear", models, store=store, form=head)

    # Float64 could not hold these integers.
    assert manifest.tensors == models[0].tensors


def test_floats_that_all_models_have_become_exact_where_the_head_is():
    store = MemoryStore()
    floats = as_manifest(store, {"w": np.array([0.1, 3], np.float32)})

    _, manifest = merged(
        "linear", [floats, floats], store=store, form=exact(store, [0, 0])
    )

    expected = to_fixed(np.array([0.1, 3], np.float32), SCALE)
    assert integers_of(store, manifest) == expected.tolist()


def test_a_sum_of_equal_models_is_no_model():
    store, manifest = merged(
        "linear", [[1.5], [1.5]], params={"normalize": False}, weights=[1, 1]
    )

    assert load_tensor(manifest, manifest.tensors[0], store).tolist() == [3.0]


def test_exact_states_are_merged_by_their_integers_not_by_their_floats():
    store = MemoryStore()
    # 2^30 and 2^30 + 1 are the same float32.
    models = [exact(store, [2**30]), exact(store, [2**30 + 4])]
    floats = [
        from_fixed(np.array([n]), SCALE, DType.F32).tolist() for n in (2**30, 2**30 + 4)
    ]

    _, manifest = merged("linear", models, store=store)

    assert floats[0] == floats[1]
    assert integers_of(store, manifest) == [2**30 + 2]


def test_a_merged_frozen_tensor_gets_its_own_light_form():
    store = MemoryStore()
    rng = np.random.default_rng(1)
    roles = {"w": Role.FROZEN}
    models = [
        as_manifest(store, {"w": rng.standard_normal(700).astype(np.float32)}, roles)
        for _ in range(2)
    ]
    head = with_light_form(models[0], store)

    _, manifest = merged("linear", models, store=store, form=head)

    verify_complete(store, manifest)
    assert manifest.tensors == with_light_form(manifest, store).tensors
    assert manifest.tensors[0].light != head.tensors[0].light


def test_a_light_form_of_what_stays_stays():
    store = MemoryStore()
    roles = {"w": Role.FROZEN}
    model = as_manifest(store, {"w": np.arange(9, dtype=np.float32)}, roles)
    head = with_light_form(model, store)

    _, manifest = merged("linear", [model, model], store=store, form=head)
    _, other = merged(
        "linear",
        [model, model],
        store=store,
        form=with_light_form(
            as_manifest(store, {"w": np.ones(9, np.float32)}, roles), store
        ),
    )

    assert manifest.tensors == head.tensors
    assert other.tensors[0].digest == model.tensors[0].digest
    assert other.tensors[0].light == head.tensors[0].light


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_tensors_of_several_parts_are_written_whole(dtype):
    n_values = 2 * N_PART + 5
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(n_values).astype(dtype) for _ in range(2)]

    store, manifest = merged("linear", [{"w": one} for one in arrays])

    total = arrays[0].astype(np.float64) + arrays[1].astype(np.float64)
    values = load_tensor(manifest, manifest.tensors[0], store)
    assert np.array_equal(values, (total / 2).astype(dtype))
    verify_complete(store, manifest)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare_linear"])
def test_scalars_and_empty_tensors(method, shape):
    params = {"linear": {}, "slerp": {"t": 0.5}}.get(method, {"density": 0.5})
    models = [{"w": np.full(shape, n, np.float32)} for n in (1.0, 3.0)]
    base = {"w": np.zeros(shape, np.float32)}

    store, manifest = merged(
        method, models, base=None if "density" not in params else base, params=params
    )

    values = load_tensor(manifest, manifest.tensors[0], store)
    assert values.shape == shape
    verify_complete(store, manifest)


def test_memory_is_a_part_of_each_model_however_large_they_are():
    store = MemoryStore()
    n_values = 16 * N_PART
    models = [
        as_manifest(store, {"w": np.full(n_values, n, np.float32)}) for n in range(4)
    ]
    tracemalloc.start()

    try:
        merged("linear", models, store=_Forgetful(store))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # A whole tensor in float64 is 16 parts of 2 MiB.
    assert peak < 14 * N_PART * 8


class _Forgetful:
    """Reads like a store and keeps nothing that is put."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, codec, block):
        return _CIDS.put(codec, bytes(block[:64]))


_CIDS = MemoryStore()


def test_the_digest_of_a_whole_tensor_is_checked():
    store = MemoryStore()
    models = [as_manifest(store, {"w": np.array([n], np.float32)}) for n in (1, 2)]
    entry = models[1].tensors[0]
    wrong = Manifest(tensors=(replace(entry, digest=Digest(bytes(32))),))

    with pytest.raises(ObjectInvalid, match="digest"):
        merged("linear", [models[0], wrong], store=store)
