import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.delta import (
    clip_to_norm,
    make_integers,
    norm_sq,
    quantise,
    read_delta_tensor,
    validate_delta,
)
from flair_client.delta_integers import (
    Difference,
    PlannedIntegers,
    plan_integers,
)
from flair_client.errors import (
    BlockMissing,
    NormExceeded,
    NotFinite,
    ObjectInvalid,
    OutOfRange,
    TensorMismatch,
)
from flair_client.ids import CODEC_RAW
from flair_client.objects import DeltaEncodingId, Role
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_delta, make_digest, make_manifest
from flair_client.zstd_frames import compress

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)


@dataclass(frozen=True)
class Policy:
    bits: int = 16
    scale_exp: int = -10
    n_params: int = 6
    norm_bound_sq: int = 10_000


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def base(store):
    tensors = {
        "a": np.zeros((2, 2), np.float32),
        "b": np.zeros(2, np.float32),
        "c": np.zeros(7, np.int64),
    }
    return make_manifest(store, tensors, {"b": Role.AVERAGE, "c": Role.FROZEN})


GOOD = {"a": np.array([[1, -2], [3, 4]], np.int16), "b": np.zeros(2, np.int16)}


@given(FLOATS, st.integers(-20, 10), st.sampled_from([13, 16]))
def test_quantised_values_are_the_nearest_in_range(value, scale_exp, bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    expected = min(high, max(low, round(Fraction(value) / Fraction(2) ** scale_exp)))

    assert int(quantise(np.array([value]), bits, scale_exp)[0]) == expected


def test_halves_go_to_the_even_neighbour():
    assert quantise(np.array([0.5, 1.5, 2.5, -0.5]), 16, 0).tolist() == [0, 2, 2, 0]


def test_a_difference_that_is_not_finite_is_named():
    with pytest.raises(NotFinite, match="'w'"):
        quantise(np.array([np.nan]), 16, 0, "w")
    with pytest.raises(NotFinite, match="'w'"):
        make_integers({"w": np.array([np.inf])}, Policy())


@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_the_norm_is_exact(values):
    assert norm_sq(np.array(values, np.int16)) == sum(v * v for v in values)


def test_the_norm_of_many_extreme_values_is_exact():
    values = np.full((1 << 20) + 3, -32768, np.int16)

    assert norm_sq(values) == ((1 << 20) + 3) << 30


@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=40),
    st.integers(1, 10**9),
)
def test_clipped_integers_are_within_the_bound(values, bound):
    array = np.array(values, np.int16)
    clipped = clip_to_norm({"w": array, "z": array[:1]}, bound)

    total = norm_sq(clipped["w"]) + norm_sq(clipped["z"])
    assert total <= bound
    if norm_sq(array) + norm_sq(array[:1]) <= bound:
        assert np.array_equal(clipped["w"], array)


def test_clipping_keeps_the_direction():
    clipped = clip_to_norm({"w": np.array([3000, -4000], np.int16)}, 500 * 500)["w"]

    assert clipped.tolist() == [300, -400]


@given(st.lists(FLOATS, min_size=6, max_size=6))
def test_integers_from_floats_are_within_the_policy(values):
    differences = {"a": np.array(values[:4]).reshape(2, 2), "b": np.array(values[4:])}

    integers = make_integers(differences, Policy())

    assert sum(norm_sq(part) for part in integers.values()) <= Policy().norm_bound_sq
    assert integers["a"].shape == (2, 2)


def test_floats_within_the_bound_are_only_rounded():
    integers = make_integers({"w": np.array([0.01, -0.02])}, Policy())

    assert integers["w"].tolist() == [10, -20]  # 0.01 * 1024 = 10.24, half to even


def test_huge_floats_are_clipped_without_overflow():
    integers = make_integers({"w": np.array([1e300, 1e300])}, Policy(norm_bound_sq=200))

    assert integers["w"].tolist() == [10, 10]


def integers_at_once(differences, policy):
    """The same with everything in memory, as one reads it in the protocol."""
    floats = {k: np.ldexp(v, -policy.scale_exp) for k, v in differences.items()}
    norm = 0.0
    for values in floats.values():
        largest = np.abs(values).max(initial=0.0) or 1.0
        ratio = values.reshape(-1) / largest
        norm = math.hypot(norm, largest * math.sqrt(float(np.dot(ratio, ratio))))
    factor = min(1.0, math.sqrt(policy.norm_bound_sq) / norm) if norm else 1.0
    rounded = {k: quantise(v * factor, policy.bits, 0) for k, v in floats.items()}
    return clip_to_norm(rounded, policy.norm_bound_sq)


@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 7, 500, 10**5, 10**9]),
    st.sampled_from([0.001, 0.3, 40.0]),
)
def test_integers_tensor_by_tensor_are_those_of_all_at_once(seed, bound, spread):
    random = np.random.default_rng(seed)
    differences = {
        name: random.normal(0, spread, shape)
        for name, shape in (("a", (3, 4)), ("b", (50,)), ("c", ()), ("d", (0, 2)))
    }
    policy = Policy(norm_bound_sq=bound)

    integers = make_integers(differences, policy)

    expected = integers_at_once(differences, policy)
    assert integers.keys() == expected.keys()
    for name, values in expected.items():
        assert integers[name].dtype == np.int16
        assert np.array_equal(integers[name], values)
    assert sum(norm_sq(values) for values in integers.values()) <= bound


