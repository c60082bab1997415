"""FedProx's term: its gradient, and where training ends, against closed forms."""

from pathlib import Path

import numpy as np
import pytest

from flair_client.training.doors import TrainContext

BASE = np.array([1.0, -2.0, 0.5])


def context(prox_mu, base, trained):
    return TrainContext(
        seed=0,
        device="cpu",
        epochs=1,
        batch_size=4,
        learning_rate=0.1,
        l2=0.0,
        prox_mu=prox_mu,
        early_stop_patience=0,
        options={},
        round_index=1,
        is_statistics=False,
        scratch=Path(),
        base=base,
        trained=frozenset(trained),
    )


def test_the_term_of_arrays_is_half_mu_times_the_square():
    ctx = context(0.4, {"w": BASE, "b": np.zeros(1)}, {"w", "b"})

    # 0.2 · (1 + 4 + 9 + 16)
    term = ctx.prox_term({"w": BASE + np.arange(1, 4), "b": np.array([4.0])})

    assert term == pytest.approx(6.0)


def test_only_what_is_trained_is_held():
    ctx = context(1.0, {"w": BASE, "running": BASE}, {"w"})

    assert ctx.prox_term({"w": BASE, "running": BASE + 100}) == 0


def test_no_strength_no_term():
    assert context(0.0, {}, {"w"}).prox_term({"w": BASE}) == 0.0


def torch_of():
    return pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")


@pytest.mark.parametrize("mu", [0.01, 1.0, 30.0])
def test_the_gradient_is_mu_times_the_difference(mu):
    torch = torch_of()
    base = {"w": torch.tensor(BASE), "b": torch.tensor([2.0], dtype=torch.float64)}
    ctx = context(mu, base, {"w", "b"})
    at = {
        "w": torch.tensor(BASE + np.array([3.0, 0.0, -1.0])),
        "b": torch.tensor([7.0]).double(),
    }
    for one in at.values():
        one.requires_grad_()

    ctx.prox_term(at).backward()

    for name, one in at.items():
        wanted = mu * (one.detach() - base[name])
        torch.testing.assert_close(one.grad, wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("mu", [0.1, 2.0])
def test_training_ends_where_the_closed_form_says(mu):
    # Least squares with the term, (1/2n)|Xw - y|² + mu/2 |w - w0|², has its end at
    # (X'X/n + mu I)⁻¹ (X'y/n + mu w0).
    torch = torch_of()
    numbers = np.random.default_rng(3)
    x, y = numbers.normal(size=(50, 3)), numbers.normal(size=50)
    gram = x.T @ x / 50
    wanted = np.linalg.solve(gram + mu * np.eye(3), x.T @ y / 50 + mu * BASE)
    ctx = context(mu, {"w": torch.tensor(BASE)}, {"w"})
    w = torch.tensor(BASE, requires_grad=True)
    rows, targets = torch.tensor(x), torch.tensor(y)

    for _ in range(2000):
        loss = ((rows @ w - targets) ** 2).mean() / 2 + ctx.prox_term({"w": w})
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= 0.2 * gradient

    np.testing.assert_allclose(w.detach().numpy(), wanted, rtol=1e-9)
    # The stronger the term, the nearer to the base.
    assert np.linalg.norm(wanted - BASE) < np.linalg.norm(
        np.linalg.solve(gram, x.T @ y / 50) - BASE
    )


def test_the_base_may_be_of_another_kind_than_the_model():
    torch = torch_of()
    ctx = context(1.0, {"w": torch.tensor(BASE, dtype=torch.bfloat16)}, {"w"})

    term = ctx.prox_term({"w": torch.tensor(BASE + 1, dtype=torch.float32)})

    assert term.dtype == torch.float32
    assert term.item() == pytest.approx(1.5)
