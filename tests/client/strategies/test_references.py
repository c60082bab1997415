"""Every strategy against its published formula, written out in NumPy, to 1e-6.

Flower's own strategies are compared with by `benchmarks/strategies.py`: flwr pins other
versions of what the lock of these tests holds, so it is no dependency of theirs.
"""

import numpy as np
import pytest

from flair_client.arithmetic import from_fixed, to_fixed
from flair_client.delta_integers import make_integers
from flair_client.errors import NotFinite
from flair_client.history.merge_arrays import merge_arrays
from flair_client.objects import DType
from flair_client.strategies import Choice, get_strategy
from flair_client.strategies.geometric_median import weiszfeld
from flair_client.strategies.krum import ranking
from flair_client.strategies.parameters import from_numbers
from flair_client.testing import PARAMS

SCALE_EXP = -13
N_VALUES = 200
ETA = 0.5


def choice_of(name, **given):
    strategy = get_strategy(name)
    params = from_numbers(name, strategy.parameters, given)
    return Choice(strategy, params, round(ETA * 2**24), SCALE_EXP)


def run(name, rounds, **given):
    """Our weights after each round, beginning with zeros."""
    choice = choice_of(name, **given)
    state = to_fixed(np.zeros(N_VALUES), SCALE_EXP)
    moments = tuple(np.zeros(N_VALUES) for _ in choice.strategy.moments)
    for updates in rounds:
        merged = merge_arrays(choice, state, updates, moments)
        state, moments = merged.values, merged.moments
        yield from_fixed(state, SCALE_EXP, DType.F64)


def rounds_of(n_updates, n_rounds=4, *, weighted=False, seed=3):
    numbers = np.random.default_rng(seed)
    return [
        [
            (
                1 << int(numbers.integers(0, 5)) if weighted else 1,
                numbers.normal(40, 300, N_VALUES).astype(np.int16),
            )
            for _ in range(n_updates)
        ]
        for _ in range(n_rounds)
    ]


def floats(updates):
    return np.stack([delta for _, delta in updates]) * 2.0**SCALE_EXP


def mean(updates):
    weights = [weight for weight, _ in updates]
    return np.average(floats(updates), axis=0, weights=weights)


def assert_moves_by(name, step, rounds, **given):
    """Ours moves by these steps, and not by nothing."""
    weights = np.zeros(N_VALUES)
    for updates, made in zip(rounds, run(name, rounds, **given), strict=True):
        weights = weights + step(updates)
        assert np.abs(made - weights).max() < 1e-6
    assert np.abs(weights).max() > 1e-3


@pytest.mark.parametrize("name", ["fedavg", "fedprox"])
def test_the_weighted_mean(name):
    assert_moves_by(
        name, lambda updates: ETA * mean(updates), rounds_of(5, weighted=True)
    )


def test_server_momentum():
    kept = [np.zeros(N_VALUES)]

    def step(updates):
        kept[0] = 0.8 * kept[0] + mean(updates)
        return ETA * kept[0]

    assert_moves_by("fedavgm", step, rounds_of(4, weighted=True), momentum=0.8)


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("fedadam", lambda v, g: 0.98 * v + 0.02 * g**2),
        ("fedyogi", lambda v, g: v - 0.02 * g**2 * np.sign(v - g**2)),
        ("fedadagrad", lambda v, g: v + g**2),
    ],
)
def test_adaptive_steps(name, second):
    kept = [np.zeros(N_VALUES), np.zeros(N_VALUES)]

    def step(updates):
        gradient = mean(updates)
        kept[0] = 0.7 * kept[0] + 0.3 * gradient
        kept[1] = second(kept[1], gradient)
        return ETA * kept[0] / (np.sqrt(kept[1]) + 0.01)

    given = {"beta_1": 0.7, "tau": 0.01}
    if name != "fedadagrad":
        given["beta_2"] = 0.98
    assert_moves_by(name, step, rounds_of(6, weighted=True), **given)


@pytest.mark.parametrize("n_updates", [3, 4, 9])
def test_the_median_of_each_value(n_updates):
    assert_moves_by(
        "median",
        lambda updates: ETA * np.median(floats(updates), axis=0),
        rounds_of(n_updates),
    )


