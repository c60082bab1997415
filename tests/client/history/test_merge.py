"""Merging weights, against the formula in Python's own integers."""

import itertools
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.arithmetic import to_fixed
from flair_client.encoding import decode_manifest, encode_manifest, weights_digest
from flair_client.errors import BlockMissing, ObjectInvalid, OutOfRange, TensorMismatch
from flair_client.history.merge import merge_weights
from flair_client.objects import Role, TensorEncodingId
from flair_client.store import MemoryStore
from flair_client.strategies import Choice, FedAvg, lambda_for
from flair_client.testing_objects import make_delta, make_digest, make_manifest
from flair_client.weights import load_fixed, load_tensor

SCALE = -10
FLOATS = st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4)
VALUES = st.lists(st.integers(-32768, 32767), min_size=4, max_size=4)
WEIGHTS = st.sampled_from([1 << n for n in range(9)])
UPDATES = st.lists(st.tuples(WEIGHTS, VALUES), min_size=1, max_size=4)


@pytest.fixture
def store():
    return MemoryStore()


def int16(values):
    return np.array(values, np.int16)


def merge(store, base, updates, *, scale_exp=SCALE, eta_q24=1 << 24, out=None):
    choice = Choice(FedAvg(), {}, eta_q24, scale_exp)
    return merge_weights(store, base, updates, choice, out or store).weights


def weighted(store, updates, name="w"):
    return [
        (weight, make_delta(store, {name: int16(values)}, contributor=i))
        for i, (weight, values) in enumerate(updates, start=1)
    ]


def integers(manifest, name, store, scale_exp=SCALE):
    return load_fixed(manifest, manifest.by_name()[name], scale_exp, store)


@given(FLOATS, UPDATES, UPDATES, st.integers(1, 2**26))
def test_two_merges_are_the_formula(floats, first, second, eta_q24):
    store = MemoryStore()
    base = make_manifest(store, {"w": np.array(floats, np.float32)})
    expected = [
        round(f * 2 ** (24 - SCALE)) for f in np.array(floats, np.float32).tolist()
    ]
    manifest = base

    for updates in (first, second):
        lambda_ = lambda_for(eta_q24, sum(weight for weight, _ in updates))
        for i in range(4):
            expected[i] += lambda_ * sum(
                weight * values[i] for weight, values in updates
            )
        manifest = merge(store, manifest, weighted(store, updates), eta_q24=eta_q24)

    assert integers(manifest, "w", store).tolist() == expected
    assert decode_manifest(encode_manifest(manifest)) == manifest


@given(FLOATS, st.lists(st.tuples(WEIGHTS, VALUES), min_size=2, max_size=4))
def test_any_order_of_arrival_gives_the_same_bytes(floats, updates):
    store = MemoryStore()
    base = make_manifest(store, {"w": np.array(floats, np.float32)})
    terms = weighted(store, updates)

    blocks = {
        encode_manifest(merge(store, base, list(order)))
        for order in itertools.permutations(terms)
    }

    assert len(blocks) == 1


@given(st.integers(1, 64))
def test_copies_of_one_update_are_that_update_alone(n_copies):
    # n copies of the same delta with equal weights: the mean is the delta; lambda is
    # exact when n is a power of two.
    store = MemoryStore()
    base = make_manifest(store, {"w": np.zeros(2, np.float32)})
    values = int16([100, -7])
    updates = [
        (1, make_delta(store, {"w": values}, contributor=i + 1))
        for i in range(n_copies)
    ]

    moved = integers(merge(store, base, updates), "w", store)

    exact = values.astype(np.int64) << 24
    assert np.abs(moved - exact).max() <= 50 * n_copies
    if n_copies & (n_copies - 1) == 0:
        assert np.array_equal(moved, exact)


def test_floats_are_the_integers_rounded(store):
    base = make_manifest(store, {"w": np.array([1.0, 0.1], np.float32)})

    manifest = merge(store, base, weighted(store, [(1, [512, -1])]))

    # 512 and -1 units of 2^-10 are 0.5 and about -0.000977.
    values = load_tensor(manifest, manifest.tensors[0], store)
    assert values[0] == np.float32(1.5)
    assert values[1] == np.float32(float(np.float32(0.1)) - 2.0**-10)
    assert values.dtype == np.float32


