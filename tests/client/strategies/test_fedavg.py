import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import OutOfRange, UsageError
from flair_client.strategies import (
    STRATEGIES,
    Facts,
    FedAvg,
    get_strategy,
    lambda_for,
)
from flair_client.strategies.sums import MeanRule

VALUES = st.lists(st.integers(-32768, 32767), min_size=3, max_size=3)
WEIGHTS = st.sampled_from([1 << n for n in range(9)])
UPDATES = st.lists(st.tuples(WEIGHTS, VALUES), min_size=1, max_size=6)
BASE = st.lists(st.integers(-(2**61), 2**61), min_size=3, max_size=3)


def merge(base, updates, lambda_, name="values"):
    rule = MeanRule([weight for weight, _ in updates], lambda_)
    return rule.merge_part(base, (delta for _, delta in updates), (), name)[0]


def arrays(updates):
    return [(weight, np.array(values, np.int16)) for weight, values in updates]


def test_two_updates_by_hand():
    # eta 1, weights 1 and 3: lambda = 2^24 / 4; 1*8 + 3*(-4) = -4, so M falls by 2^24.
    merged = merge(np.array([100]), arrays([(1, [8]), (3 - 1, [-6])]), (1 << 24) // 4)

    assert merged.tolist() == [100 - (1 << 24)]


@given(BASE, UPDATES, st.integers(1, 2**26))
def test_merging_is_the_formula(base, updates, eta_q24):
    lambda_ = lambda_for(eta_q24, sum(weight for weight, _ in updates))
    expected = [
        m + lambda_ * sum(weight * values[i] for weight, values in updates)
        for i, m in enumerate(base)
    ]

    merged = merge(np.array(base), arrays(updates), lambda_)

    assert merged.tolist() == expected


@given(BASE, st.lists(st.tuples(WEIGHTS, VALUES), min_size=1, max_size=4))
def test_the_order_of_arrival_does_not_matter(base, updates):
    results = {
        merge(np.array(base), order, 12345).tobytes()
        for order in itertools.permutations(arrays(updates))
    }

    assert len(results) == 1


def test_one_update_with_eta_one_is_added_as_it_is():
    lambda_ = lambda_for(1 << 24, 16)

    merged = merge(np.array([5]), arrays([(16, [7])]), lambda_)

    assert merged.tolist() == [5 + (7 << 24)]


def test_sixty_four_extreme_updates_do_not_overflow():
    updates = arrays([(256, [-32768])] * 64)

    merged = merge(np.array([0]), updates, lambda_for(1 << 24, 256 * 64))

    assert merged.tolist() == [-(1 << 39)]


@pytest.mark.parametrize("base", [2**63 - 1, -(2**63)])
def test_leaving_64_bits_is_refused(base):
    step = 1 if base > 0 else -1

    with pytest.raises(OutOfRange, match="tensor 'w'"):
        merge(np.array([base]), arrays([(1, [step])]), 1, "w")


@pytest.mark.parametrize("weight", [0, -1, 257])
def test_a_weight_out_of_range_is_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        Facts(eta_q24=1, scale_exp=0, params={}, weights=(1, weight), norms_sq=(1, 1))


@given(st.lists(WEIGHTS, min_size=1, max_size=64), st.integers(1, 2**26))
def test_the_rule_has_the_chains_lambda(weights, eta_q24):
    facts = Facts(
        eta_q24=eta_q24,
        scale_exp=0,
        params={},
        weights=tuple(weights),
        norms_sq=(1,) * len(weights),
    )
    deltas = [np.array([n], np.int16) for n in range(len(weights))]

    merged, _ = FedAvg().rule(facts).merge_part(np.array([0]), iter(deltas), ())

    total = sum(n * weight for n, weight in enumerate(weights))
    assert merged.tolist() == [lambda_for(eta_q24, sum(weights)) * total]


@given(st.integers(1, 2**26), st.integers(1, 64 * 256))
def test_lambda_is_the_nearest_integer(eta_q24, weight_sum):
    assert lambda_for(eta_q24, weight_sum) == round(Fraction(eta_q24, weight_sum))


def test_lambda_of_a_half_is_even():
    assert [lambda_for(n, 2) for n in (1, 3, 5)] == [0, 2, 2]


def test_lambda_of_no_weight_is_refused():
    with pytest.raises(ValueError, match="weight sum"):
        lambda_for(1, 0)


def test_strategies_are_found_by_id_and_number():
    for strategy in STRATEGIES.values():
        assert get_strategy(strategy.id) is get_strategy(strategy.number) is strategy


@pytest.mark.parametrize("which", [0, 99, "bulyan"])
def test_an_unknown_strategy_is_named(which):
    with pytest.raises(UsageError, match=str(which)):
        get_strategy(which)
