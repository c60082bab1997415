"""Every method against the published formula, written out in plain Python."""

import itertools

import merging_reference as reference
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from merging_world import merged, values

from flair_client.encoding import encode_manifest
from flair_client.merging import METHODS
from flair_client.testing_objects import make_commit_id

FLOATS = st.lists(st.floats(-100, 100, width=32), min_size=5, max_size=5)
MODELS = st.lists(FLOATS, min_size=1, max_size=4)
# Decimals as people type them.
DECIMALS = st.integers(-3000, 3000).map(lambda n: n / 1000)
POSITIVE = st.integers(1, 3000).map(lambda n: n / 1000)
DENSITIES = st.sampled_from([0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.8, 1.0])
FLAGS = st.booleans()


def by_id(models, weights=()):
    """Models and weights in the order of their ids, as a merge takes them."""
    order = sorted(range(len(models)), key=lambda n: make_commit_id(n + 1))
    return [models[n] for n in order], [weights[n] for n in order if weights]


def weights_for(models, one):
    return one.map(lambda first: [round(first + n, 3) for n in range(len(models))])


@given(st.data(), st.lists(FLOATS, min_size=2, max_size=4), FLAGS)
def test_linear_is_its_formula(data, models, normalize):
    weights = data.draw(weights_for(models, POSITIVE))

    result = values("linear", models, weights=weights, params={"normalize": normalize})

    expected = reference.linear(*by_id(models, weights), normalize=normalize)
    is_kept = normalize and all(model == models[0] for model in models)
    assert result.tolist() == (models[0] if is_kept else expected)


@given(FLOATS, FLOATS, st.integers(0, 1000).map(lambda n: n / 1000))
def test_slerp_is_its_formula(a, b, t):
    result = values("slerp", [a, b], params={"t": t})

    expected = reference.slerp(a, b, t)
    scale = max(map(abs, (*a, *b, 1e-9)))
    assert np.allclose(result, expected, rtol=1e-9, atol=1e-9 * scale)


@given(st.data(), MODELS, FLOATS, DECIMALS, FLAGS)
def test_task_arithmetic_is_its_formula(data, models, base, lambda_, normalize):
    weights = data.draw(weights_for(models, DECIMALS))
    assume(not normalize or sum(round(w * 1000) for w in weights))

    result = values(
        "task_arithmetic",
        models,
        weights=weights,
        base=base,
        params={"lambda": lambda_, "normalize": normalize},
    )

    expected = reference.task_arithmetic(
        *by_id(models, weights), base, lambda_=lambda_, normalize=normalize
    )
    assert same(result, expected, models, base)


@given(st.data(), MODELS, FLOATS, DENSITIES, DECIMALS, FLAGS)
def test_ties_is_its_formula(data, models, base, density, lambda_, normalize):  # noqa: PLR0917
    weights = data.draw(weights_for(models, DECIMALS))

    result = values(
        "ties",
        models,
        weights=weights,
        base=base,
        params={"density": density, "lambda": lambda_, "normalize": normalize},
    )

    expected = reference.ties(
        *by_id(models, weights), base, density, lambda_=lambda_, normalize=normalize
    )
    assert same(result, expected, models, base)


@pytest.mark.parametrize("elect", [True, False])
@given(st.data(), MODELS, FLOATS, DENSITIES, st.integers(0, 2**63 - 1), FLAGS)
def test_dare_is_its_formula(elect, data, models, base, density, seed, flag):  # noqa: PLR0917
    weights = data.draw(weights_for(models, POSITIVE))
    ids = sorted(make_commit_id(n + 1) for n in range(len(models)))
    masks = [
        reference.dare_mask(seed, one.raw, "w", round(density * 10**9), len(base))
        for one in ids
    ]

    result = values(
        "dare_ties" if elect else "dare_linear",
        models,
        weights=weights,
        base=base,
        seed=seed,
        params={"density": density, "normalize": flag, "rescale": not flag},
    )

    expected = reference.dare(
        *by_id(models, weights),
        base,
        masks,
        density,
        elect=elect,
        normalize=flag,
        rescale=not flag,
    )
    assert same(result, expected, models, base)


def same(result, expected, models, base):
    """Exactly; -0.0 is 0.0. Equal models keep the base's bytes."""
    return result.tolist() == expected or all(model == base for model in models)


