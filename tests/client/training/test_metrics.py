import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from flair_client.training.metrics import accuracy, auc, log_loss

scored = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=60
).filter(lambda rows: len({row[0] for row in rows}) == 2)


def test_auc_of_four_rows_worked_out_by_hand():
    # Of the pairs (positive, negative) only (0.35, 0.4) is in the wrong order.
    assert auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75


def test_auc_counts_ties_half():
    assert auc([0, 1], [0.5, 0.5]) == 0.5


def test_auc_of_one_class_is_not_a_number():
    assert math.isnan(auc([1, 1], [0.2, 0.9]))


@given(scored)
def test_measures_agree_with_scikit_learn(rows):
    y = np.array([row[0] for row in rows])
    p = np.array([row[1] for row in rows]) / 20

    assert auc(y, p) == pytest.approx(sk.roc_auc_score(y, p), abs=1e-12)
    assert accuracy(y, p) == sk.accuracy_score(y, p >= 0.5)
    assert log_loss(y, p) == pytest.approx(
        sk.log_loss(y, p, labels=[0, 1]), rel=1e-9, abs=1e-12
    )
