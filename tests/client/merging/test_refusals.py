"""What is refused: each names the tensor and both sides, or the parameter."""

import json
import math

import numpy as np
import pytest
from merging_world import BASE, HEAD, as_manifest, merged

from flair_client.errors import NotFinite, OutOfRange, TensorMismatch, UsageError
from flair_client.ids import CODEC_RAW
from flair_client.merging import MergeSpec, check_spec
from flair_client.objects import Manifest, Source
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_commit_id

ONE, TWO = (make_commit_id(n) for n in (1, 2))


def f32(*values):
    return np.array(values, np.float32)


def refused(models, *, base=None, method="linear", **how):
    params = {} if base is None else {"density": 0.5}
    with pytest.raises(TensorMismatch) as caught:
        merged(method, models, base=base, params=params, **how)
    return caught.value


def test_another_shape():
    error = refused([{"w": f32(1, 2)}, {"w": f32(1, 2, 3)}])

    assert error.name == "w"
    assert error.expected == f"F32 [2] as in {HEAD.short}"
    assert error.actual == f"F32 [3] in {TWO.short}"


def test_another_dtype():
    error = refused([{"w": f32(1, 2)}, {"w": np.array([1.0, 2.0])}])

    assert (error.name, error.actual) == ("w", f"F64 [2] in {TWO.short}")


@pytest.mark.parametrize("has_it", [0, 1])
def test_a_tensor_that_one_side_lacks(has_it):
    models = [{"w": f32(1)}, {"w": f32(1)}]
    models[has_it]["bias"] = f32(2)

    error = refused(models)

    ours, theirs = ("F32 [1]", "nothing") if has_it == 0 else ("nothing", "F32 [1]")
    assert error.name == "bias"
    assert error.expected == f"{ours} as in {HEAD.short}"
    assert error.actual == f"{theirs} in {TWO.short}"


def test_a_base_of_another_shape():
    error = refused([{"w": f32(1, 2)}] * 2, base={"w": f32(1)}, method="ties")

    assert error.actual == f"F32 [1] in {BASE.short}"


def with_ties(store, tensors, ties):
    """A manifest whose safetensors header says which names are tied."""
    manifest = as_manifest(store, tensors)
    header = {"__metadata__": {"format": "pt", **ties}}
    at = 0
    for entry in manifest.tensors:
        header[entry.name] = {
            "dtype": entry.dtype.value,
            "shape": list(entry.shape),
            "data_offsets": [at, at + entry.n_bytes],
        }
        at += entry.n_bytes
    raw = json.dumps(header).encode()
    block = store.put(CODEC_RAW, raw)
    source = Source(header_size=len(raw), blocks=(block,))
    return Manifest(tensors=manifest.tensors, source=source)


def test_a_tensor_that_is_tied_on_one_side_and_its_own_on_the_other():
    store = MemoryStore()
    tied = with_ties(store, {"embed": f32(1)}, {"head": "embed"})
    own = with_ties(store, {"embed": f32(1), "head": f32(1)}, {})

    error = refused([tied, own], store=store)

    assert error.name == "head"
    assert error.expected == f"tied to 'embed' as in {HEAD.short}"
    assert error.actual == f"a tensor of its own in {TWO.short}"


def test_a_tensor_that_is_tied_to_another_one():
    store = MemoryStore()
    tensors = {"a": f32(1), "b": f32(1)}
    models = [with_ties(store, tensors, {"head": name}) for name in ("a", "b")]

    error = refused(models, store=store)

    assert error.expected == f"tied to 'a' as in {HEAD.short}"
    assert error.actual == f"tied to 'b' in {TWO.short}"


def test_models_with_the_same_ties_are_merged_and_stay_tied():
    store = MemoryStore()
    models = [with_ties(store, {"embed": f32(n)}, {"head": "embed"}) for n in (1, 3)]

    _, manifest = merged("linear", models, store=store)

    assert manifest.source == models[0].source


def test_integers_that_differ():
    models = [{"n": np.array([n], np.int64), "w": f32(n)} for n in (1, 2)]

    error = refused(models)

    assert error.name == "n"
    assert ONE.short in error.expected
    assert TWO.short in error.actual


def test_integers_that_agree_are_taken_from_the_models():
    models = [{"n": np.array([7], np.int64), "w": f32(n)} for n in (1, 3)]
    store = MemoryStore()
    head = as_manifest(store, {"n": np.array([1], np.int64), "w": f32(0)})

    _, manifest = merged("linear", models, store=store, form=head)

    (entry, _) = manifest.tensors
    assert entry.digest == as_manifest(store, models[0]).tensors[0].digest


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_model_that_is_not_finite(bad):
    with pytest.raises(NotFinite, match=f"'w' in {TWO.short}: 1 values"):
        merged("linear", [{"w": f32(1, 2)}, {"w": f32(1, bad)}])


def test_a_base_that_is_not_finite():
    models = [{"w": f32(1, 2)}] * 2

    with pytest.raises(NotFinite, match=f"'w' in {BASE.short}"):
        merged("ties", models, base={"w": f32(1, math.nan)}, params={"density": 0.5})


