"""Taking merges and single terms back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.encoding import encode_manifest, weights_digest
from flair_client.errors import NotSeparable, ObjectInvalid, TensorMismatch
from flair_client.history.merge import merge_weights
from flair_client.history.revert import (
    back_to,
    require_separable,
    revert_contributor,
    revert_merge,
)
from flair_client.objects import Role
from flair_client.store import MemoryStore
from flair_client.strategies import STRATEGIES, Choice, FedAvg, lambda_for
from flair_client.testing_objects import make_delta, make_manifest
from flair_client.weights import load_fixed

SCALE = -10
FLOATS = st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=3)
VALUES = st.lists(st.integers(-32768, 32767), min_size=3, max_size=3)
WEIGHTS = st.sampled_from([1 << n for n in range(9)])
UPDATES = st.lists(st.tuples(WEIGHTS, VALUES), min_size=1, max_size=3)
ROUNDS = st.lists(UPDATES, min_size=1, max_size=4)


@pytest.fixture
def store():
    return MemoryStore()


def model(store, floats=(1.0, 0.1, -3.0)):
    tensors = {
        "frozen": np.arange(4),
        "v": np.ones(2, np.float32),
        "w": np.array(floats, np.float32),
    }
    return make_manifest(store, tensors, {"frozen": Role.FROZEN})


def delta_of(store, values, contributor=1):
    tensors = {"v": np.zeros(2, np.int16), "w": np.array(values, np.int16)}
    return make_delta(store, tensors, contributor=contributor)


def merge(store, base, updates):
    terms = [(w, delta_of(store, v, i)) for i, (w, v) in enumerate(updates, start=1)]
    choice = Choice(FedAvg(), {}, 1 << 24, SCALE)
    return merge_weights(store, base, terms, choice, store).weights


def lambda_of(updates):
    return lambda_for(1 << 24, sum(weight for weight, _ in updates))


def states_of(store, floats, rounds):
    states = [model(store, floats)]
    for updates in rounds:
        states.append(merge(store, states[-1], updates))
    return states


def w_of(manifest, store):
    return load_fixed(manifest, manifest.by_name()["w"], SCALE, store)


@given(FLOATS, ROUNDS)
def test_reverting_the_last_merge_gives_the_weights_before_it(floats, rounds):
    store = MemoryStore()
    states = states_of(store, floats, rounds)

    reverted = revert_merge(store, states[-1], states[-2], states[-1], SCALE, store)

    assert weights_digest(reverted) == weights_digest(states[-2])
    assert encode_manifest(reverted) == encode_manifest(states[-2])


@given(FLOATS, ROUNDS, st.data())
def test_reverting_any_merge_keeps_the_others(floats, rounds, data):
    store = MemoryStore()
    states = states_of(store, floats, rounds)
    at = data.draw(st.integers(1, len(rounds)))

    reverted = revert_merge(store, states[-1], states[at - 1], states[at], SCALE, store)

    others = rounds[: at - 1] + rounds[at:]
    expected = states_of(store, floats, others)[-1]
    assert np.array_equal(w_of(reverted, store), w_of(expected, store))


@given(FLOATS, UPDATES, UPDATES, st.data())
def test_reverting_a_contributor_takes_its_term_alone(floats, first, second, data):
    store = MemoryStore()
    states = states_of(store, floats, [first, second])
    at = data.draw(st.integers(0, len(first) - 1))
    weight, values = first[at]

    reverted = revert_contributor(
        store,
        states[-1],
        weight,
        delta_of(store, values),
        lambda_of(first),
        SCALE,
        store,
    )

    term = lambda_of(first) * weight * np.array(values, np.int64)
    assert np.array_equal(w_of(reverted, store), w_of(states[-1], store) - term)


@given(FLOATS, UPDATES)
def test_reverting_every_contributor_is_reverting_the_merge(floats, updates):
    store = MemoryStore()
    before, after = states_of(store, floats, [updates])
    state = after

    for weight, values in updates:
        delta = delta_of(store, values)
        state = revert_contributor(
            store, state, weight, delta, lambda_of(updates), SCALE, store
        )

    assert np.array_equal(w_of(state, store), w_of(before, store))


def test_a_contributor_of_zeros_changes_nothing(store):
    _, after = states_of(store, (1.0, 2.0, 3.0), [[(1, [1, 2, 3])]])

    reverted = revert_contributor(
        store, after, 4, delta_of(store, [0, 0, 0]), 1 << 20, SCALE, store
    )

    assert reverted == after


def test_other_tensors_keep_their_blocks(store):
    before, middle, after = states_of(
        store, (1.0, 2.0, 3.0), [[(1, [1, 2, 3])], [(1, [4, 5, 6])]]
    )

    reverted = revert_merge(store, after, before, middle, SCALE, store)

    for name in ("frozen", "v"):
        assert reverted.by_name()[name] == before.by_name()[name]


def test_a_revert_can_be_reverted(store):
    before, after = states_of(store, (1.0, 0.1, 3.0), [[(1, [1, 2, 3])]])
    reverted = revert_merge(store, after, before, after, SCALE, store)

    again = revert_merge(store, reverted, after, reverted, SCALE, store)

    assert weights_digest(again) == weights_digest(after)


def test_a_strategy_that_is_not_linear_has_no_terms():
    for strategy in STRATEGIES.values():
        if strategy.id in ("fedavg", "fedprox"):
            require_separable(strategy)
        else:
            with pytest.raises(NotSeparable, match=f"'{strategy.id}' is not linear"):
                require_separable(strategy)


def test_states_of_other_shapes_are_named(store):
    before, after = states_of(store, (1.0, 2.0, 3.0), [[(1, [1, 2, 3])]])
    other = make_manifest(
        store, {"v": np.ones(2, np.float32), "w": np.ones(9, np.float32)}
    )

    with pytest.raises(
        TensorMismatch, match=r"'w': expected F32 \[9\] train, got F32 \[3\]"
    ):
        revert_merge(store, other, before, after, SCALE, store)


def test_a_delta_of_another_scale_is_refused(store):
    _, after = states_of(store, (1.0, 2.0, 3.0), [[(1, [1, 2, 3])]])

    with pytest.raises(ObjectInvalid, match=r"delta\.scale_exp"):
        revert_contributor(store, after, 1, delta_of(store, [1, 2, 3]), 1, -11, store)


def test_going_back_gives_the_earlier_state_whole(store):
    states = states_of(store, (1.0, 2.0, 3.0), [[(1, [1, 2, 3])], [(2, [4, 5, 6])]])

    assert weights_digest(back_to(states[2], states[1])) == weights_digest(states[1])
    assert back_to(states[2], states[0]).tensors == states[0].tensors


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ({"v": np.ones(2, np.float32)}, "'w'"),
        ({"v": np.ones(2, np.float32), "w": np.ones(4, np.float32)}, "'w'"),
        ({"v": np.ones(2, np.float32), "w": np.ones(3, np.float64)}, "'w'"),
        (
            {
                "v": np.ones(2, np.float32),
                "w": np.ones(3, np.float32),
                "x": np.ones(1, np.float32),
            },
            "'x'",
        ),
    ],
)
def test_a_model_of_other_tensors_is_not_gone_back_to(store, then, said):
    now = make_manifest(
        store, {"v": np.ones(2, np.float32), "w": np.zeros(3, np.float32)}, {}
    )

    with pytest.raises(TensorMismatch, match=said):
        back_to(now, make_manifest(store, then, {}))
