"""Outliers by hand."""

import pytest

from flair_aggregator.gates import low_scores, norm_outliers


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        # Median 10, deviations 0 0 1 1 90: limit 10 + 3 · 1.483 · 1.
        ([10, 9, 10, 11, 100], {4}),
        ([10, 9, 10, 11, 14], set()),
        ([10, 9, 10, 11, 15], {4}),
        # All clipped to one bound but one: a tenth of the median is the deviation.
        ([10, 10, 10, 10, 14], set()),
        ([10, 10, 10, 10, 15], {4}),
        # Short ones are never remarkable, nor are three updates, nor equal ones.
        ([100, 100, 100, 100, 1], set()),
        ([1, 1, 100], set()),
        ([7] * 6, set()),
        ([0] * 6, set()),
        ([], set()),
        # Half of them far away are no outliers: nobody can say which half.
        ([1, 1, 1, 100, 100, 100], set()),
    ],
)
def test_outliers(norms, expected):
    found = norm_outliers({n: norm**2 for n, norm in enumerate(norms)})

    assert set(found) == expected


def test_reason_names_norm_median_and_limit():
    found = norm_outliers(dict(enumerate([100, 100, 100, 100, 10**6])))

    assert found == {4: "its norm 1000 is far above the median 10; at most 14.449"}


def test_huge_norms_are_exact():
    bound = 2**120
    norms = dict.fromkeys(range(5), bound) | {5: 2**126}

    assert set(norm_outliers(norms)) == {5}


@pytest.mark.parametrize(
    ("base", "scores", "expected"),
    [
        (0.5, [0.4, 0.55, 0.56], {2}),
        (0.1, [0.12, 0.13], {1}),
        (0.0, [0.02, 0.03], {1}),
        (0.5, [], set()),
    ],
)
def test_low_scores(base, scores, expected):
    assert set(low_scores(base, dict(enumerate(scores)))) == expected
