"""Clip, noise and the policy's bounds together."""

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("dp_accounting", reason="the extra `privacy` is not installed")

from flair_client.delta_integers import make_integers, norm_sq
from flair_client.errors import Refused
from flair_client.privacy.accountant import ACCOUNTANT, epsilon_of
from flair_client.privacy.noise import DiscreteGaussian, noise_of
from flair_client.privacy.plan import (
    ClippedPolicy,
    NoisePlan,
    NoisyIntegers,
    plan_noise,
)

KEY = bytes(range(32))
POLICY = ClippedPolicy(bits=16, scale_exp=-12, n_params=100, norm_bound_sq=2**24)


def test_clip_and_noise_fit_into_the_policys_bound():
    plan = plan_noise(POLICY, 100, epsilon=2.0, delta=1e-6)
    bound = math.sqrt(POLICY.norm_bound_sq)

    assert plan.epsilon <= 2.0
    assert plan.epsilon == epsilon_of((plan.noise_multiplier,), 1e-6)
    assert plan.sigma == plan.noise_multiplier * math.sqrt(plan.clip_sq)
    # By hand: clip + sigma·(sqrt(100) + 3) is the bound, but for rounding down.
    used = math.sqrt(plan.clip_sq) + plan.sigma * 13
    assert 0.9 * bound < used <= bound


def test_single_values_have_room_in_16_bits():
    wide = replace(POLICY, norm_bound_sq=2**60)
    plan = plan_noise(wide, 1, epsilon=1.0, delta=1e-6)

    assert math.sqrt(plan.clip_sq) + 6 * plan.sigma <= 2**15 - 1


def test_a_bound_without_room_is_refused():
    with pytest.raises(Refused, match="no room"):
        plan_noise(replace(POLICY, norm_bound_sq=100), 10**6, epsilon=0.1, delta=1e-6)


def test_what_the_commit_states():
    plan = NoisePlan(clip_sq=400, noise_multiplier=3.0, epsilon=1.5, delta=1e-6)
    stated = plan.statement("public", -12)

    assert stated.clip == 20 * 2**-12
    assert (stated.mode, stated.noise_multiplier) == ("public", 3.0)
    assert (stated.epsilon, stated.delta) == (1.5, 1e-6)
    assert stated.accountant == ACCOUNTANT


def clipped(plan, seed, length):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=100)
    values *= length / np.linalg.norm(values)
    return make_integers(
        {"w": values[:60], "b": values[60:], "zero": np.zeros(7)},
        replace(POLICY, norm_bound_sq=plan.clip_sq),
    )


@pytest.mark.parametrize("length", [1e-4, 0.1, 1e6])
def test_before_noise_an_update_is_within_the_clip(length):
    plan = plan_noise(POLICY, 100, epsilon=2.0, delta=1e-6)
    ints = clipped(plan, 0, length)

    assert sum(map(norm_sq, ints.values())) <= plan.clip_sq


def test_noise_is_added_to_what_is_sent_alone():
    plan = plan_noise(POLICY, 100, epsilon=2.0, delta=1e-6)
    ints = clipped(plan, 0, 0.1)
    noisy = NoisyIntegers(ints, {"w", "b"}, POLICY, plan, KEY)

    assert list(noisy) == list(ints)
    assert not noisy["zero"].any()
    assert np.array_equal(noisy["w"], noisy["w"])
    gaussian = DiscreteGaussian(plan.sigma)
    for name in ("w", "b"):
        expected = ints[name] + noise_of(gaussian, KEY, name, ints[name].shape)
        assert np.array_equal(noisy[name], expected)


def test_the_sum_over_many_updates_is_the_update_again():
    plan = plan_noise(POLICY, 100, epsilon=8.0, delta=1e-6)
    ints = clipped(plan, 0, 0.1)
    n = 400
    total = np.zeros(60)
    for k in range(n):
        noisy = NoisyIntegers(ints, {"w", "b"}, POLICY, plan, k.to_bytes(32, "big"))
        total += noisy["w"]

    # The mean of n has deviation sigma/sqrt(n) in each of the 60 values.
    error = total / n - ints["w"]
    assert np.sqrt((error**2).mean()) == pytest.approx(
        plan.sigma / math.sqrt(n), rel=0.35
    )


@pytest.mark.parametrize("seed", range(20))
def test_with_noise_an_update_is_within_norm_and_range_of_the_policy(seed):
    # Much more noise than there is room for, so that both limits are hit.
    plan = NoisePlan(clip_sq=2**20, noise_multiplier=8.0, epsilon=1.0, delta=1e-6)
    policy = replace(POLICY, bits=13)
    ints = clipped(plan, seed, 1.0)
    ints = {name: np.clip(value, -4096, 4095) for name, value in ints.items()}
    noisy = NoisyIntegers(ints, {"w", "b"}, policy, plan, bytes([seed] * 32))

    assert sum(norm_sq(noisy[name]) for name in noisy) <= policy.norm_bound_sq
    for name in noisy:
        assert noisy[name].dtype == np.int16
        assert -4096 <= noisy[name].min() <= noisy[name].max() <= 4095


def test_no_data_shows_in_whether_a_tensor_has_noise():
    plan = plan_noise(POLICY, 100, epsilon=2.0, delta=1e-6)
    nothing = {name: np.zeros_like(v) for name, v in clipped(plan, 0, 1.0).items()}
    noisy = NoisyIntegers(nothing, {"w", "b"}, POLICY, plan, KEY)

    assert noisy["w"].any()
    assert noisy["b"].any()