def test_a_result_that_the_dtype_cannot_hold():
    models = [{"w": np.array([60000], np.float16)}, {"w": np.array([9], np.float16)}]

    with pytest.raises(OutOfRange, match=r"'w'.*beyond the range of F16"):
        merged("linear", models, weights=[2, 1], params={"normalize": False})


def test_lengths_that_float64_cannot_hold():
    with pytest.raises(OutOfRange, match=r"'w'.*length"):
        merged("slerp", [[1e200, 1.0], [1.0, 1e200]], params={"t": 0.5})


@pytest.mark.parametrize(
    ("method", "how", "reason"),
    [
        ("average", {}, "no merge method 'average'; there are linear, slerp"),
        ("slerp", {}, "'slerp' needs parameter 't'"),
        ("slerp", {"params": {"t": 1.5}}, "t is 1.5, it must be from 0 to 1"),
        ("slerp", {"params": {"t": -0.1}}, "t is -0.1"),
        ("slerp", {"params": {"t": 0.5}, "weights": [1, 1]}, "takes 't', no weights"),
        ("ties", {"base": [0.0]}, "'ties' needs parameter 'density'"),
        ("dare_ties", {"base": [0.0]}, "'dare_ties' needs parameter 'density'"),
        ("ties", {"params": {"density": 0.5}}, "'ties' needs a base"),
        ("linear", {"base": [0.0]}, "'linear' takes no base"),
        ("linear", {"params": {"density": 1}}, "no parameter 'density'; it has norm"),
        ("linear", {"params": {"t": 1}}, "no parameter 't'"),
        ("linear", {"seed": 3}, "'linear' has no parameter 'seed'"),
        ("linear", {"params": {"normalize": "maybe"}}, "normalize is 'maybe'"),
        ("linear", {"weights": [1]}, "1 weights for 2 models"),
        ("linear", {"weights": [1, -1]}, "the weights add up to zero"),
        ("linear", {"weights": [1, "x"]}, "weight is 'x', which is no number"),
        ("linear", {"weights": [1, "nan"]}, "weight is 'nan', which is out of range"),
        ("linear", {"weights": [1, 1001]}, "must be from -1000 to 1000"),
        ("linear", {"weights": [1, "0.1234567891"]}, "at most nine decimals"),
        ("linear", {"weights": [1, "1e-99999"]}, "at most nine decimals"),
        ("linear", {"ids": [1, 1]}, "is named twice"),
    ],
)
def test_parameters_that_cannot_be(method, how, reason):
    with pytest.raises(UsageError, match=reason):
        merged(method, [[1.0], [2.0]], **how)


@pytest.mark.parametrize("density", ["0", "-0.5", "1.000000001", "2"])
@pytest.mark.parametrize("method", ["ties", "dare_ties", "dare_linear"])
def test_a_density_outside_of_zero_to_one(method, density):
    with pytest.raises(UsageError, match=r"density is .*must be above 0, at most 1"):
        merged(method, [[1.0], [2.0]], base=[0.0], params={"density": density})


@pytest.mark.parametrize("seed", [-1, 2**63, "1.5"])
def test_a_seed_that_is_none(seed):
    with pytest.raises(UsageError, match="seed is"):
        merged(
            "dare_ties",
            [[1.0]],
            base=[0.0],
            params={"density": 0.5, "seed": seed},
        )


def test_a_seed_that_is_given_twice():
    with pytest.raises(UsageError, match="seed is given twice"):
        merged(
            "dare_ties",
            [[1.0]],
            base=[0.0],
            seed=1,
            params={"density": 0.5, "seed": 1},
        )


@pytest.mark.parametrize(
    ("method", "n_models", "reason"),
    [
        ("slerp", 1, "merges exactly 2 models, not 1"),
        ("slerp", 3, "merges exactly 2 models, not 3"),
        ("linear", 1, "merges 2 to 16 models, not 1"),
        ("ties", 0, "merges 1 to 16 models, not 0"),
        ("linear", 17, "merges 2 to 16 models, not 17"),
    ],
)
def test_another_number_of_models(method, n_models, reason):
    ids = [make_commit_id(n) for n in range(1, n_models + 1)]
    spec = MergeSpec(method, {}, tuple((one, 10**9) for one in ids), BASE)

    with pytest.raises(UsageError, match=reason):
        check_spec(spec)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "'linear' needs parameter 'normalize'"),
        ({"normalize": 2}, "normalize is 2"),
        ({"normalize": 1, "seed": 1}, "'linear' has no parameter 'seed'"),
    ],
)
def test_a_record_that_no_merge_can_have_made(params, reason):
    spec = MergeSpec("linear", params, ((ONE, 10**9), (TWO, 10**9)))

    with pytest.raises(UsageError, match=reason):
        check_spec(spec)


def test_weights_of_slerp_that_are_no_share():
    spec = MergeSpec("slerp", {}, ((ONE, 10**9), (TWO, 10**9)))

    with pytest.raises(UsageError, match="two weights are 1 - t and t"):
        check_spec(spec)
