import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import DataError
from flair_client.training.recipe import Column
from flair_client.training.statistics import local_statistics, normalise

COLUMNS = (Column("a", 0, 10), Column("b", -1, 1))


def test_statistics_of_three_rows_worked_out_by_hand():
    x = np.array([[0.0, 0.0], [5.0, np.nan], [10.0, 1.0]])

    statistics = local_statistics(x, COLUMNS, min_rows=1)

    assert statistics["statistics.present"] == pytest.approx([1, 2 / 3])
    assert statistics["statistics.mean"] == pytest.approx([0.5, (0.5 + 1) / 3])
    assert statistics["statistics.mean_square"] == pytest.approx(
        [(0.25 + 1) / 3, (0.25 + 1) / 3]
    )


def test_too_few_rows_give_no_statistics_away():
    with pytest.raises(DataError, match="3 rows are too few"):
        local_statistics(np.zeros((3, 2)), COLUMNS, min_rows=4)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32))
def test_weighted_average_over_sites_is_the_statistic_of_the_pooled_rows(n, m, seed):
    rng = np.random.default_rng(seed)
    pooled = rng.uniform([0, -1], [10, 1], (n + m, 2))
    pooled[rng.random(pooled.shape) < 0.3] = np.nan

    left, right, both = (
        local_statistics(part, COLUMNS, 1) for part in (pooled[:n], pooled[n:], pooled)
    )

    for name, value in both.items():
        averaged = (n * left[name] + m * right[name]) / (n + m)
        np.testing.assert_allclose(averaged, value, atol=1e-12)


def test_normalised_columns_have_mean_zero_and_deviation_one():
    rng = np.random.default_rng(1)
    x = rng.uniform([0, -1], [10, 1], (500, 2))
    x[::7, 0] = np.nan

    z = normalise(x, COLUMNS, local_statistics(x, COLUMNS, 1))

    measured = ~np.isnan(x)
    for column in range(2):
        values = z[measured[:, column], column]
        assert values.mean() == pytest.approx(0, abs=1e-9)
        assert values.std() == pytest.approx(1, abs=1e-9)
    assert (z[~measured] == 0).all()


def test_a_column_that_nobody_measured_is_zero():
    x = np.full((4, 2), np.nan)

    assert (normalise(x, COLUMNS, local_statistics(x, COLUMNS, 1)) == 0).all()
