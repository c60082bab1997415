"""Every strategy against a plain-Python implementation of its formula, to the bit."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from flair_client.history.merge_distances import PairSums
from flair_client.strategies import STRATEGIES, Facts, get_strategy

VECTORS = Path(__file__).parents[2] / "vectors"
CASES = json.loads((VECTORS / "strategies.json").read_text())


def facts_of(strategy, params, one):
    deltas = [np.array(values, np.int16) for values in one["deltas"]]
    sums = PairSums(len(deltas))
    sums.add(deltas)
    return deltas, Facts(
        eta_q24=one["eta_q24"],
        scale_exp=one["scale_exp"],
        params=params,
        weights=tuple(one["weights"]),
        norms_sq=tuple(sum(v * v for v in values) for values in one["deltas"]),
        distances_sq=sums.distances_sq() if strategy.needs_distances else (),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["strategy"])
def test_integers_and_moments_are_those_worked_out(case):
    strategy = get_strategy(case["strategy"])
    base = np.array([0, 1, -(1 << 40), 123_456_789_012, -77])
    moments = tuple(np.zeros(5) for _ in strategy.moments)

    for one in case["rounds"]:
        deltas, facts = facts_of(strategy, case["params"], one)
        base, moments = strategy.rule(facts).merge_part(base, iter(deltas), moments)
        assert base.tolist() == one["expected"]
        for name, values in zip(strategy.moments, moments, strict=True):
            assert [x.hex() for x in values.tolist()] == one["moments"][name]


def test_every_strategy_has_vectors():
    assert {case["strategy"] for case in CASES} == set(STRATEGIES)


def test_the_file_is_what_its_maker_prints():
    path = VECTORS / "make_strategies.py"
    spec = importlib.util.spec_from_file_location("make_strategies", path)
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)

    assert list(maker.cases()) == CASES
