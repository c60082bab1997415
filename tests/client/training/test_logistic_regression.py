import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from flair_client.training.logistic_regression import fit, probability


def test_one_step_worked_out_by_hand():
    # p = 1/2 for both rows; residuals -1/2 and 1/2; gradient = mean(x·residual).
    x = np.array([[1.0, 0.0], [0.0, 2.0]])
    y = np.array([1, 0], dtype=np.int8)

    result = fit(
        x, y, np.zeros(2), np.zeros(1),
        epochs=1, learning_rate=1.0, batch_size=2, l2=0.0, seed=0,
    )  # fmt: skip

    assert result.weight == pytest.approx([0.25, -0.5])
    assert result.bias == pytest.approx([0.0])
    assert result.losses == pytest.approx([np.log(2)])


def test_many_steps_reach_the_optimum_that_scikit_learn_finds():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3))
    y = (x @ [1.0, -2.0, 0.5] + rng.normal(size=200) > 0.3).astype(np.int8)
    l2 = 0.05

    ours = fit(
        x, y, np.zeros(3), np.zeros(1),
        epochs=3000, learning_rate=0.5, batch_size=200, l2=l2, seed=0,
    )  # fmt: skip
    theirs = LogisticRegression(C=1 / (l2 * 200), tol=1e-10).fit(x, y)

    assert ours.weight == pytest.approx(theirs.coef_[0], abs=1e-5)
    assert ours.bias == pytest.approx(theirs.intercept_, abs=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 2)), np.arange(40, dtype=np.int8) % 2
    settings = {"epochs": 2, "learning_rate": 0.1, "batch_size": 8, "l2": 0.0}

    first, again, other = (
        fit(x, y, np.zeros(2), np.zeros(1), seed=seed, **settings).weight.tobytes()
        for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_probability_of_extreme_inputs_does_not_overflow():
    p = probability(np.array([[1e6], [-1e6]]), np.ones(1), np.zeros(1))

    assert p.tolist() == [1.0, 0.0]
