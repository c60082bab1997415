"""SCAFFOLD's correction as recipes and programs are handed it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flair_client.errors import UsageError
from flair_client.training.correction import Correction, correction_from
from flair_client.training.doors import TrainContext
from flair_client.training.logistic_regression import fit, n_steps

PLAIN = TrainContext(
    seed=0,
    device="cpu",
    epochs=1,
    batch_size=4,
    learning_rate=0.1,
    l2=0.0,
    prox_mu=0.0,
    early_stop_patience=0,
    options={},
    round_index=1,
    is_statistics=False,
    scratch=Path(),
    base={},
    trained=frozenset({"w"}),
)


def context(**values):
    return replace(PLAIN, correction=Correction(0.5, dict(values)))


def test_under_another_strategy_there_is_nothing_to_correct():
    gradient = np.ones(3)
    gradient += PLAIN.gradient_correction("w")

    PLAIN.correct_gradients({"w": object()})

    assert gradient.tolist() == [1.0] * 3
    assert PLAIN.step_size(7) == 0.1


def test_steps_and_their_size_are_together_the_policys_rate():
    ctx = context(w=np.zeros(2))

    assert ctx.step_size(8) * 8 == 0.5
    assert not ctx.correction.is_used
    with pytest.raises(UsageError, match="0 steps cannot be made"):
        ctx.step_size(0)


def test_numpy_adds_it_to_a_gradient():
    ctx = context(w=np.array([1.0, -2.0]))
    gradient = np.array([0.25, 0.25])

    gradient += ctx.gradient_correction("w")

    assert gradient.tolist() == [1.25, -1.75]
    assert ctx.gradient_correction("frozen") == 0.0
    assert ctx.correction.is_used


def test_tied_names_have_the_same_correction():
    found = correction_from(1.0, {"w": np.ones(2)}, {"head": "w", "other": "gone"})

    assert found.of("head").tolist() == [1.0, 1.0]
    assert found.of("other") == 0.0


def torch_of():
    return pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")


def test_pytorchs_gradients_are_corrected_in_their_own_precision():
    torch = torch_of()
    model = torch.nn.Linear(2, 1)
    model.register_parameter("frozen", torch.nn.Parameter(torch.ones(1)))
    ctx = context(weight=torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    model(torch.ones(1, 2)).sum().backward()

    for _ in range(2):
        ctx.correct_gradients(dict(model.named_parameters()))

    assert model.weight.grad.tolist() == [[3.0, -3.0]]
    assert model.weight.grad.dtype is torch.float32
    assert model.bias.grad.tolist() == [1.0]
    assert model.frozen.grad is None
    assert ctx.correction.is_used


def test_a_correction_of_the_difference_leads_to_anothers_optimum():
    # Rows of one site; the gradient of all is that of the site plus a constant. With it
    # the site alone ends where the constant is what its own gradient lacks.
    numbers = np.random.default_rng(2)
    x = numbers.standard_normal((64, 2))
    y = (x[:, 0] > 0.3).astype(np.int8)
    correction = (np.array([0.05, -0.02]), np.array([0.01]))

    found = fit(
        x,
        y,
        np.zeros(2),
        np.zeros(1),
        epochs=4000,
        learning_rate=0.5,
        batch_size=64,
        l2=0.0,
        seed=1,
        correction=correction,
    )

    z = x @ found.weight + found.bias[0]
    residual = 1 / (1 + np.exp(-z)) - y
    np.testing.assert_allclose(x.T @ residual / 64, -correction[0], atol=1e-6)
    assert residual.mean() == pytest.approx(-0.01, abs=1e-6)


@pytest.mark.parametrize(
    ("n_rows", "epochs", "batch_size", "wanted"),
    [(8, 1, 8, 1), (9, 1, 8, 2), (8, 3, 3, 9), (1, 2, 64, 2)],
)
def test_steps_are_those_that_are_made(n_rows, epochs, batch_size, wanted):
    assert n_steps(n_rows, epochs, batch_size) == wanted
