import numpy as np
import pytest

from flair_client.demo.reference import Score, mean_score, score, train_alone
from flair_client.training import parse_recipe

RECIPE = parse_recipe(
    """
[recipe]
model = "logistic-regression"
[data]
target = "ill"
columns = [{ name = "age", min = 0, max = 100 }]
[statistics]
enabled = true
min_rows = 1
"""
)


def test_a_model_trained_alone_separates_separable_rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("age,ill\n10,0\n20,0\n80,1\n90,1\n")

    weights = train_alone(RECIPE, path, 2)

    assert weights["statistics.mean"] == pytest.approx([0.5])
    assert score(RECIPE, weights, path).auc == 1.0


def test_mean_of_scores_worked_out_by_hand():
    mean = mean_score([Score(1.0, 0.5, 0.2), Score(0.5, 0.5, 0.4)])

    assert (mean.auc, mean.accuracy, mean.log_loss) == pytest.approx((0.75, 0.5, 0.3))
    assert isinstance(mean.auc, float)
    assert not np.isnan(mean.log_loss)
