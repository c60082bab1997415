"""Merges of many parts, and sums at the ends of their range: the same bytes always."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import OutOfRange
from flair_client.history import merge_arrays as module
from flair_client.history.merge_arrays import merge_arrays
from flair_client.strategies import Choice, get_strategy
from flair_client.strategies.parameters import from_numbers
from flair_client.strategies.sums import MeanRule, weighted_sum

INT64_MAX = (1 << 63) - 1
N = 10_007
PARAMS = {
    "median": {},
    "trimmed_mean": {"f": 1},
    "krum": {"f": 1},
    "norm_clipping": {"norm": 9.0},
}


def choice(name):
    strategy = get_strategy(name)
    given = PARAMS.get(name, {})
    params = from_numbers(name, strategy.parameters, given)
    return Choice(strategy, params, 1 << 23, -10)


@pytest.mark.parametrize(
    "name", ["fedavg", "fedadam", "median", "trimmed_mean", "krum", "norm_clipping"]
)
def test_how_an_array_is_cut_and_by_how_many_it_is_merged_does_not_matter(
    name, monkeypatch
):
    numbers = np.random.default_rng(3)
    updates = [
        (1, numbers.integers(-(2**15), 2**15, N, dtype=np.int16)) for _ in range(7)
    ]
    base = numbers.integers(-(2**50), 2**50, N, dtype=np.int64)
    chosen = choice(name)
    moments = tuple(np.zeros(N) for _ in chosen.strategy.moments)
    found = set()
    for part, threads in ((1 << 18, 1), (1000, 1), (1000, 4), (17, 3)):
        monkeypatch.setattr(module, "_PART", part)
        monkeypatch.setattr(module, "_MAX_THREADS", threads)
        monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
        merged = merge_arrays(chosen, base, updates, moments)
        found.add((merged.values.tobytes(), *(one.tobytes() for one in merged.moments)))

    assert len(found) == 1


def test_what_a_part_refuses_is_refused_by_the_whole(monkeypatch):
    monkeypatch.setattr(module, "_PART", 100)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    base = np.zeros(N, dtype=np.int64)
    base[7_777] = INT64_MAX
    update = np.ones(N, dtype=np.int16)

    with pytest.raises(OutOfRange):
        merge_arrays(choice("fedavg"), base, [(1, update)], ())


def test_an_array_of_nothing_has_a_merge():
    empty = np.empty(0, dtype=np.int64)

    merged = merge_arrays(
        choice("fedavg"), empty, [(1, np.empty(0, dtype=np.int16))], ()
    )

    assert merged.values.size == 0


def mean(base, deltas, weights, lambda_):
    rule = MeanRule(weights, lambda_)
    return rule.merge_part(np.array(base), iter(deltas), ())[0].tolist()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("lambda_", [1, 1 << 24, (1 << 34) - 1, 1 << 40])
def test_a_sum_that_just_fits_is_taken_and_one_more_is_refused(sign, lambda_):
    delta = np.array([sign], dtype=np.int16)
    edge = INT64_MAX if sign > 0 else -INT64_MAX - 1
    base = edge - sign * 256 * lambda_

    assert mean([base], [delta], [256], lambda_) == [edge]
    with pytest.raises(OutOfRange):
        mean([base + sign], [delta], [256], lambda_)


def test_a_product_that_leaves_64_bits_is_refused():
    delta = np.array([2], dtype=np.int16)

    with pytest.raises(OutOfRange):
        mean([-1], [delta], [256], 1 << 55)
    assert mean([-5], [delta], [1], 1 << 61) == [(1 << 62) - 5]


@pytest.mark.parametrize(
    "weights",
    [(1, 2, 4), (256, 1, 256), (6, 4, 9), (3, 3, 3), (7, 5, 1), (256, 64, 64, 8, 1)],
)
def test_weights_in_any_order_and_with_any_divisors_give_the_sum(weights):
    numbers = np.random.default_rng(4)
    for order in itertools.permutations(weights):
        deltas = [numbers.integers(-(2**15), 2**15, 5, dtype=np.int16) for _ in weights]
        expected = sum(
            weight * delta.astype(object)
            for weight, delta in zip(order, deltas, strict=True)
        )

        total = weighted_sum((5,), iter(deltas), order)

        assert total.tolist() == expected.tolist()


def test_the_largest_sum_of_int16_stays_in_int32():
    low = np.full(3, -(1 << 15), dtype=np.int16)

    total = weighted_sum((3,), iter([low] * 64), [256] * 63 + [255])

    assert total.tolist() == [-(1 << 15) * (256 * 64 - 1)] * 3
    assert total.dtype == np.int64


def test_a_delta_of_another_shape_is_refused():
    deltas = [np.ones(1, dtype=np.int16)]

    with pytest.raises(ValueError, match="shape"):
        weighted_sum((3,), iter(deltas), [1])
    with pytest.raises(ValueError, match="shape"):
        weighted_sum((3,), iter(deltas), [2])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 300), st.lists(st.integers(-(2**15), 2**15 - 1), min_size=3)
        ),
        min_size=1,
        max_size=8,
    )
)
def test_a_sum_is_that_of_whole_numbers_whatever_the_weights_and_their_order(given_):
    deltas = [np.array(values[:3], dtype=np.int16) for _, values in given_]
    weights = [weight for weight, _ in given_]

    total = weighted_sum((3,), iter(deltas), weights)

    expected = [
        sum(weight * values[place] for weight, values in given_) for place in range(3)
    ]
    assert total.tolist() == expected


def test_the_order_of_updates_does_not_matter_where_their_norms_are_told():
    numbers = np.random.default_rng(5)
    updates = [
        (1 << place, numbers.integers(-(2**15), 2**15, 9, dtype=np.int16))
        for place in range(5)
    ]
    base = numbers.integers(-(2**50), 2**50, 9, dtype=np.int64)
    norms = [1, 2, 3, 4, 5]

    there = merge_arrays(choice("fedavg"), base, updates, (), norms_sq=norms)
    back = merge_arrays(choice("fedavg"), base, updates[::-1], (), norms_sq=norms[::-1])

    assert there.values.tolist() == back.values.tolist()