def test_tensors_that_no_update_changes_keep_their_blocks(store):
    tensors = {
        "average": np.zeros(2, np.float32),
        "frozen": np.arange(3),
        "local": np.ones(3, np.float32),
        "w": np.zeros(2, np.float32),
    }
    roles = {"average": Role.AVERAGE, "frozen": Role.FROZEN, "local": Role.LOCAL}
    base = make_manifest(store, tensors, roles)
    delta = make_delta(store, {"average": int16([0, 0]), "w": int16([1, 2])})

    manifest = merge(store, base, [(1, delta)])

    before, after = base.by_name(), manifest.by_name()
    assert [after[n] for n in ("average", "frozen", "local")] == [
        before[n] for n in ("average", "frozen", "local")
    ]
    assert after["w"].encoding is TensorEncodingId.FIXED
    assert manifest.scale_exp == SCALE


def test_updates_that_cancel_keep_the_entry(store):
    base = make_manifest(store, {"w": np.ones(2, np.float32)})

    manifest = merge(store, base, weighted(store, [(2, [5, -5]), (2, [-5, 5])]))

    assert manifest == base


def test_another_scale_rewrites_every_integer(store):
    base = make_manifest(
        store, {"v": np.ones(1, np.float32), "w": np.ones(1, np.float32)}
    )
    both = {"v": int16([3]), "w": int16([3])}
    first = merge(store, base, [(1, make_delta(store, both))])

    delta = make_delta(store, {"v": int16([0]), "w": int16([1])}, scale_exp=-12)
    second = merge(store, first, [(1, delta)], scale_exp=-12)

    old = integers(first, "v", store)
    assert second.scale_exp == -12
    assert np.array_equal(integers(second, "v", store, -12), old << 2)
    assert np.array_equal(integers(second, "w", store, -12), (old << 2) + (1 << 24))


def test_half_precision_keeps_what_its_floats_cannot(store):
    base = make_manifest(store, {"w": np.array([1.0], np.float16)})
    tiny = [(1, make_delta(store, {"w": int16([1])}, scale_exp=-20))]

    manifest = base
    for _ in range(1024):
        manifest = merge(store, manifest, tiny, scale_exp=-20)

    # 2^10 steps of 2^-20 are 2^-10: each alone is lost in half precision.
    assert load_tensor(manifest, manifest.tensors[0], store)[0] == np.float16(
        1 + 2.0**-10
    )


def test_a_large_tensor_is_merged_part_by_part(store):
    numbers = np.random.default_rng(1)
    values = numbers.standard_normal(700_001).astype(np.float32)
    base = make_manifest(store, {"w": values})
    deltas = [numbers.integers(-3000, 3000, values.size, np.int16) for _ in range(3)]
    updates = [
        (weight, make_delta(store, {"w": delta}, contributor=weight))
        for weight, delta in zip((1, 2, 4), deltas, strict=True)
    ]

    manifest = merge(store, base, updates)

    total = sum(w * d.astype(np.int64) for w, d in zip((1, 2, 4), deltas, strict=True))
    expected = to_fixed(values, SCALE) + lambda_for(1 << 24, 7) * total
    assert np.array_equal(integers(manifest, "w", store), expected)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"w": int16([1, 2, 3])}, r"'w': expected int16 \[2\], got int16 \[3\]"),
        ({"v": int16([1, 2])}, r"'w': expected int16 \[2\], got nothing"),
    ],
)
def test_other_tensors_are_named(store, tensors, words):
    base = make_manifest(store, {"w": np.zeros(2, np.float32)})

    with pytest.raises(TensorMismatch, match=words):
        merge(store, base, [(1, make_delta(store, tensors))])


