"""Privacy loss of DP-SGD against published figures, a formula and the exact loss."""

import logging
import math

import pytest

pytest.importorskip("dp_accounting", reason="the extra `privacy` is not installed")
import numpy as np

from flair_client.privacy.accountant import epsilon_of
from flair_client.training.noisy_steps import MAX_STEPS, MIN_NOISE, NoisySteps

# The usual run on MNIST: 60 epochs in batches of 256 out of 60,000 rows.
MNIST = NoisySteps(1.1, 256 / 60_000, 60 * 60_000 // 256)


def divergence(order: int, noise: float, rate: float) -> float:
    """Rényi divergence of one sampled step, for whole orders.

    Mironov, Talwar, Zhang 2019 (arXiv:1908.10530), section 3.3, as a sum of binomial
    terms in logarithms.
    """
    terms = [
        math.lgamma(order + 1)
        - math.lgamma(k + 1)
        - math.lgamma(order - k + 1)
        + k * math.log(rate)
        + (order - k) * math.log1p(-rate)
        + (k * k - k) / (2 * noise**2)
        for k in range(order + 1)
    ]
    largest = max(terms)
    total = largest + math.log(sum(math.exp(one - largest) for one in terms))
    return total / (order - 1)


def loss_by_hand(steps: NoisySteps, delta: float, *, tight: bool) -> float:
    """The least over whole orders; without `tight` by the conversion of 2017."""
    losses = []
    for order in range(2, 200):
        rho = steps.steps * divergence(
            order, steps.noise_multiplier, steps.sampling_rate
        )
        loss = rho - math.log(delta) / (order - 1)
        if tight:
            loss += math.log((order - 1) / order) - math.log(order) / (order - 1)
        losses.append(loss)
    return min(losses)


def exact_delta(noise: float, rate: float, epsilon: float) -> float:
    """Chance of a larger loss of one step, by integrating both densities."""
    x = np.linspace(-30 * noise, 1 + 30 * noise, 400_001)
    without = np.exp(-(x**2) / (2 * noise**2))
    shifted = np.exp(-((x - 1) ** 2) / (2 * noise**2))
    mixed = (1 - rate) * without + rate * shifted
    scale = (x[1] - x[0]) / (noise * math.sqrt(2 * math.pi))
    e = math.exp(epsilon)
    removed = np.maximum(mixed - e * without, 0).sum() * scale
    added = np.maximum(without - e * mixed, 0).sum() * scale
    return float(max(removed, added))


def test_the_formula_gives_the_published_figures():
    # TensorFlow Privacy's tutorial states 3.01 for this run; the moments accountant of
    # Abadi et al. 2016, section 3, 1.26 for the other one.
    assert loss_by_hand(MNIST, 1e-5, tight=False) == pytest.approx(3.01, abs=0.005)
    abadi = NoisySteps(4.0, 0.01, 10_000)
    assert loss_by_hand(abadi, 1e-5, tight=False) == pytest.approx(1.26, abs=0.01)


@pytest.mark.parametrize(
    "steps",
    [
        MNIST,
        NoisySteps(4.0, 0.01, 10_000),
        NoisySteps(1.0, 0.1, 50),
        NoisySteps(2.0, 0.5, 20),
    ],
)
def test_steps_against_the_formula(steps):
    by_hand = loss_by_hand(steps, 1e-5, tight=True)
    found = epsilon_of((steps,), 1e-5)

    # Orders between whole ones may be a little better.
    assert 0.97 * by_hand <= found <= by_hand * 1.005


@pytest.mark.parametrize(("noise", "rate"), [(1.0, 0.1), (0.7, 0.01), (3.0, 0.5)])
def test_never_below_the_exact_loss_of_a_step(noise, rate):
    found = epsilon_of((NoisySteps(noise, rate, 1),), 1e-5)

    assert exact_delta(noise, rate, found) <= 1e-5
    # The orders of the divergence lose some, but not the most of it.
    assert exact_delta(noise, rate, found / 3) > 1e-5


def test_every_row_in_every_step_is_the_gaussian_mechanism():
    # One row more or less moves a step by one clip, a noisy update by two.
    assert epsilon_of((NoisySteps(3.0, 1.0, 1),), 1e-6) == pytest.approx(
        epsilon_of((6.0,), 1e-6), rel=1e-6
    )


def test_steps_add_up_with_noisy_updates():
    steps = NoisySteps(1.1, 0.01, 100)
    both = epsilon_of((steps, 4.0), 1e-6)

    assert max(epsilon_of((steps,), 1e-6), epsilon_of((4.0,), 1e-6)) < both
    assert both < epsilon_of((steps,), 1e-6) + epsilon_of((4.0,), 1e-6)
    halves = [NoisySteps(1.1, 0.01, 50)] * 2
    assert epsilon_of(halves, 1e-6) == pytest.approx(epsilon_of((steps,), 1e-6))


def test_hardly_any_noise_gives_away_a_lot():
    for rate in (1e-6, 0.01, 1.0):
        for steps in (1, MAX_STEPS):
            found = epsilon_of((NoisySteps(MIN_NOISE, rate, steps),), 1e-6)
            assert math.isfinite(found)
            assert found > 100


def test_nothing_is_said_of_orders_that_are_left_out(caplog):
    with caplog.at_level(logging.WARNING):
        epsilon_of((MNIST,), 1e-5)

    assert caplog.records == []
