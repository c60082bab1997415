"""Privacy loss against formulas by hand and the mechanism's exact curve."""

import math

import pytest

pytest.importorskip("dp_accounting", reason="the extra `privacy` is not installed")
import mpmath
import numpy as np

from flair_client.errors import ExtraMissing, UsageError
from flair_client.privacy import accountant
from flair_client.privacy.accountant import epsilon_of, noise_multiplier_for


def renyi_epsilon(rho: float, delta: float) -> float:
    """Loss of a mechanism whose Rényi divergence of order a is rho·a.

    Canonne, Kamath, Steinke 2020, proposition 12, at the best order of a fine grid.
    """
    a = 1 + np.logspace(-3, 5, 200_000)
    return float(
        np.min(
            rho * a + np.log((a - 1) / a) - (math.log(delta) + np.log(a)) / (a - 1),
        )
    )


def exact_epsilon(multiplier: float, delta: float) -> float:
    """Loss of the Gaussian mechanism, exactly (Balle and Wang 2018, theorem 8)."""
    distance = mpmath.mpf(2) / multiplier

    def excess(epsilon):
        first = mpmath.ncdf(distance / 2 - epsilon / distance)
        second = mpmath.ncdf(-distance / 2 - epsilon / distance)
        return first - mpmath.exp(epsilon) * second - delta

    low, high = mpmath.mpf(0), mpmath.mpf(1)
    while excess(high) > 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return float(high)


# The Rényi divergence of order a between two Gaussians of deviation z·C that lie 2·C
# apart is a·(2/z)²/2 = 2a/z².
@pytest.mark.parametrize("delta", [1e-5, 1e-6, 1e-9])
@pytest.mark.parametrize("multiplier", [1.0, 2.5, 10.0, 40.0])
def test_one_update_against_the_formula(multiplier, delta):
    by_hand = renyi_epsilon(2 / multiplier**2, delta)
    found = epsilon_of((multiplier,), delta)

    # Our orders are fewer: never below, and hardly above.
    assert by_hand <= found * (1 + 1e-9)
    assert found <= 1.002 * by_hand


@pytest.mark.parametrize("multiplier", [1.0, 4.0, 20.0])
def test_never_below_the_exact_loss(multiplier):
    exact = exact_epsilon(multiplier, 1e-6)

    assert exact <= epsilon_of((multiplier,), 1e-6) <= 1.25 * exact


def test_the_exact_loss_is_that_of_the_literature():
    # A distance of one deviation, delta 1e-5: epsilon 4.38 in the tables of Gaussian
    # differential privacy (Dong, Roth, Su 2019: delta 1.27e-1 at epsilon 1).
    assert exact_epsilon(2.0, 0.126_936_737_5) == pytest.approx(1.0, abs=1e-6)
    assert exact_epsilon(2.0, 1e-5) == pytest.approx(4.377, abs=1e-3)


def test_updates_together_are_one_with_less_noise():
    # Divergences add: n updates of multiplier z are one of z / sqrt(n).
    together = epsilon_of([8.0] * 16, 1e-6)

    assert together == pytest.approx(epsilon_of((2.0,), 1e-6))
    assert epsilon_of((3.0, 4.0), 1e-6) == pytest.approx(
        epsilon_of((1 / math.sqrt(1 / 9 + 1 / 16),), 1e-6)
    )
    assert together < 16 * epsilon_of((8.0,), 1e-6)


def test_no_update_gives_nothing_away():
    assert epsilon_of((), 1e-6) == 0


@pytest.mark.parametrize("epsilon", [0.05, 1.0, 8.0, 100.0])
def test_the_noise_for_a_loss_keeps_within_it(epsilon):
    multiplier = noise_multiplier_for(epsilon, 1e-6)

    assert epsilon_of((multiplier,), 1e-6) <= epsilon
    assert epsilon_of((multiplier * 0.999,), 1e-6) > epsilon


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [(0, 1e-6), (-1, 1e-6), (math.nan, 1e-6), (2000, 1e-6), (1, 0), (1, 1), (1, -1)],
)
def test_numbers_out_of_range(epsilon, delta):
    with pytest.raises(UsageError):
        noise_multiplier_for(epsilon, delta)


@pytest.mark.parametrize("multiplier", [0.0, -1.0, math.inf, math.nan])
def test_no_noise_multiplier(multiplier):
    with pytest.raises(UsageError):
        epsilon_of((1.0, multiplier), 1e-6)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)

    with pytest.raises(ExtraMissing):
        accountant.epsilon_of((1.0,), 1e-6)