def test_a_delta_of_another_scale_is_refused(store):
    base = make_manifest(store, {"w": np.zeros(1, np.float32)})

    with pytest.raises(ObjectInvalid, match=r"delta\.scale_exp: -10"):
        merge(store, base, weighted(store, [(1, [1])]), scale_exp=-11)


def test_a_wrong_digest_of_a_delta_is_caught(store):
    base = make_manifest(store, {"w": np.zeros(2, np.float32)})
    [(_, delta)] = weighted(store, [(1, [1, 2])])
    tensor = replace(delta.tensors[0], digest=make_digest(1))

    with pytest.raises(ObjectInvalid, match="tensor 'w'"):
        merge(store, base, [(1, replace(delta, tensors=(tensor,)))])


def test_a_missing_block_leaves_nothing_behind(store):
    base = make_manifest(
        store, {"a": np.zeros(2, np.float32), "w": np.zeros(2, np.float32)}
    )
    delta = make_delta(store, {"a": int16([1, 1]), "w": int16([1, 2])})
    store.delete(delta.by_name()["w"].blocks[0])
    out = MemoryStore()

    with pytest.raises(BlockMissing):
        merge(store, base, [(1, delta)], out=out)
    assert not list(out)


def test_half_precision_that_overflows_is_named(store):
    base = make_manifest(store, {"w": np.array([65504.0], np.float16)})
    delta = make_delta(store, {"w": int16([16])}, scale_exp=0)

    with pytest.raises(OutOfRange, match=r"tensor 'w': .* beyond the range of F16"):
        merge(store, base, [(1, delta)], scale_exp=0)


def test_the_digest_names_integers_that_round_alike(store):
    base = make_manifest(store, {"w": np.array([1.0], np.float16)})

    first = merge(
        store,
        base,
        [(1, make_delta(store, {"w": int16([1])}, scale_exp=-20))],
        scale_exp=-20,
    )
    second = merge(
        store,
        base,
        [(1, make_delta(store, {"w": int16([2])}, scale_exp=-20))],
        scale_exp=-20,
    )

    assert first.tensors[0].digest == second.tensors[0].digest
    assert weights_digest(first) != weights_digest(second)


MERGE_AND_MEASURE = """
    import sys
    from pathlib import Path
    import numpy as np
    from flair_client.history.merge import merge_weights
    from flair_client.store import DiskStore
    from flair_client.strategies import Choice, get_strategy
    from flair_client.strategies.parameters import from_numbers
    from flair_client.testing_objects import make_delta, make_manifest
    n_updates, size = int(sys.argv[2]), 4_000_000
    store = DiskStore(Path(sys.argv[1]))
    with store.batch():
        base = make_manifest(store, {"w": np.zeros(size, np.float32)})
        numbers = np.random.default_rng(1)
        updates = [
            (1, make_delta(
                store,
                {"w": numbers.integers(-3000, 3000, size, np.int16)},
                contributor=i + 1,
            ))
            for i in range(n_updates)
        ]
    del numbers
    import tracemalloc
    tracemalloc.start()
    strategy = get_strategy(sys.argv[3])
    params = from_numbers(strategy.id, strategy.parameters, {})
    merge_weights(store, base, updates, Choice(strategy, params, 1 << 24, -10), store)
    print(tracemalloc.get_traced_memory()[1] >> 20)
"""


@pytest.mark.parametrize(
    ("strategy", "n_updates", "most_mib"),
    [
        ("fedavg", 1, 32),
        ("fedavg", 12, 32),
        # Moments, old and new, and what lies between them.
        ("fedadam", 5, 64),
        # Value by value: one part of each update, sorted.
        ("median", 12, 48),
        ("krum", 12, 48),
        ("geometric_median", 12, 48),
    ],
)
def test_memory_does_not_grow_with_model_or_updates(
    tmp_path, strategy, n_updates, most_mib
):
    code = textwrap.dedent(MERGE_AND_MEASURE)

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(n_updates), strategy],
        check=True,
        capture_output=True,
        text=True,
    )

    # One model is 16 MiB, its integers are 31.
    assert int(done.stdout) < most_mib
