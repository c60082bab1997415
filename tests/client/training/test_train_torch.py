"""The code that `flair init --torch` writes, as the child runs it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from flair_client.porcelain.init_model import ModelSource, init_model
from flair_client.training.child import evaluate, run
from flair_client.training.reading import read_plain
from flair_client.training.recipe import parse_recipe
from flair_client.training.spec import RESULT_FILE, RESULT_WEIGHTS, RunSpec
from flair_client.weights import roles_by_pattern
from flair_client.weights.opening import header_at

torch = pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(256, 10),
        )
        self.fixed = nn.Linear(2, 2).requires_grad_(False)

    def forward(self, x):
        return self.body(x)
"""


class Made:
    """A recipe that `flair init --torch` made, with digits to train on."""

    def __init__(self, folder: Path) -> None:
        (folder / "digits_net.py").write_text(NET)
        torch.manual_seed(3)
        source = ModelSource(torch="digits_net:Net")
        self.created = init_model(folder / "made", source, code_folder=folder).created
        self.folder = folder / "made"
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        rng = np.random.Generator(np.random.PCG64(0))
        y = rng.integers(0, 10, 161)
        x = rng.random((161, 1, 8, 8), "f4") * 0.3
        x[np.arange(161), 0, y % 8, y // 2] += 2
        self.rows = folder / "rows.npz"
        np.savez(self.rows, x=x, y=y)

    def set(self, **training) -> None:
        path = self.folder / "flair.toml"
        lines = "".join(f"{name} = {value}\n" for name, value in training.items())
        text = path.read_text()
        for name in training:
            text = "\n".join(
                one for one in text.split("\n") if not one.startswith(f"{name} =")
            )
        path.write_text(text.replace("[training]\n", f"[training]\n{lines}"))

    def edit(self, old: str, new: str) -> None:
        path = self.folder / "train.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self, seed=7, **more) -> None:
        base = self.folder / "weights.safetensors"
        recipe = parse_recipe((self.folder / "flair.toml").read_bytes())
        role_of = roles_by_pattern(recipe.roles)
        spans = header_at(base).spans.values()
        spec = RunSpec(
            recipe=str(self.folder),
            base=str(base),
            scratch=str(self.scratch),
            source={"path": str(self.rows)},
            ties={},
            trained=tuple(s.name for s in spans if role_of(s.name, s.dtype) == "train"),
            seed=seed,
            device="cpu",
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            round_index=1,
            **more,
        )
        # In this process, so that PyTorch is imported once for all tests.
        found = list(sys.meta_path)
        try:
            run(spec, read_plain(spec.source, recipe), lambda *_: None)
        finally:
            sys.meta_path[:] = found
            for name in ("model", "train"):
                sys.modules.pop(name, None)

    def evaluate(self) -> dict[str, float]:
        """Measures what was trained."""
        measured = self.scratch / "measured"
        measured.mkdir()
        spec = RunSpec(
            recipe=str(self.folder),
            base=str(self.scratch / RESULT_WEIGHTS),
            scratch=str(measured),
            source={"path": str(self.rows)},
            ties={},
            trained=(),
            seed=1,
            device="cpu",
            epochs=1,
            batch_size=8,
            round_index=2,
            is_evaluation=True,
        )
        recipe = parse_recipe((self.folder / "flair.toml").read_bytes())
        found = list(sys.meta_path)
        try:
            evaluate(spec, read_plain(spec.source, recipe), lambda *_: None)
        finally:
            sys.meta_path[:] = found
            for name in ("model", "train"):
                sys.modules.pop(name, None)
        return json.loads((measured / RESULT_FILE).read_text())["metrics"]

    def weights(self):
        from safetensors.torch import load_file

        return load_file(self.scratch / RESULT_WEIGHTS)

    def result(self):
        return json.loads((self.scratch / RESULT_FILE).read_text())


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("digits_net", None)
    return Made(tmp_path)


def net():
    space = {}
    exec(NET, space)  # noqa: S102 - the text above
    return space["Net"]()


def test_what_was_written_trains_at_once(made):
    made.set(epochs=6)

    made.run()

    assert set(made.created) >= {"model.py", "train.py"}
    assert (made.folder / "model.py").read_text() == NET
    assert made.result()["metrics"]["accuracy"] > 0.9
    assert made.result()["epochs"] == 6
    assert made.evaluate() == pytest.approx(made.result()["metrics"])
    new = made.weights()
    # Every tensor, and no other.
    model = net()
    model.load_state_dict(new, strict=True)
    assert not torch.equal(new["body.1.running_mean"], torch.zeros(4))
    first = torch.equal(new["fixed.weight"], _first(made)["fixed.weight"])
    assert first


def _first(made):
    from safetensors.torch import load_file

    return load_file(made.folder / "weights.safetensors")


def test_the_same_seed_gives_the_same_weights(made):
    seen = []
    for seed in (1, 1, 2):
        made.run(seed)
        seen.append(made.weights()["body.5.weight"])
        (made.scratch / "checkpoint").unlink()

    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_a_run_cut_off_in_an_epoch_ends_as_if_it_had_not_been(made):
    made.set(epochs=3, early_stop_patience=2)
    made.edit("at))\n", "at), every_s=0)\n")
    made.run()
    whole, told = made.weights(), made.result()
    (made.scratch / "checkpoint").unlink()
    stop = "            if (epoch, number) == (1, 2) and ctx.resume is None:\n"
    stop += "                raise KeyboardInterrupt\n"
    done = "            done = epoch"
    made.edit(done, stop + done)

    with pytest.raises(KeyboardInterrupt):
        made.run()
    made.run()

    assert made.result() == told
    # Dropout, momentum and the statistics of norms too.
    for name, tensor in made.weights().items():
        assert torch.equal(tensor, whole[name]), name


def test_fedprox_holds_the_site_near_the_base(made):
    lengths = []
    for mu in (0.0, 5.0):
        made.set(epochs=4, prox_mu=mu)
        made.run()
        (made.scratch / "checkpoint").unlink()
        new, old = made.weights(), _first(made)
        lengths.append((new["body.5.weight"] - old["body.5.weight"]).norm().item())

    assert lengths[1] < 0.7 * lengths[0]


def test_scaffolds_correction_is_in_every_step_without_momentum(made):
    from safetensors.torch import save_file

    # A correction far above all gradients and a small rate: the weights move by both.
    first = _first(made)["body.5.weight"]
    path = made.folder.parent / "correction.safetensors"
    save_file({"body.5.weight": torch.full_like(first, 1e4).double()}, path)
    made.set(epochs=3)

    made.run(correction=str(path), rate=1e-3)

    moved = made.weights()["body.5.weight"] - first
    torch.testing.assert_close(
        moved, torch.full_like(moved, -1e-3 * 1e4), rtol=1e-3, atol=0
    )


def test_it_stops_when_nothing_gets_better(made):
    made.set(epochs=50, early_stop_patience=2, learning_rate=1e-9)
    made.edit("losses.append(total / len(data))", "losses.append(1.0)")

    made.run()

    assert made.result()["epochs"] == 3


def test_columns_come_scaled(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "ward_net.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Linear(2, 1)\n"
    )
    rows = "a,b,died\n" + "".join(f"{n},{n * 7 % 5},{n // 20}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(rows)
    init_model(
        tmp_path / "made",
        ModelSource(torch="ward_net:make"),
        code_folder=tmp_path,
        columns_from=tmp_path / "rows.csv",
        target="died",
    )
    made = Made.__new__(Made)
    made.folder, made.scratch = tmp_path / "made", tmp_path / "scratch"
    made.scratch.mkdir()
    made.rows = tmp_path / "rows.csv"
    made.set(epochs=60)

    made.run()

    assert "data.scaled" in (made.folder / "train.py").read_text()
    assert made.result()["metrics"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        (f"import digits_net\n{NET}", "odd:Net", "imports digits_net, which is"),
        (NET + "net = Net()\n", "odd:net", "neither a class nor a function"),
        (NET + "#" * 65536, "odd:Net", "at most 65536"),
        (
            NET + "class Box:\n    Inner = Net\n",
            "odd:Box.Inner",
            "'Box.Inner' is inside of something else",
        ),
        ("from digits_net import Net as Other\n", "odd:Other", "has another name"),
    ],
)
def test_a_module_that_a_recipe_cannot_hold(tmp_path, monkeypatch, text, name, reason):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    (tmp_path / "digits_net.py").write_text(NET)
    (tmp_path / "odd.py").write_text(text)

    made = init_model(
        tmp_path / "made",
        ModelSource(torch=name),
        code_folder=tmp_path,
    )

    assert reason in made.code_left_out
    recipe = parse_recipe((tmp_path / "made" / "flair.toml").read_bytes())
    assert not recipe.has_code
    assert not (tmp_path / "made" / "model.py").exists()
