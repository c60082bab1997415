from dataclasses import replace

import numpy as np
import pytest

from flair_client.errors import DataError, TensorMismatch, UsageError
from flair_client.training import RoundKind, parse_recipe, train
from flair_client.training.correction import Correction
from flair_client.training.run import initial_weights

TEXT = """
[recipe]
model = "logistic-regression"
[data]
target = "ill"
columns = [{ name = "age", min = 0, max = 100 }, { name = "bmi", min = 10, max = 60 }]
[statistics]
enabled = true
min_rows = 2
[training]
epochs = 5
"""
RECIPE = parse_recipe(TEXT)


def csv(tmp_path, rows=((30, 20, 0), (70, 40, 1), (50, 22, 0), (80, 30, 1))):
    path = tmp_path / "data.csv"
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["age,bmi,ill", *lines]) + "\n")
    return path


def test_a_statistics_round_changes_the_statistics_alone(tmp_path):
    weights = initial_weights(RECIPE)

    result = train(RECIPE, weights, csv(tmp_path), round_kind=RoundKind.STATISTICS)

    assert result.num_samples == 4
    assert result.metrics == {}
    assert not result.weights["linear.weight"].any()
    assert result.weights["statistics.mean"] == pytest.approx([0.575, 0.36])


def test_a_training_round_changes_the_model_alone_and_learns(tmp_path):
    data = csv(tmp_path)
    collected = train(
        RECIPE, initial_weights(RECIPE), data, round_kind=RoundKind.STATISTICS
    ).weights

    result = train(RECIPE, collected, data, round_kind=RoundKind.TRAINING)

    assert result.metrics["auc"] == 1.0
    assert result.metrics["log_loss"] < np.log(2)
    for name in ("present", "mean", "mean_square"):
        key = f"statistics.{name}"
        np.testing.assert_array_equal(result.weights[key], collected[key])


def test_training_does_not_change_the_weights_it_was_given(tmp_path):
    weights = initial_weights(RECIPE)

    train(RECIPE, weights, csv(tmp_path), round_kind=RoundKind.TRAINING)

    assert all(not tensor.any() for tensor in weights.values())


def test_refuses_data_of_one_class(tmp_path):
    data = csv(tmp_path, [(30, 20, 0), (40, 30, 0)])

    with pytest.raises(DataError, match="all 2 rows have target 0"):
        train(RECIPE, initial_weights(RECIPE), data, round_kind=RoundKind.TRAINING)


def test_one_class_may_take_part_when_told_so(tmp_path):
    data = csv(tmp_path, [(30, 20, 0), (40, 30, 0)])

    result = train(
        RECIPE,
        initial_weights(RECIPE),
        data,
        round_kind=RoundKind.TRAINING,
        allow_one_class=True,
    )

    assert result.weights["linear.bias"] < 0
    assert "auc" not in result.metrics


def test_statistics_of_one_class_are_welcome(tmp_path):
    data = csv(tmp_path, [(30, 20, 0), (40, 30, 0)])

    result = train(
        RECIPE, initial_weights(RECIPE), data, round_kind=RoundKind.STATISTICS
    )

    assert result.num_samples == 2


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("linear.weight", np.zeros(3, dtype=np.float32)),
        ("linear.weight", np.zeros(2, dtype=np.float64)),
        ("linear.extra", np.zeros(2, dtype=np.float32)),
        ("linear.bias", None),
    ],
)
def test_refuses_weights_of_another_model_and_names_the_tensor(tmp_path, name, tensor):
    weights = initial_weights(RECIPE)
    if tensor is None:
        del weights[name]
    else:
        weights[name] = tensor

    with pytest.raises(TensorMismatch) as refused:
        train(RECIPE, weights, csv(tmp_path), round_kind=RoundKind.TRAINING)

    assert refused.value.name == name


def test_refuses_statistics_that_the_recipe_does_not_collect(tmp_path):
    recipe = parse_recipe(TEXT.replace("enabled = true", "enabled = false"))

    with pytest.raises(UsageError, match="collects no statistics"):
        train(
            recipe,
            initial_weights(recipe),
            csv(tmp_path),
            round_kind=RoundKind.STATISTICS,
        )


def test_refuses_a_recipe_without_a_built_in_model(tmp_path):
    with pytest.raises(UsageError, match="no built-in model"):
        train(parse_recipe(""), {}, csv(tmp_path), round_kind=RoundKind.TRAINING)


def far(old, new):
    return np.sqrt(sum(np.square(new[name] - old[name]).sum() for name in old))


@pytest.mark.parametrize("round_kind", RoundKind)
def test_what_comes_out_is_within_the_bound(tmp_path, round_kind):
    data = csv(tmp_path)
    base = initial_weights(RECIPE)
    free = train(RECIPE, base, data, round_kind=round_kind)

    bound = free.norm / 3
    kept = train(RECIPE, base, data, round_kind=round_kind, norm_bound=bound)

    assert far(base, free.weights) == pytest.approx(free.norm)
    assert kept.norm == free.norm
    assert far(base, kept.weights) <= bound
    assert far(base, kept.weights) == pytest.approx(bound, rel=1e-5)
    for name, tensor in free.weights.items():
        np.testing.assert_allclose(kept.weights[name], tensor / 3, rtol=1e-5)


def test_metrics_are_of_the_clipped_weights(tmp_path):
    data = csv(tmp_path)
    base = initial_weights(RECIPE)
    training = {"round_kind": RoundKind.TRAINING}

    free = train(RECIPE, base, data, **training)
    kept = train(RECIPE, base, data, **training, norm_bound=free.norm / 2)

    assert free.metrics["log_loss"] < kept.metrics["log_loss"]
    assert kept.metrics["log_loss"] < kept.metrics_before["log_loss"]


def test_steps_that_are_too_large_run_off_without_a_warning(tmp_path):
    recipe = parse_recipe(TEXT + "learning_rate = 1000.0\nl2 = 1000.0\n")

    result = train(
        replace(recipe, epochs=200),
        initial_weights(RECIPE),
        csv(tmp_path),
        round_kind=RoundKind.TRAINING,
    )

    assert not np.isfinite(result.weights["linear.weight"]).all()


def corrected(path, rate, **values):
    zeros = {"linear.weight": np.zeros(2), "linear.bias": np.zeros(1)}
    return train(
        RECIPE,
        initial_weights(RECIPE),
        path,
        round_kind=RoundKind.TRAINING,
        correction=Correction(rate, zeros | values),
    ).weights


def test_scaffolds_rate_stands_for_the_learning_rate(tmp_path):
    # Four rows are one batch: five epochs are five steps.
    path = csv(tmp_path)
    plain = train(
        replace(RECIPE, learning_rate=0.02),
        initial_weights(RECIPE),
        path,
        round_kind=RoundKind.TRAINING,
    ).weights

    made = corrected(path, 0.1)

    for name in ("linear.weight", "linear.bias"):
        np.testing.assert_allclose(made[name], plain[name], rtol=1e-6)
        assert made[name].any()


def test_scaffolds_correction_is_in_every_step(tmp_path):
    path = csv(tmp_path)
    # So small a rate leaves the gradients where they were.
    rate = 1e-4
    before = corrected(path, rate)

    after = corrected(path, rate, **{"linear.bias": np.array([3.0])})

    moved = float(after["linear.bias"][0]) - float(before["linear.bias"][0])
    assert moved == pytest.approx(-rate * 3.0, rel=1e-3)
