"""Sums, angles, masks and rounding: the same bits on every machine."""

import math
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import merging_reference as reference
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import OutOfRange
from flair_client.merging.angles import slerp_factors
from flair_client.merging.masks import CHUNK, Mask
from flair_client.merging.rounding import to_dtype
from flair_client.merging.sums import N_LANES, OrderedSum
from flair_client.objects import DType
from flair_client.testing_objects import make_commit_id

# Significant bits, exponent of the smallest subnormal, largest number.
FORMATS = {
    DType.F32: (24, -149, Fraction(2) ** 128 - Fraction(2) ** 104),
    DType.F16: (11, -24, Fraction(65504)),
    DType.BF16: (8, -133, Fraction(2) ** 128 - Fraction(2) ** 120),
}


def lanes_by_hand(numbers):
    lanes = [0.0] * N_LANES
    for i, number in enumerate(numbers):
        lanes[i % N_LANES] += number
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[j] + lanes[j + half] for j in range(half)]
    return lanes[0]


@pytest.mark.parametrize("n_values", [0, 1, 4095, 4096, 4097, 10_000])
def test_a_sum_is_in_the_order_that_is_written_down(n_values):
    numbers = np.random.default_rng(7).standard_normal(n_values) * 1e3
    total = OrderedSum()

    for at in range(0, n_values, 2 * N_LANES):
        total.add(numbers[at : at + 2 * N_LANES])

    assert total.total() == lanes_by_hand(numbers.tolist())


def test_a_sum_refuses_values_after_a_part_that_was_the_last():
    total = OrderedSum()
    total.add(np.ones(3))

    with pytest.raises(ValueError, match="is the last one"):
        total.add(np.ones(1))


@given(st.floats(-0.9995, 0.9995), st.integers(0, 10**9))
def test_factors_of_an_arc_are_rounded_once(cosine, t_e9):
    with mpmath.workdps(60):
        t = mpmath.mpf(t_e9) / 10**9
        angle = mpmath.acos(mpmath.mpf(cosine))
        first = mpmath.sin((1 - t) * angle) / mpmath.sin(angle)
        second = mpmath.sin(t * angle) / mpmath.sin(angle)

    factors = slerp_factors(cosine, Decimal(t_e9) / 10**9)

    # Where the exact factor is 0 the series leaves less than any weight can show.
    assert factors == pytest.approx(
        (float(first), float(second)), rel=0, abs=1e-49
    ) or (factors == (float(first), float(second)))


def test_a_mask_is_as_documented():
    n_values = CHUNK + 1000
    mask = Mask(5, make_commit_id(3), "layer.ünï", 300_000_000)

    drawn = np.concatenate([mask.take(1), mask.take(CHUNK), mask.take(999)])

    expected = reference.dare_mask(
        5, make_commit_id(3).raw, "layer.ünï", 300_000_000, n_values
    )
    assert drawn.tolist() == expected
    # 30 % within five deviations.
    assert abs(drawn.mean() - 0.3) < 5 * math.sqrt(0.3 * 0.7 / n_values)


@pytest.mark.parametrize(
    "other", [(6, 3, "w"), (5, 4, "w"), (5, 3, "v")], ids=["seed", "model", "name"]
)
def test_masks_differ_by_seed_model_and_name(other):
    seed, model, name = other
    ours = Mask(5, make_commit_id(3), "w", 500_000_000).take(64)
    theirs = Mask(seed, make_commit_id(model), name, 500_000_000).take(64)

    assert ours.tolist() != theirs.tolist()


def test_a_mask_of_density_one_keeps_all():
    assert Mask(0, make_commit_id(1), "w", 10**9).take(CHUNK).all()


def nearest(value, dtype):
    """The float of a dtype nearest to an exact number, half to even."""
    n_bits, low_exp, _ = FORMATS[dtype]
    exact = abs(Fraction(value))
    exponent = low_exp
    while exact >= Fraction(2) ** (exponent + n_bits):
        exponent += 1
    units = round(exact / Fraction(2) ** exponent)
    return math.copysign(float(units * Fraction(2) ** exponent), value)


@given(
    st.sampled_from(sorted(FORMATS)),
    st.one_of(
        st.floats(-60000, 60000),
        st.floats(-1e-4, 1e-4),
        st.floats(-1e-37, 1e-37),
        st.integers(-4096, 4096).map(lambda n: n / 16),
        # Just beside a tie of BF16, by less than float32 can show.
        st.tuples(st.integers(128, 255), st.sampled_from([-1, 0, 1])).map(
            lambda it: it[0] + 0.5 + it[1] * 2.0**-40
        ),
    ),
)
def test_values_are_rounded_once_half_to_even(dtype, value):
    narrow = to_dtype(np.array([value]), dtype, "w")

    expected = nearest(value, dtype)
    assert float(narrow[0]) == expected
    assert math.copysign(1, float(narrow[0])) == math.copysign(1, expected)


@pytest.mark.parametrize("dtype", sorted(FORMATS))
def test_the_largest_value_is_kept_and_the_next_one_refused(dtype):
    n_bits, _, largest = FORMATS[dtype]
    half_a_unit = largest / (2**n_bits - 1) / 2

    kept = to_dtype(np.array([-float(largest + half_a_unit * 0.999)]), dtype, "w")

    assert float(kept[0]) == -float(largest)
    with pytest.raises(OutOfRange, match=rf"'w'.* beyond the range of {dtype.value}"):
        to_dtype(np.array([0.0, float(largest + half_a_unit)]), dtype, "w")


def test_what_is_no_number_any_more_is_refused():
    for dtype in (DType.F64, *FORMATS):
        with pytest.raises(OutOfRange):
            to_dtype(np.array([math.nan]), dtype, "w")


def test_the_bytes_do_not_depend_on_the_processor():
    """NumPy with its vector instructions turned off gives the same bytes."""
    script = (
        "import hashlib, numpy as np\n"
        "from merging_world import values\n"
        "rng = np.random.default_rng(3)\n"
        "models = [{'w': rng.standard_normal(9000).astype(np.float32)}"
        " for _ in range(3)]\n"
        "out = [values(m, models[1:], base=b, params=p).tobytes() for m, b, p in ("
        "('linear', None, {}), ('slerp', None, {'t': 0.3}),"
        "('task_arithmetic', models[0], {'lambda': 0.7}),"
        "('ties', models[0], {'density': 0.3}),"
        "('dare_ties', models[0], {'density': 0.3}))]\n"
        "print(hashlib.sha256(b''.join(out)).hexdigest())\n"
    )
    folder = str(Path(__file__).parent)
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    digests = set()
    for disabled in ("", " ".join(found)):
        env = {**os.environ, "PYTHONPATH": folder, "NPY_DISABLE_CPU_FEATURES": disabled}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=env,
            check=True,
            capture_output=True,
            text=True,
        )
        digests.add(done.stdout)

    assert len(digests) == 1
