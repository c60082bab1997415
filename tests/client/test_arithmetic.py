"""Exact integers and their floats, against fractions and other implementations."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flair_client.arithmetic import (
    add_checked,
    bytes_from_values,
    divide_half_even,
    from_fixed,
    rescale_fixed,
    scale_checked,
    subtract_checked,
    to_fixed,
    values_from_bytes,
)
from flair_client.errors import NotFinite, ObjectInvalid, OutOfRange
from flair_client.objects import DType

INT64 = st.integers(-(2**63), 2**63 - 1)
SCALES = st.integers(-40, 20)
FORMATS = {
    DType.F64: (53, -1074, 1024),
    DType.F32: (24, -149, 128),
    DType.F16: (11, -24, 16),
    DType.BF16: (8, -133, 128),
}
FLOATS = list(FORMATS)


def nearest(value, dtype):
    """The nearest float to a fraction, half to even, by whole numbers alone."""
    n_bits, low_exp, top_exp = FORMATS[dtype]
    if value == 0:
        return Fraction(0)
    exponent = 0
    magnitude = abs(value)
    while magnitude >= 2 ** (exponent + 1):
        exponent += 1
    while magnitude < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - n_bits + 1, low_exp)
    rounded = round(magnitude / unit) * unit  # of a Fraction: half to even
    if rounded >= Fraction(2) ** top_exp:
        return None
    return rounded if value > 0 else -rounded


@given(INT64, SCALES, st.sampled_from(FLOATS))
@example(2**53 + 1, 0, DType.F64)
@example(2**54 - 1, 0, DType.F64)
@example(2**63 - 1, 0, DType.F64)
@example(-(2**63), 20, DType.F32)
@example((1 << 60) + (1 << 36) + 1, 0, DType.F32)  # float64 first would round to even
@example((1 << 60) + (3 << 36), 0, DType.F32)
@example(65519 << 24, 0, DType.F16)
@example(65520 << 24, 0, DType.F16)
@example(3, -1, DType.F16)
@example(1, 0, DType.F16)
def test_floats_are_the_nearest_in_one_rounding(whole, scale_exp, dtype):
    exact = Fraction(whole) * Fraction(2) ** (scale_exp - 24)
    expected = nearest(exact, dtype)
    fixed = np.array([whole], dtype=np.int64)

    if expected is None:
        with pytest.raises(OutOfRange):
            from_fixed(fixed, scale_exp, dtype)
    else:
        assert Fraction(float(from_fixed(fixed, scale_exp, dtype)[0])) == expected


def test_rounding_through_float64_would_be_wrong():
    # Just above the middle of two float32; float64 drops the last bit: the middle.
    whole = (1 << 60) + (1 << 36) + 1
    right = from_fixed(np.array([whole]), 24, DType.F32)[0]

    assert int(right) == (1 << 60) + (1 << 37)
    assert int(np.float32(np.float64(whole))) == 1 << 60


def test_zero_has_no_sign():
    # -1 unit is far below the smallest half-precision number.
    small = from_fixed(np.array([-1, 0]), -10, DType.F16)

    assert not np.signbit(small).any()


@given(
    st.floats(
        allow_nan=False, allow_infinity=False, width=64, min_value=-1e9, max_value=1e9
    ),
    SCALES,
)
def test_integers_are_the_nearest(value, scale_exp):
    expected = round(Fraction(value) * Fraction(2) ** (24 - scale_exp))

    if -(2**63) <= expected < 2**63:
        assert int(to_fixed(np.array([value]), scale_exp)[0]) == expected
    else:
        with pytest.raises(OutOfRange):
            to_fixed(np.array([value]), scale_exp)


@given(st.integers(-(2**46), 2**46), st.integers(-20, 10))
def test_float64_and_back_is_the_same_integer(whole, scale_exp):
    fixed = np.array([whole])

    back = to_fixed(from_fixed(fixed, scale_exp, DType.F64), scale_exp)

    assert back[0] == whole


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(bad):
    with pytest.raises(NotFinite, match="'w': 2 values"):
        to_fixed(np.array([1.0, bad, bad], np.float32), 0, "w")


@pytest.mark.parametrize("value", [2.0**39, -(2.0**39) * 1.001])
def test_a_value_beyond_64_bits_is_named(value):
    with pytest.raises(OutOfRange, match="tensor 'w'"):
        to_fixed(np.array([value]), 0, "w")


def test_the_lowest_integer_is_reached():
    assert to_fixed(np.array([-(2.0**39)]), 0)[0] == -(2**63)


def test_many_values_keep_order_and_shape():
    values = np.arange(200_000, dtype=np.float32).reshape(400, 500)

    fixed = to_fixed(values, 0)

    assert np.array_equal(fixed, np.arange(200_000).reshape(400, 500) << 24)
    assert np.array_equal(from_fixed(fixed, 0, DType.F32), values)


@given(INT64, st.integers(-40, 20), st.integers(-40, 20))
def test_another_scale_is_rounded_once(whole, from_exp, to_exp):
    expected = round(Fraction(whole) * Fraction(2) ** (from_exp - to_exp))
    fixed = np.array([whole], dtype=np.int64)

    if -(2**63) <= expected < 2**63:
        assert int(rescale_fixed(fixed, from_exp, to_exp)[0]) == expected
    else:
        with pytest.raises(OutOfRange):
            rescale_fixed(fixed, from_exp, to_exp)


@given(INT64, INT64)
def test_sums_and_differences_are_exact_or_refused(left, right):
    a, b = np.array([left], dtype=np.int64), np.array([right], dtype=np.int64)

    for function, expected in (
        (add_checked, left + right),
        (subtract_checked, left - right),
    ):
        if -(2**63) <= expected < 2**63:
            assert int(function(a, b)[0]) == expected
        else:
            with pytest.raises(OutOfRange, match="leaves 64 bits"):
                function(a, b)


@given(INT64, st.integers(-(2**40), 2**40))
def test_products_are_exact_or_refused(value, factor):
    values = np.array([value, 0], dtype=np.int64)

    if -(2**63) <= value * factor < 2**63:
        assert int(scale_checked(values, factor)[0]) == value * factor
    else:
        with pytest.raises(OutOfRange, match="leaves 64 bits"):
            scale_checked(values, factor)


@given(st.integers(0, 2**40), st.integers(1, 2**20))
def test_quotients_are_rounded_half_to_even(numerator, denominator):
    assert divide_half_even(numerator, denominator) == round(
        Fraction(numerator, denominator)
    )


@given(st.integers(0, 2**32 - 1))
@example(0x3F808000)  # the middle, even below
@example(0x3F818000)  # the middle, odd below
@example(0x7F7FFFFF)  # the largest float32 becomes infinite
@example(0x7F800001)  # a NaN whose upper bits alone would be infinity
def test_bf16_is_the_nearest(bits):
    value = np.array([bits], np.uint32).view(np.float32)

    back = values_from_bytes(bytes_from_values(value, DType.BF16), DType.BF16)[0]

    if np.isnan(value[0]):
        assert np.isnan(back)
    elif np.isinf(value[0]):
        assert back == value[0]
    else:
        expected = nearest(Fraction(float(value[0])), DType.BF16)
        if expected is None:
            assert np.isinf(back)
        else:
            assert Fraction(float(back)) == expected


@given(st.integers(0, 2**16 - 1))
def test_bf16_bytes_come_back(bits):
    raw = bits.to_bytes(2, "little")
    values = values_from_bytes(raw, DType.BF16)

    if not np.isnan(values[0]):
        assert bytes_from_values(values, DType.BF16) == raw


def test_a_boolean_is_zero_or_one():
    assert values_from_bytes(b"\0\1", DType.BOOL).tolist() == [False, True]
    with pytest.raises(ObjectInvalid, match="neither 0 nor 1"):
        values_from_bytes(b"\2", DType.BOOL)


def test_values_of_another_type_are_refused():
    with pytest.raises(TypeError, match="float64 values for F32"):
        bytes_from_values(np.zeros(1), DType.F32)