def test_integers_of_a_tensor_in_many_parts_are_those_of_the_whole():
    random = np.random.default_rng(5)
    differences = {"w": random.normal(0, 1, 3 * (1 << 18) + 5)}
    policy = Policy(norm_bound_sq=10**9)

    integers = make_integers(differences, policy)

    assert np.array_equal(integers["w"], integers_at_once(differences, policy)["w"])


def test_a_plan_reads_one_part_at_a_time_and_counts_what_changed():
    live = []

    def parts():
        for n in range(4):
            live.append(n)
            yield np.full(10, float(n))

    differences = {"w": Difference((4, 10), parts), "z": Difference((9,), None)}

    plan = plan_integers(differences, Policy(norm_bound_sq=10**12))
    planned = PlannedIntegers(differences, Policy(norm_bound_sq=10**12), plan)

    assert (plan.n_changed, plan.factor, plan.shrink) == (30, 1.0, None)
    assert live == [0, 1, 2, 3]
    assert planned["w"].tolist() == [[n * 1024] * 10 for n in range(4)]
    assert planned["z"].tolist() == [0] * 9
    assert list(planned) == ["w", "z"]


def test_a_delta_is_read_as_it_was_written(store):
    delta = make_delta(store, GOOD)

    assert delta.norm_sq == 30
    assert [t.encoding for t in delta.tensors] == [
        DeltaEncodingId.DENSE,
        DeltaEncodingId.ZERO,
    ]
    for name, values in GOOD.items():
        assert np.array_equal(read_delta_tensor(delta, name, store), values)


def test_a_tensor_of_several_blocks_is_read_as_it_was_written(store):
    values = np.random.default_rng(1).integers(-32768, 32767, 600_001, np.int16)
    delta = make_delta(store, {"w": values})

    assert len(delta.tensors[0].blocks) == 3
    assert np.array_equal(read_delta_tensor(delta, "w", store), values)


def test_zeros_cost_nothing(store):
    make_delta(store, {"w": np.zeros(10**6, np.int16)})

    assert not list(store)


def test_more_bits_than_agreed_are_not_written(store):
    with pytest.raises(OutOfRange, match="tensor 'a'"):
        make_delta(store, {"a": np.array([4096], np.int16)}, bits=13)
    make_delta(store, {"a": np.array([-4096, 4095], np.int16)}, bits=13)


def test_a_good_delta_is_accepted(store, base):
    validate_delta(store, make_delta(store, GOOD), base, Policy())


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"a": GOOD["a"]}, r"'b': expected int16 \[2\], got nothing"),
        ({**GOOD, "x": GOOD["b"]}, r"'x': expected no such tensor, got int16 \[2\]"),
        ({**GOOD, "c": np.zeros(7, np.int16)}, "'c': expected no such tensor"),
        (
            {**GOOD, "a": GOOD["a"].reshape(4)},
            r"'a': expected int16 \[2, 2\], got int16 \[4\]",
        ),
    ],
)
def test_other_tensors_than_the_bases_are_named(store, base, tensors, words):
    with pytest.raises(TensorMismatch, match=words):
        validate_delta(store, make_delta(store, tensors), base, Policy())


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(bits=13), r"delta\.bits: 16, the policy says 13"),
        (Policy(scale_exp=-11), r"delta\.scale_exp: -10, the policy says -11"),
        (Policy(n_params=7), r"delta\.tensors: 6 values, the policy says 7"),
    ],
)
def test_another_policy_is_named(store, base, policy, words):
    with pytest.raises(ObjectInvalid, match=words):
        validate_delta(store, make_delta(store, GOOD), base, policy)


def test_a_norm_above_the_bound_is_refused(store, base):
    with pytest.raises(NormExceeded):
        validate_delta(store, make_delta(store, GOOD), base, Policy(norm_bound_sq=29))


def test_a_norm_that_is_not_the_values_is_refused(store, base):
    delta = replace(make_delta(store, GOOD), norm_sq=1)

    with pytest.raises(ObjectInvalid, match="1 is declared, the values have 30"):
        validate_delta(store, delta, base, Policy())


def test_values_of_more_bits_than_declared_are_refused(store, base):
    big = {**GOOD, "b": np.array([5000, 0], np.int16)}
    delta = replace(make_delta(store, big), bits=13)

    with pytest.raises(OutOfRange, match="tensor 'b'"):
        validate_delta(store, delta, base, Policy(bits=13, norm_bound_sq=10**9))


def tampered(store, **change):
    delta = make_delta(store, GOOD)
    tensor = replace(delta.tensors[0], **change)
    return replace(delta, tensors=(tensor, delta.tensors[1]))


def test_a_wrong_digest_is_refused(store, base):
    with pytest.raises(ObjectInvalid, match="tensor 'a': its values have digest"):
        validate_delta(store, tampered(store, digest=make_digest(9)), base, Policy())


def test_a_missing_block_is_named(store, base):
    delta = make_delta(store, GOOD)
    store.delete(delta.tensors[0].blocks[0])

    with pytest.raises(BlockMissing):
        validate_delta(store, delta, base, Policy())


@pytest.mark.parametrize(
    "block",
    [
        b"no frame at all",
        compress(bytes(9)),
        compress(bytes(1 << 24)),
        compress(bytes(8)) + b"x",
        compress(bytes(8)) * 2,
        compress(bytes(8))[:-1],
    ],
)
def test_a_block_of_another_size_is_refused(store, base, block):
    delta = tampered(store, blocks=(store.put(CODEC_RAW, block),))

    with pytest.raises(ObjectInvalid, match="tensor 'a': a block"):
        validate_delta(store, delta, base, Policy())