def test_ties_by_hand():
    # Base 0. Of each, the two largest of four stay: [5, -3, ., .], [., 2, ., -4],
    # [-1, ., ., -2] (of 1 and 1 the first). Signs: 4 is +, -1 is -, 0 is +, -6 is -.
    models = [[5.0, -3, 1, 2], [1.0, 2, 0, -4], [-1.0, 0, 1, -2]]

    result = values("ties", models, base=[0.0] * 4, params={"density": 0.5})

    assert result.tolist() == [5, -3, 0, -3]


def test_task_arithmetic_by_hand():
    # 1 + 0.5 * (2 * (3 - 1) - 1 * (5 - 1)) = 1; a negative weight takes a task away.
    result = values(
        "task_arithmetic",
        [[3.0], [5.0]],
        weights=[2, -1],
        base=[1.0],
        params={"lambda": 0.5},
    )

    assert result.tolist() == [1]


def test_slerp_of_right_angles_is_on_the_circle():
    result = values("slerp", [[1.0, 0.0], [0.0, 1.0]], params={"t": 0.5})

    assert np.allclose(result, [2**-0.5, 2**-0.5], rtol=1e-15, atol=0)


def test_nearly_parallel_tensors_are_merged_on_a_line():
    # The cosine of (1, 0) and (1, .01) is .99995, that of (1, .1) is .995.
    on_line = values("slerp", [[1.0, 0.0], [1.0, 0.01]], params={"t": 0.25})
    on_arc = values("slerp", [[1.0, 0.0], [1.0, 0.1]], params={"t": 0.25})

    assert on_line.tolist() == [1.0, 0.0025]
    assert on_arc.tolist() != [1.0, 0.025]


def test_opposite_tensors_are_merged_on_a_line():
    result = values("slerp", [[1.0, 2.0], [-1.0, -2.0]], params={"t": 0.5})

    assert result.tolist() == [0.0, 0.0]


@given(FLOATS, st.integers(2, 4), POSITIVE)
def test_linear_of_equal_models_is_the_model(model, n_models, weight):
    weights = [round(weight * n, 3) for n in range(1, n_models + 1)]

    result = values("linear", [model] * n_models, weights=weights)

    assert result.tobytes() == np.array(model).tobytes()


@given(FLOATS, FLOATS)
def test_slerp_ends_at_its_models(a, b):
    first = values("slerp", [a, b], params={"t": 0})
    second = values("slerp", [a, b], params={"t": 1})

    assert first.tolist() == a
    assert second.tolist() == b


@given(FLOATS, st.lists(FLOATS, min_size=1, max_size=4))
def test_ties_of_all_changes_with_one_sign_is_the_mean(base, changes):
    signs = [-1.0 if i % 2 else 1.0 for i in range(len(base))]
    models = [
        [x + (1 + abs(c)) * s for x, c, s in zip(base, change, signs, strict=True)]
        for change in changes
    ]

    result = values("ties", models, base=base, params={"density": 1})

    assert np.allclose(result, np.mean(models, axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["task_arithmetic", "ties", "dare_ties"])
def test_models_that_are_their_base_give_the_base(method):
    base = [-0.0, 0.1, 3.0]
    params = {} if method == "task_arithmetic" else {"density": 0.4}

    result = values(method, [base, base], base=base, params=params)

    assert result.tobytes() == np.array(base).tobytes()


@given(
    st.sampled_from(sorted(METHODS)),
    st.lists(FLOATS, min_size=2, max_size=3),
    FLOATS,
    st.integers(0, 5),
)
def test_any_order_of_the_models_gives_the_same_bytes(method, models, base, shift):
    takes_base = METHODS[method].takes_base
    if method == "slerp":
        models = models[:2]
    numbers = range(1, len(models) + 1)
    blocks = set()

    for order in itertools.permutations(numbers):
        params = {"density": 0.6} if takes_base and method != "task_arithmetic" else {}
        if method == "slerp":
            # On the way from the first to the second.
            params = {"t": 0.3 if order == (1, 2) else 0.7}
        weights = [n + shift for n in order] if method != "slerp" else ()
        _, manifest = merged(
            method,
            [models[n - 1] for n in order],
            ids=order,
            weights=weights,
            base=base if takes_base else None,
            params=params,
        )
        blocks.add(encode_manifest(manifest))

    assert len(blocks) == 1


def test_another_seed_drops_other_values():
    models = [[float(n) for n in range(64)]]
    base = [0.0] * 64

    results = {
        values(
            "dare_linear", models, base=base, seed=seed, params={"density": 0.5}
        ).tobytes()
        for seed in (0, 1, 0)
    }

    assert len(results) == 2
