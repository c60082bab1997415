"""SCAFFOLD against algorithm 1 of its paper, on losses whose optimum is known.

Karimireddy et al. 2020, option II. Contributor i has the loss a_i / 2 · (w - b_i)², so
all of them together are least at Σ a_i b_i / Σ a_i, and a mean of what each ends at
alone is another point.
"""

from fractions import Fraction

import numpy as np
import pytest

from flair_client.arithmetic import from_fixed, to_fixed
from flair_client.errors import ObjectInvalid, UsageError
from flair_client.history.merge_arrays import merge_arrays
from flair_client.objects import DType
from flair_client.strategies import Choice, choice_of, get_strategy
from flair_client.strategies.parameters import from_numbers, pack
from flair_client.strategies.scaffold import moved
from flair_client.testing import PARAMS

SCALE_EXP = -13
UNIT = 2.0**SCALE_EXP
N_STEPS, STEP = 20, 0.05
RATE = N_STEPS * STEP
# Steepness and place of each contributor's loss.
STEEP = np.array([0.5, 4.0, 1.0, 2.0])
PLACE = np.array([-1.0, 1.0, 2.0, 0.5])


def optimum(n):
    return (STEEP[:n] * PLACE[:n]).sum() / STEEP[:n].sum()


def rounded(update):
    return round(float(update) / UNIT)


def train(start, i, correction):
    """Where local steps end, as algorithm 1 writes them."""
    y = start
    for _ in range(N_STEPS):
        y -= STEP * (STEEP[i] * (y - PLACE[i]) + correction)
    return y


class Paper:
    """Algorithm 1, one number at a time; what is sent is rounded as ours is."""

    def __init__(self, n):
        self.n, self.x, self.c, self.own = n, 0.0, 0.0, [0.0] * n

    def run_round(self, sampled):
        deltas, moves = [], []
        for i in sampled:
            y = train(self.x, i, self.c - self.own[i])
            y = self.x + rounded(y - self.x) * UNIT
            new = self.own[i] - self.c + (self.x - y) / (N_STEPS * STEP)
            deltas.append(y - self.x)
            moves.append(new - self.own[i])
            self.own[i] = new
        self.x += sum(deltas) / len(sampled)
        self.c += len(sampled) / self.n * sum(moves) / len(sampled)


class Ours:
    """The same rounds, merged by our code, with our variates."""

    def __init__(self, strategy="scaffold", contributors=0):
        chosen = get_strategy(strategy)
        given = {"rate": RATE, "contributors": contributors}
        params = from_numbers(
            strategy, chosen.parameters, given if strategy == "scaffold" else {}
        )
        self.choice = Choice(chosen, params, 1 << 24, SCALE_EXP)
        self.state = to_fixed(np.zeros(1), SCALE_EXP)
        self.moments = tuple(np.zeros(1) for _ in chosen.moments)
        self.own = np.zeros((len(STEEP), 1))

    @property
    def x(self):
        return float(from_fixed(self.state, SCALE_EXP, DType.F64)[0])

    def run_round(self, sampled, weights=(1, 1, 1, 1)):
        (server,) = self.moments or (np.zeros(1),)
        sent = []
        for i in sampled:
            correction = float((server - self.own[i])[0]) if self.moments else 0.0
            delta = rounded(train(self.x, i, correction) - self.x)
            sent.append((weights[i], np.array([delta], np.int16)))
        merged = merge_arrays(self.choice, self.state, sent, self.moments)
        for i, (_, delta) in zip(sampled, sent, strict=True):
            self.own[i] = moved(self.own[i], delta * UNIT, RATE, 1.0, server)
        self.state, self.moments = merged.values, merged.moments


def test_two_rounds_of_two_contributors_by_hand():
    # One step of 1/2 each, a = 1, b = 0 and 2, from x = 1, and rate = 1/2:
    # y = 1/2 and 3/2, so x stays 1, c = 0, c_1 = 1 and c_2 = -1: their gradients. Then
    # neither moves: 1 - 1 = 0 and -1 + 1 = 0.
    strategy = get_strategy("scaffold")
    params = from_numbers("scaffold", strategy.parameters, {"rate": 0.5})
    choice = Choice(strategy, params, 1 << 24, SCALE_EXP)
    own, server = np.zeros((2, 1)), np.zeros(1)
    state, expected = to_fixed(np.ones(1), SCALE_EXP), [[-0.5, 0.5], [0.0, 0.0]]

    for deltas in expected:
        x = float(from_fixed(state, SCALE_EXP, DType.F64)[0])
        gradients = [x - b + float((server - own[i])[0]) for i, b in enumerate((0, 2))]
        assert [-0.5 * g for g in gradients] == deltas
        sent = [(1, np.array([round(d / UNIT)], np.int16)) for d in deltas]
        merged = merge_arrays(choice, state, sent, (server,))
        for i, delta in enumerate(deltas):
            own[i] = moved(own[i], np.array([delta]), 0.5, 1.0, server)
        state, (server,) = merged.values, merged.moments
        assert own.tolist() == [[1.0], [-1.0]]
        assert server.tolist() == [0.0]
        assert from_fixed(state, SCALE_EXP, DType.F64).tolist() == [1.0]


