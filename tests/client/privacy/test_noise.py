"""The discrete Gaussian against its own formula; fixed keys here, never elsewhere."""

import math

import numpy as np
import pytest

from flair_client.errors import OutOfRange
from flair_client.privacy import noise
from flair_client.privacy.noise import (
    DiscreteGaussian,
    RandomStream,
    new_key,
    noise_of,
)

KEY = bytes(range(32))


def probabilities(sigma, limit):
    """Of the integers from -limit to limit, by the definition."""
    ks = np.arange(-limit, limit + 1)
    weights = np.exp(-(ks.astype(float) ** 2) / (2 * sigma**2))
    return ks, weights / weights.sum()


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.7, 40.0])
def test_thresholds_are_the_cumulative_probabilities(sigma):
    ks, exact = probabilities(sigma, math.ceil(20 * sigma))
    gaussian = DiscreteGaussian(sigma)
    middle = len(ks) // 2

    for m, threshold in enumerate(gaussian._thresholds[: math.ceil(5 * sigma)]):
        within = exact[middle - m : middle + m + 1].sum()
        assert threshold / 2**192 == pytest.approx(within, rel=1e-12)


def test_the_table_ends_where_nothing_is_left():
    gaussian = DiscreteGaussian(10.0)

    # exp(-k²/200) falls below 2^-192 at k = 163.
    assert len(gaussian._thresholds) == pytest.approx(163, abs=2)
    assert 2**192 - gaussian._thresholds[-1] < 2**10
    assert sorted(gaussian._thresholds) == [*gaussian._thresholds]


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.3])
def test_counts_are_as_the_formula_says(sigma):
    n = 200_000
    drawn = noise_of(DiscreteGaussian(sigma), KEY, "x", (n,))
    ks, exact = probabilities(sigma, math.ceil(12 * sigma))
    expected = n * exact
    counts = np.array([(drawn == k).sum() for k in ks])
    enough = expected >= 10
    chi_sq = float(((counts - expected)[enough] ** 2 / expected[enough]).sum())

    # Chi-square of d degrees has mean d and deviation sqrt(2 d).
    degrees = enough.sum() - 1
    assert abs(chi_sq - degrees) < 4 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("sigma", [1.0, 50.0, 5000.0])
def test_mean_deviation_and_tails(sigma):
    n = 400_000
    drawn = noise_of(DiscreteGaussian(sigma), KEY, "x", (n,)).astype(float)

    # Deviations of the estimates: of the mean sigma/sqrt(n), of the deviation
    # sigma/sqrt(2n), of the fourth moment by sigma^4 sqrt(96/n).
    assert abs(drawn.mean()) < 4 * sigma / math.sqrt(n)
    assert abs(drawn.std() - sigma) < 4 * sigma / math.sqrt(2 * n)
    assert abs((drawn**4).mean() / sigma**4 - 3) < 4 * math.sqrt(96 / n)
    beyond = (np.abs(drawn) > 3 * sigma).mean()
    exact = 0.0027 if sigma > 10 else 2 * probabilities(1.0, 20)[1][-17:].sum()
    assert beyond == pytest.approx(exact, abs=4 * math.sqrt(exact / n))


def test_the_other_bits_decide_where_the_first_64_do_not(monkeypatch):
    gaussian = DiscreteGaussian(2.0)
    threshold = gaussian._thresholds[1]
    head, low = threshold >> 128, threshold & (2**128 - 1)
    assert 0 < low < 2**128 - 1

    class Fixed:
        def __init__(self, last):
            self.parts = [
                head.to_bytes(8, "little"),
                b"\x00",
                last.to_bytes(16, "little"),
            ]

        def read(self, size):
            part = self.parts.pop(0)
            assert len(part) == size
            return part

    # Below the threshold P(|k| <= 1) it is 1, at it and above 2.
    assert gaussian.draw(Fixed(low - 1), 1).tolist() == [1]
    assert gaussian.draw(Fixed(low), 1).tolist() == [2]


def test_the_same_key_and_name_give_the_same_noise_again():
    gaussian = DiscreteGaussian(7.0)
    first = noise_of(gaussian, KEY, "a", (3, 5))

    assert np.array_equal(first, noise_of(gaussian, KEY, "a", (3, 5)))
    assert not np.array_equal(first, noise_of(gaussian, KEY, "b", (3, 5)))
    assert not np.array_equal(first, noise_of(gaussian, bytes(32), "a", (3, 5)))


def test_parts_of_a_long_tensor_do_not_repeat(monkeypatch):
    monkeypatch.setattr(noise, "_N_PART", 100)
    drawn = noise_of(DiscreteGaussian(1000.0), KEY, "x", (300,))

    assert len({tuple(drawn[at : at + 100]) for at in (0, 100, 200)}) == 3


def test_no_noise_for_no_values_and_one_for_a_scalar():
    gaussian = DiscreteGaussian(3.0)

    assert noise_of(gaussian, KEY, "x", (0, 4)).shape == (0, 4)
    assert noise_of(gaussian, KEY, "x", ()).shape == ()


def test_keys_come_from_the_system():
    assert len({new_key() for _ in range(8)}) == 8
    assert RandomStream(new_key(), "x").read(32) != RandomStream(new_key(), "x").read(
        32
    )


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_deviations_that_cannot_be(sigma):
    with pytest.raises(OutOfRange):
        DiscreteGaussian(sigma)
