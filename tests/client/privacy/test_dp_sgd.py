"""DP-SGD: gradients row by row, no row above its bound, noise of the stated size."""

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")
import torch
from torch import nn
from torch.nn import functional

from flair_client.errors import ObjectInvalid, UsageError
from flair_client.privacy import dp_sgd, noise
from flair_client.privacy.dp_sgd import DpSgd
from flair_client.training.noisy_steps import NoisySteps


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3)
        self.norm = nn.GroupNorm(3, 3)
        self.last = nn.Linear(12, 2)

    def forward(self, x):
        return self.last(self.norm(self.first(x)).relu().flatten(1))


@pytest.fixture
def rows():
    torch.manual_seed(1)
    return torch.randn(40, 1, 4, 4), torch.arange(40) % 2


def made(model, rows, **changes):
    given = {"batch_size": 10, "clip": 0.5, "noise_multiplier": 1.0} | changes
    return DpSgd(model, functional.cross_entropy, n_rows=len(rows[0]), **given)


def gradients(model):
    return {
        name: value.grad.double().numpy()
        for name, value in model.named_parameters()
        if value.grad is not None
    }


def by_one_row_after_another(model, x, y, clip):
    """Sum of clipped gradients by the plain way: a backward pass for each row."""
    sums = {name: 0 for name, _ in model.named_parameters()}
    for n in range(len(x)):
        model.zero_grad()
        functional.cross_entropy(model(x[n : n + 1]), y[n : n + 1]).backward()
        found = gradients(model)
        length = math.sqrt(sum((one**2).sum() for one in found.values()))
        for name, one in found.items():
            sums[name] = sums[name] + one * min(1, clip / length)
    return sums


def without_noise(monkeypatch):
    monkeypatch.setattr(dp_sgd, "noise_of", lambda *a: np.zeros(a[3], np.int64))


@pytest.mark.parametrize("clip", [0.05, 0.7, 1000.0])
def test_gradients_are_those_of_each_row_clipped(monkeypatch, rows, clip):
    without_noise(monkeypatch)
    torch.manual_seed(2)
    model = Net()
    wanted = by_one_row_after_another(model, *rows, clip)

    # A batch as large as the data takes every row.
    dp = made(model, rows, batch_size=40, clip=clip, noise_multiplier=0.1)
    assert dp.set_gradients(*rows) == 40

    for name, found in gradients(model).items():
        np.testing.assert_allclose(found * 40, wanted[name], atol=40 * clip * 1e-4)


def test_no_row_moves_a_step_by_more_than_the_clip(monkeypatch, rows):
    without_noise(monkeypatch)
    torch.manual_seed(3)
    model, clip = Net(), 0.01
    units = []
    original = DpSgd._in_units

    def watched(self, found):
        parts = original(self, found)
        units.append((self._unit, parts))
        return parts

    monkeypatch.setattr(DpSgd, "_in_units", watched)
    monkeypatch.setattr(dp_sgd, "_MAX_ROWS", 1)
    dp = made(model, rows, batch_size=40, clip=clip, noise_multiplier=2.5)
    dp.set_gradients(*rows)

    assert len(units) == 40
    for unit, parts in units:
        square = sum(int((one.astype(object) ** 2).sum()) for one in parts.values())
        assert unit * math.sqrt(square) <= clip
        assert unit * math.sqrt(square) >= 0.95 * clip


def test_a_gradient_that_is_no_number_counts_for_nothing(monkeypatch, rows):
    without_noise(monkeypatch)
    model = Net()
    x, y = rows[0].clone(), rows[1]
    others = by_one_row_after_another(model, x[2:], y[2:], 0.5)
    x[0], x[1, 0, 0, 0] = math.nan, math.inf

    dp = made(model, rows, batch_size=40)
    dp.set_gradients(x, y)

    for name, found in gradients(model).items():
        np.testing.assert_allclose(found * 40, others[name], atol=0.02)


def test_the_noise_has_its_deviation_and_differs_each_time(rows):
    # Rows that say nothing: what is left is noise of clip times multiplier by 10 rows.
    model = nn.Linear(200, 100, bias=False)
    x, y = torch.zeros(40, 200), torch.zeros(40, dtype=torch.int64)
    dp = made(model, (x, y), clip=0.5, noise_multiplier=3.0)
    drawn = []
    for _ in range(2):
        dp.set_gradients(x, y)
        drawn.append(gradients(model)["weight"].ravel())

    for one in drawn:
        # 20,000 values: the deviation is known to half a percent, four times over.
        assert one.std() == pytest.approx(0.5 * 3.0 / 10, rel=0.02)
        assert abs(one.mean()) < 5 * 0.15 / math.sqrt(20_000)
    assert abs(np.corrcoef(*drawn)[0, 1]) < 0.04


def test_the_seed_of_the_run_plays_no_part(rows):
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        model = Net()
        dp = made(model, rows)
        dp.set_gradients(*rows)
        found.append(gradients(model)["last.weight"])

    assert not np.array_equal(*found)