@pytest.mark.parametrize("n_sampled", [2, 4])
def test_every_number_is_that_of_the_papers_algorithm(n_sampled):
    ours, paper = Ours(contributors=4), Paper(4)
    numbers = np.random.default_rng(5)

    for _ in range(12):
        sampled = sorted(numbers.choice(4, n_sampled, replace=False).tolist())
        ours.run_round(sampled)
        paper.run_round(sampled)

        assert abs(ours.x - paper.x) < 1e-6
        assert abs(float(ours.moments[0][0]) - paper.c) < 1e-6
        assert np.abs(ours.own[:, 0] - paper.own).max() < 1e-6
    assert abs(paper.x) > 0.1


def test_it_ends_at_the_optimum_of_all_where_a_mean_does_not():
    ours, mean = Ours(), Ours("fedavg")

    for _ in range(40):
        ours.run_round(range(4))
        mean.run_round(range(4))

    assert abs(ours.x - optimum(4)) < 4 * UNIT
    assert abs(mean.x - optimum(4)) > 0.05


def run_some(ours, numbers, n_rounds=120):
    """One, two or three of the four take part, in turn."""
    for index in range(n_rounds):
        ours.run_round(numbers.choice(4, 1 + index % 3, replace=False).tolist())
    return ours


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_where_some_take_part_it_must_know_how_many_there_are(seed):
    told = run_some(Ours(contributors=4), np.random.default_rng(seed))
    untold = run_some(Ours(), np.random.default_rng(seed))

    assert abs(told.x - optimum(4)) < 8 * UNIT
    # The server's variate stays the mean of everybody's, whoever took part.
    assert abs(float(told.moments[0][0]) - told.own.mean()) < 1e-9
    assert abs(untold.x - optimum(4)) > 0.1
    assert abs(float(untold.moments[0][0]) - untold.own.mean()) > 0.1


def test_as_many_in_every_round_need_not_be_told():
    # The mean of all variates then is a fixed share of the server's, and both end at 0.
    ours, numbers = Ours(), np.random.default_rng(1)

    for _ in range(120):
        ours.run_round(numbers.choice(4, 2, replace=False).tolist())

    assert abs(ours.x - optimum(4)) < 8 * UNIT


def test_weights_do_not_count():
    light, heavy = Ours(), Ours()

    for _ in range(3):
        light.run_round(range(4))
        heavy.run_round(range(4), weights=(1, 256, 4, 2))

    assert light.state.tolist() == heavy.state.tolist()
    assert light.moments[0].tolist() == heavy.moments[0].tolist()


def test_more_updates_than_the_policy_thought_count_as_all():
    strategy = get_strategy("scaffold")
    sent = [(1, np.array([8], np.int16))] * 3
    results = []
    for contributors in (0, 2, 3):
        given = {"rate": 1.0, "contributors": contributors}
        params = from_numbers("scaffold", strategy.parameters, given)
        choice = Choice(strategy, params, 1 << 24, SCALE_EXP)
        base = to_fixed(np.zeros(1), SCALE_EXP)
        results.append(merge_arrays(choice, base, sent, (np.ones(1),)).moments[0])

    assert [one.tolist() for one in results] == [[-8 * UNIT]] * 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "parameter 'rate' of strategy 'scaffold' is missing: local steps times"),
        ({"rate": 0}, "'rate' of strategy 'scaffold' is a number from"),
        ({"rate": -1.0}, "is a number from"),
        ({"rate": float("nan")}, "is a number from"),
        ({"rate": 2.0**15}, "is a number from"),
        ({"rate": 1, "contributors": 2.5}, "is a whole number from 0 to 1000000"),
        ({"rate": 1, "contributors": -1}, "is a whole number from 0 to 1000000"),
        ({"rate": 1, "contributors": 1_000_001}, "is a whole number from 0 to"),
        ({"rate": 1, "steps": 3}, "has no parameter 'steps'; it has: rate, contrib"),
    ],
)
def test_parameters_that_cannot_be_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        from_numbers("scaffold", get_strategy("scaffold").parameters, given)


def test_the_policys_bytes_hold_rate_and_contributors():
    strategy = get_strategy("scaffold")
    values = from_numbers(
        "scaffold", strategy.parameters, {"rate": 0.3, "contributors": 5}
    )
    packed = pack(strategy.parameters, values)

    assert values["rate_q48"] == round(Fraction(0.3) * 2**48)
    assert packed == values["rate_q48"].to_bytes(8, "little") + bytes([5, *[0] * 55])


def test_a_policy_with_a_rate_of_zero_is_none():
    class Policy:
        strategy, strategy_params = 13, bytes(64)
        eta_q24, scale_exp = PARAMS.eta_q24, PARAMS.scale_exp

    with pytest.raises(ObjectInvalid, match=r"strategy_params\.rate: must be a number"):
        choice_of(Policy())