@pytest.mark.parametrize(("n_updates", "f"), [(3, 1), (6, 2), (9, 0)])
def test_the_mean_without_the_extremes(n_updates, f):
    def step(updates):
        ordered = np.sort(floats(updates), axis=0)
        return ETA * ordered[f : n_updates - f].mean(axis=0)

    assert_moves_by("trimmed_mean", step, rounds_of(n_updates), f=f)


@pytest.mark.parametrize("m", [1, 2, 4])
def test_the_mean_of_those_with_the_best_score(m):
    n_updates, f = 8, 2

    def step(updates):
        points = floats(updates)
        squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
        scores = np.sort(squares, axis=1)[:, 1 : n_updates - f - 1].sum(axis=1)
        return ETA * points[np.argsort(scores)[:m]].mean(axis=0)

    assert_moves_by("multi_krum", step, rounds_of(n_updates), f=f, m=m)
    if m == 1:
        assert_moves_by("krum", step, rounds_of(n_updates), f=f)


def test_the_point_closest_to_all():
    def step(updates):
        points = floats(updates)
        point = points.mean(axis=0)
        for _ in range(40):
            lengths = np.linalg.norm(points - point, axis=1)
            shares = 1 / np.maximum(lengths, 2.0**SCALE_EXP)
            point = (points * shares[:, None]).sum(axis=0) / shares.sum()
        return ETA * point

    assert_moves_by("geometric_median", step, rounds_of(7), f=3, steps=40)


def test_no_update_counts_for_more_than_its_norm():
    bound = 0.5

    def step(updates):
        points = floats(updates)
        lengths = np.linalg.norm(points, axis=1)
        clipped = points * np.minimum(1, bound / lengths)[:, None]
        return ETA * clipped.mean(axis=0)

    rounds = rounds_of(5)
    rounds[1] = [(1, delta // 64) for _, delta in rounds[1]]
    assert_moves_by("norm_clipping", step, rounds, f=2, norm=bound)


def test_a_geometric_median_leaves_one_that_is_far_away():
    # Five points on a line: four at 0 to 3, one at 10^6. The median is the third.
    places = [0, 1, 2, 3, 1_000_000]
    squares = tuple(tuple((a - b) ** 2 for b in places) for a in places)

    shares = weiszfeld(squares, 256)

    point = sum(c * x for c, x in zip(shares, places, strict=True)) / sum(shares)
    assert abs(point - 2) < 0.5


def test_equal_scores_go_to_the_first():
    squares = tuple(tuple(int(i != j) for j in range(5)) for i in range(5))

    assert ranking(squares, 1) == [0, 1, 2, 3, 4]


def test_one_nan_is_refused_before_it_is_an_update():
    values = np.zeros(5)
    values[3] = np.nan

    with pytest.raises(NotFinite, match="'w': 1 values are not finite"):
        make_integers({"w": values}, PARAMS)


ROBUST = ("median", "trimmed_mean", "krum", "multi_krum", "geometric_median")


@pytest.mark.parametrize("name", [*ROBUST, "norm_clipping", "fedadam", "fedyogi"])
def test_an_update_that_is_tiny_everywhere_moves_nothing(name):
    # Below half a unit every value rounds to zero.
    tiny = make_integers({"w": np.full(N_VALUES, 2.0**SCALE_EXP / 4)}, PARAMS)["w"]
    given = {"norm": 1.0} if name == "norm_clipping" else {}
    assert not tiny.any()

    (made,) = run(name, [[(1, tiny)] * 5], **given)

    assert not made.any()


@pytest.mark.parametrize("name", [*ROBUST, "norm_clipping"])
def test_copies_of_one_update_do_not_carry_the_others_away(name):
    # Six alike, and f = 2 copies of one far away.
    (honest,) = rounds_of(6, 1)
    far = np.full(N_VALUES, 9000, np.int16)
    given = {"norm": 0.5} if name == "norm_clipping" else {}

    (made,) = run(name, [[*honest, (1, far), (1, far.copy())]], f=2, **given)

    reach = np.linalg.norm(far * 2.0**SCALE_EXP) * ETA
    assert np.linalg.norm(made) < reach / 8


@pytest.mark.parametrize("name", [*ROBUST, "norm_clipping"])
def test_all_copies_of_one_are_that_one(name):
    (first, *_), *_ = rounds_of(1, 1)
    given = {"norm": 30.0} if name == "norm_clipping" else {}

    (made,) = run(name, [[first] * 5], **given)

    assert np.abs(made - ETA * first[1] * 2.0**SCALE_EXP).max() < 1e-6
