import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flair_client.arithmetic import to_fixed
from flair_client.delta_integers import make_integers, norm_sq
from flair_client.errors import OutOfRange
from flair_client.porcelain.policy import policy_params
from flair_client.porcelain.policy_fit import (
    fit_run,
    fitting_scale,
    measure,
    propose,
    round_up,
)


def update(*pairs):
    values = [(np.array(old, float), np.array(new, float)) for old, new in pairs]
    return measure("training", lambda: iter(values))


def test_measures_worked_out_by_hand():
    one = update(([1, 1, 0], [4, 1, 0]), ([-8], [-4]), ([], []))

    assert one.length == 5
    assert one.largest == 4
    assert one.largest_value == 8
    assert (one.n_values, one.n_changed) == (4, 2)


def test_what_a_policy_does_worked_out_by_hand():
    # In units of 2^-2: 4000/4096 is cut to 4095 of 4096 possible steps, .1 to nothing.
    one = update(([0, 0, 0, 0], [1024.0, 0.1, 0.5, 0]))

    run = fit_run(one, 13, -2, norm_bound=2048)

    assert run.clipped_share == 1 / 4
    assert run.zero_share == pytest.approx(1 / 3)
    # 1024 becomes 4095/4, and .1 becomes 0.
    assert run.error == pytest.approx(math.hypot(0.25, 0.1) / one.length)
    assert run.norm_by_bound == pytest.approx(0.5, rel=1e-6)


def test_an_update_that_is_too_long_is_scaled_first():
    run = fit_run(update(([0], [3.0])), 16, -10, norm_bound=1)

    assert run.norm_by_bound == 3
    assert run.error == 0


def test_the_unit_is_the_finest_that_fits():
    # Twice 0.5 in 2^15 - 1 steps: 2^-15 gives 32768, one too many.
    assert fitting_scale([update(([0], [0.5]))], 16, 2) == -14
    assert fitting_scale([update(([0], [0.499]))], 16, 2) == -15
    assert fitting_scale([update(([0], [0.5]))], 13, 2) == -11
    # Weights of 2^20 must stay below 2^61: 20 + 24 + 17 = 61.
    assert fitting_scale([update(([2.0**20], [2.0**20 - 2**-20]))], 16, 2) == -17


def test_updates_that_no_policy_can_carry():
    with pytest.raises(OutOfRange, match="need scale_exp 52"):
        fitting_scale([update(([0], [1e20]))], 16, 1)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0.0231, 0.024),
        (117, 120),
        (1.0, 1.0),
        (0.1, 0.1),
        (0.3, 0.3),
        (9.91, 10.0),
        (2 * 0.15, 0.3),
        (1e-30, 1e-30),
        (0, 0),
    ],
)
def test_bounds_have_two_digits(value, rounded):
    assert round_up(value) == rounded


ARRAYS = hnp.arrays(
    np.float64,
    st.integers(1, 50),
    elements=st.floats(-1e6, 1e6, allow_nan=False, width=32),
)


@given(ARRAYS, st.floats(1, 16))
def test_a_proposal_keeps_the_run_whole(change, headroom):
    assume(np.abs(change).max() > 1e-9)
    one = update((np.ones_like(change), 1 + change))

    chosen, both = propose([one], headroom)

    assert chosen in both
    for proposal in both:
        (run,) = proposal.runs
        assert run.clipped_share == 0
        assert run.norm_by_bound <= 1
        # Each value moves by half a unit at most.
        half = math.ldexp(0.5, proposal.scale_exp)
        assert run.error * one.length <= half * math.sqrt(change.size) * (1 + 1e-9)
        fields = {"scale_exp": proposal.scale_exp, "norm_bound": proposal.norm_bound}
        params = policy_params({"bits": proposal.bits, **fields}, n_params=change.size)
        difference = (1 + change) - 1
        integers = make_integers({"w": difference}, params)["w"]
        assert norm_sq(integers) <= params.norm_bound_sq
        kept = np.ldexp(integers.astype(float), proposal.scale_exp)
        lost = float(np.linalg.norm(difference - kept))
        assert run.error * one.length == pytest.approx(lost, abs=half * 1e-3)
        to_fixed(1 + change, proposal.scale_exp)


def test_thirteen_bits_where_they_will_do():
    even = update((np.zeros(100), np.linspace(0.5, 1, 100)))
    uneven = update((np.zeros(100), np.geomspace(1e-7, 1, 100)))

    assert propose([even], 2)[0].bits == 13
    assert propose([uneven], 2)[0].bits == 16
    assert propose([even, uneven], 2)[0].bits == 16
