"""What a recipe says of its noise is numbers within limits, or refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import ObjectInvalid
from flair_client.training.noisy_steps import (
    MAX_NOISE,
    MAX_STEPS,
    MIN_NOISE,
    NoisySteps,
)

FIELDS = {"noise_multiplier": 1.1, "sampling_rate": 0.01, "steps": 100}


@given(
    noise=st.floats(MIN_NOISE, MAX_NOISE),
    rate=st.floats(1e-12, 1),
    steps=st.integers(1, MAX_STEPS),
)
def test_words_and_tables_come_back(noise, rate, steps):
    made = NoisySteps(noise, rate, steps)

    assert NoisySteps.parse(made.text) == made
    assert NoisySteps.load(made.save()) == made
    assert len(made.text) < 128


def test_other_words_are_something_else():
    assert NoisySteps.parse("rdp, two clips apart") is None
    assert NoisySteps.parse(NoisySteps(1.0, 0.5, 3).text + " ") is None
    assert NoisySteps.load(None) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("noise_multiplier", 0.0),
        ("noise_multiplier", 0.009),
        ("noise_multiplier", -1.0),
        ("noise_multiplier", math.nan),
        ("noise_multiplier", math.inf),
        ("noise_multiplier", "1"),
        ("noise_multiplier", True),
        ("sampling_rate", 0.0),
        ("sampling_rate", 1.01),
        ("sampling_rate", None),
        ("steps", 0),
        ("steps", 1.0),
        ("steps", True),
        ("steps", MAX_STEPS + 1),
    ],
)
def test_numbers_out_of_range(field, value):
    with pytest.raises(ObjectInvalid, match=field):
        NoisySteps.load({**FIELDS, field: value})


@pytest.mark.parametrize(
    "fields",
    [{}, [], "steps", 3, {**FIELDS, "epsilon": 0.1}, {"steps": 1}],
)
def test_no_such_table(fields):
    with pytest.raises(ObjectInvalid, match="is no table"):
        NoisySteps.load(fields)


@pytest.mark.parametrize(
    "text",
    [
        "rdp, one row, dp-sgd noise 1..1 rate 0.1 steps 3",
        "rdp, one row, dp-sgd noise 1.1 rate 2.0 steps 3",
        "rdp, one row, dp-sgd noise 1.1 rate 0.1 steps 0",
    ],
)
def test_words_with_numbers_out_of_range(text):
    with pytest.raises(ObjectInvalid):
        NoisySteps.parse(text)