def test_each_row_takes_part_by_its_own_chance(rows):
    dp = made(Net(), rows)
    counts = np.zeros(40)
    sizes = []
    for step in range(1000):
        dp._steps = step
        taken = dp._draw_rows()
        counts[taken] += 1
        sizes.append(len(taken))

    # Binomial: 250 of 1000 for each row, 10 of 40 for each step.
    assert np.abs(counts - 250).max() < 7 * math.sqrt(187.5)
    assert np.mean(sizes) == pytest.approx(10, abs=0.6)
    assert np.var(sizes) == pytest.approx(7.5, rel=0.4)


class Plane(nn.Module):
    """Parameters of unlucky names and shapes."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(16, 2))
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x.flatten(1) @ self.rows + self.shift


def test_rows_and_noise_share_no_random_bits_whatever_parameters_are_called(
    monkeypatch, rows
):
    streams = []

    class Recorded(noise.RandomStream):
        def __init__(self, key, name):
            super().__init__(key, name)
            streams.append(self.read(64))
            super().__init__(key, name)

    monkeypatch.setattr(noise, "RandomStream", Recorded)
    monkeypatch.setattr(dp_sgd, "RandomStream", Recorded)
    dp = made(Plane(), rows)
    dp.set_gradients(*rows)
    dp.set_gradients(*rows)

    # In each step one for the rows, and one for each parameter.
    assert len(streams) == 6
    assert len(set(streams)) == 6


def test_a_parameter_that_is_a_single_number(monkeypatch, rows):
    without_noise(monkeypatch)
    model = Plane()
    wanted = by_one_row_after_another(model, *rows, 0.7)

    made(model, rows, batch_size=40, clip=0.7).set_gradients(*rows)

    assert model.shift.grad.shape == ()
    for name, found in gradients(model).items():
        np.testing.assert_allclose(found * 40, wanted[name], atol=0.7 * 40 * 1e-3)


def test_steps_are_counted_and_told(rows):
    dp = made(Net(), rows, steps_before=3)

    assert dp.steps_of(2) == 8
    for _ in range(4):
        dp.set_gradients(*rows)

    assert dp.steps == 7
    assert dp.noisy_steps == NoisySteps(1.0, 0.25, 7)


def test_nothing_was_done_yet(rows):
    with pytest.raises(ObjectInvalid, match="steps"):
        _ = made(Net(), rows).noisy_steps


def test_only_what_is_trained_gets_gradients(rows):
    model = Net()
    made(model, rows, trained={"last.weight", "last.bias"}).set_gradients(*rows)

    assert set(gradients(model)) == {"last.weight", "last.bias"}


def test_a_model_learns(rows):
    torch.manual_seed(0)
    x, y = torch.randn(400, 8), torch.zeros(400, dtype=torch.int64)
    y[x[:, 0] + x[:, 1] > 0] = 1
    model = nn.Linear(8, 2)
    dp = made(model, (x, y), batch_size=100, clip=1.0, noise_multiplier=0.8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(dp.steps_of(10)):
        dp.set_gradients(x, y)
        optimizer.step()

    assert (model(x).argmax(1) == y).float().mean() > 0.85


class WithBatchNorm(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.norm = kind
        self.last = nn.Linear(16, 2)

    def forward(self, x):
        return self.last(self.norm(x).flatten(1))


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm2d(1), nn.InstanceNorm2d(1, track_running_stats=True)]
)
def test_a_layer_that_mixes_rows(rows, layer):
    with pytest.raises(UsageError, match=r"layer 'norm' is a .*, which mixes rows"):
        made(WithBatchNorm(layer), rows)


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm2d(1), nn.InstanceNorm2d(1), nn.Dropout(0.5)]
)
def test_layers_that_treat_each_row_alone(rows, layer):
    model = WithBatchNorm(layer)
    if isinstance(layer, nn.BatchNorm2d):
        model.eval()

    made(model, rows).set_gradients(*rows)

    assert all(np.isfinite(one).all() for one in gradients(model).values())


@pytest.mark.parametrize(
    "changes",
    [
        {"clip": 0.0},
        {"clip": math.nan},
        {"clip": math.inf},
        {"batch_size": 0},
        {"trained": ()},
        {"noise_multiplier": 5000.0},
    ],
)
def test_numbers_that_cannot_be(rows, changes):
    with pytest.raises(UsageError):
        made(Net(), rows, **changes)


@pytest.mark.parametrize("noise", [0.0, -1.0, math.nan, math.inf])
def test_noise_that_is_none(rows, noise):
    with pytest.raises(ObjectInvalid, match="noise_multiplier"):
        made(Net(), rows, noise_multiplier=noise)


def test_other_rows_than_were_said(rows):
    dp = made(Net(), rows)

    with pytest.raises(UsageError, match="30 rows were given, 40 were said"):
        dp.set_gradients(rows[0][:30], rows[1][:30])
