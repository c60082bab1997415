"""The child process that runs a recipe's code, started as it is, without a sandbox."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import flair_client
from flair_client.training.spec import (
    EXIT_DATA,
    EXIT_RECIPE,
    RESULT_FILE,
    RESULT_WEIGHTS,
    RunSpec,
)

RECIPE = """
[recipe]
model = "python"
[data]
target = "y"
[training]
learning_rate = 0.25
prox_mu = 0.5
options = { power = 2 }
"""
# Gradient descent on squared error, one step an epoch.
TRAIN = """
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    print("this goes to the terminal")
    w = weights["w"]
    for epoch in range(ctx.epochs):
        error = data.x @ w - data.y
        gradient = 2 * data.x.T @ error / len(data) + ctx.prox_mu * (w - ctx.base["w"])
        w = (w - ctx.learning_rate * gradient).astype(np.float32)
        ctx.report(epoch + 1, ctx.epochs, loss=float(np.square(error).mean()))
    return TrainResult({"w": w}, len(data), {"norm": np.linalg.norm(w)}, ctx.epochs)
"""
X = np.array([[1, 0], [0, 1], [1, 1], [2, 1]], np.float32)
Y = np.array([1, 2, 3, 4], np.float32)


class Place:
    """A recipe, its base and its data in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("recipe", "scratch"):
            (folder / name).mkdir()
        self.write("flair.toml", RECIPE)
        self.write("train.py", TRAIN)
        self.base(w=np.zeros(2, np.float32))
        np.savez(folder / "rows.npz", x=X, y=Y)
        self.source = {"path": str(folder / "rows.npz")}
        self.scratch = folder / "scratch"

    def write(self, name: str, text: str | bytes) -> None:
        raw = text.encode() if isinstance(text, str) else text
        (self.folder / "recipe" / name).write_bytes(raw)

    def base(self, **weights) -> None:
        safetensors.numpy.save_file(weights, self.folder / "base.safetensors")

    def run(self, **changes):
        fields = {
            "recipe": str(self.folder / "recipe"),
            "base": str(self.folder / "base.safetensors"),
            "scratch": str(self.scratch),
            "source": self.source,
            "ties": {},
            "trained": ("w",),
            "seed": 5,
            "device": "auto",
            "epochs": 2,
            "batch_size": 32,
            "round_index": 1,
        }
        spec = str(self.folder / "spec.json")
        RunSpec(**{**fields, **changes}).save(Path(spec))
        return subprocess.run(
            [sys.executable, "-P", "-m", "flair_client.training.child", spec],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(Path(flair_client.__file__).parents[1]),
            },
        )

    def result(self):
        return json.loads((self.scratch / RESULT_FILE).read_text())

    def weights(self):
        return safetensors.numpy.load_file(self.scratch / RESULT_WEIGHTS)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def lines(ran):
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_plain_numpy_trains_and_says_how_far_it_is(place):
    ran = place.run()

    assert ran.returncode == 0, ran.stderr
    # By hand: -0.25 · 2 · xᵀ(x w - y) / 4, twice, with 0.5 · w on the way.
    w = np.zeros(2)
    for _ in range(2):
        w = w - 0.25 * (X.T @ (X @ w - Y) / 2 + 0.5 * w)
    assert place.weights()["w"] == pytest.approx(w, rel=1e-6)
    assert place.result() == {
        "num_samples": 4,
        "epochs": 2,
        "metrics": {"norm": pytest.approx(np.linalg.norm(w))},
    }
    assert [(one["done"], one["total"]) for one in lines(ran)] == [(1, 2), (2, 2)]
    assert lines(ran)[0]["losses"] == {"loss": pytest.approx(7.5)}
    assert "this goes to the terminal" in ran.stderr


def test_a_linear_model_of_scikit_learn_trains_through_the_same_door(place):
    pytest.importorskip(
        "sklearn", reason="scikit-learn is an extra: flair-hub[sklearn]"
    )
    place.base(coef_=np.zeros((1, 2)), intercept_=np.zeros(1))
    np.savez(place.folder / "rows.npz", x=X.astype("f8"), y=np.array([0, 0, 1, 1]))
    place.write(
        "train.py",
        """
from sklearn.linear_model import SGDClassifier
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    model = SGDClassifier(loss="log_loss", random_state=ctx.seed)
    model.partial_fit(data.x, data.y, classes=[0, 1])
    model.coef_, model.intercept_ = weights["coef_"], weights["intercept_"]
    for _ in range(ctx.epochs):
        model.partial_fit(data.x, data.y)
    return TrainResult(
        {"coef_": model.coef_, "intercept_": model.intercept_}, len(data)
    )
""",
    )

    ran = place.run(epochs=200)

    assert ran.returncode == 0, ran.stderr
    logits = X @ place.weights()["coef_"][0] + place.weights()["intercept_"]
    assert (logits > 0).tolist() == [False, False, True, True]


def test_columns_come_in_the_recipes_order_and_units(place):
    rows = "b,a,died\n30,1,0\n,3,1\n"
    (place.folder / "rows.csv").write_text(rows)
    place.source = {"path": str(place.folder / "rows.csv")}
    place.write(
        "flair.toml",
        RECIPE.replace('target = "y"', 'target = "died"').replace(
            "[training]",
            "[[data.columns]]\nname = 'a'\nmin = 0\nmax = 2\n"
            "[[data.columns]]\nname = 'b'\nmin = 0\nmax = 60\n[training]",
        ),
    )
    place.write(
        "train.py",
        """
import json
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    assert data.columns == ("a", "b") and len(data) == 2
    assert data.y.tolist() == [0, 1] and data["a"].tolist() == [1, 2]
    assert data.scaled.tolist() == [[0, 0], [1, 0]]
    return TrainResult(weights, len(data))
""",
    )

    ran = place.run()

    assert ran.returncode == 0, ran.stderr


def test_the_same_seed_gives_the_same_weights(place):
    place.write(
        "train.py",
        """
import random
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    noise = random.random() + np.random.rand()
    order = [rows.tolist() for rows in ctx.batches(10, 0)]
    return TrainResult({"w": np.full(2, noise, np.float32)}, 1, {"at": order[0][0]})
""",
    )
    seen = []
    for seed in (1, 1, 2):
        assert place.run(seed=seed).returncode == 0
        seen.append((place.result()["metrics"], place.weights()["w"].tolist()))
    assert seen[0] == seen[1]
    assert seen[0][1] != seen[2][1]


def test_a_run_that_is_cut_off_goes_on_where_it_was(place):
    place.write(
        "train.py",
        """
import os
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    w, first = weights["w"], 0
    if ctx.resume:
        with np.load(ctx.resume) as state:
            w, first = state["w"], int(state["next"])
    for step in range(first, 4):
        for rows in ctx.batches(len(data), step):
            w = w + rows[0] + 1
        with_next = {"w": w, "next": step + 1}
        ctx.checkpoint(lambda path: np.savez(path.open("wb"), **with_next), every_s=0)
        if step == 1 and not ctx.resume:
            os._exit(9)
    return TrainResult({"w": w.astype(np.float32)}, len(data), {"first": first})
""",
    )
    whole = place.run()
    assert whole.returncode == 9
    assert place.run().returncode == 0
    resumed, told = place.weights()["w"], place.result()
    # The same again, but never cut off.
    (place.scratch / "checkpoint").unlink()
    text = (place.folder / "recipe" / "train.py").read_text()
    place.write("train.py", text.replace("os._exit(9)", "pass"))
    assert place.run().returncode == 0

    assert told["metrics"] == {"first": 2}
    assert place.result()["metrics"] == {"first": 0}
    assert place.weights()["w"].tolist() == resumed.tolist()


def test_tied_names_are_handed_over_and_taken_back(place):
    place.write(
        "train.py",
        """
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    assert weights["v"] is weights["w"]
    new = {name: value + 1 for name, value in weights.items()}
    new["v"] = new["v"] + ctx.options["power"] - 2
    return TrainResult(new, len(data))
""",
    )

    same = place.run(ties={"v": "w"})
    assert same.returncode == 0, same.stderr
    assert place.weights().keys() == {"w"}
    text = (place.folder / "recipe" / "flair.toml").read_text()
    place.write("flair.toml", text.replace("power = 2", "power = 3"))
    other = place.run(ties={"v": "w"})

    assert other.returncode == EXIT_RECIPE
    assert "'v' is tied to 'w' and differs" in lines(other)[-1]["error"]


def test_a_module_beside_the_recipes_two_cannot_be_imported(place):
    place.write("helpers.py", "")
    place.write("train.py", "import helpers\n")

    ran = place.run()

    assert ran.returncode == EXIT_RECIPE
    assert "No module named 'helpers'" in lines(ran)[-1]["error"]


def test_code_runs_as_the_utf8_that_was_shown(place):
    # Read as the encoding that it declares, the comment would end the line.
    hidden = "# -*- coding: utf-7 -*-\n# harmless +AAo-raise SystemExit(0)\n"
    place.write("train.py", hidden + TRAIN)

    ran = place.run()

    assert ran.returncode == 0, ran.stderr
    assert place.result()["num_samples"] == 4


def test_the_class_is_found_in_the_recipes_own_model_file(place):
    place.write("model.py", "class Net:\n    size = 2\n")
    place.write("train.py", f"from model import Net\nassert Net.size == 2\n{TRAIN}")

    assert place.run().returncode == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "raise ValueError('no such thing')",
            "ValueError at train.py, line 5: no such",
        ),
        ("return weights", "train:train gave dict, no TrainResult"),
        ("return TrainResult({'w': 'x'}, 1)", "tensor 'w' is str, not an array"),
        ("return TrainResult(weights, 'many')", "ValueError"),
        ("return TrainResult(weights, 1, {'loss': 'low'})", "could not convert string"),
    ],
)
def test_what_a_recipe_does_wrong_is_told_with_the_line(place, body, told):
    place.write(
        "train.py",
        f"""
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    {body}
""",
    )

    ran = place.run()

    assert ran.returncode == EXIT_RECIPE
    assert told in lines(ran)[-1]["error"]
    assert "Traceback" in ran.stderr


def test_an_entry_that_is_not_there(place):
    text = RECIPE.replace('"python"', '"python"\nentry = "train:fit"')
    place.write("flair.toml", text)

    ran = place.run()

    assert ran.returncode == EXIT_RECIPE
    assert "has no attribute 'fit'" in lines(ran)[-1]["error"]


def test_data_that_cannot_be_used_is_no_fault_of_the_recipe(place):
    np.savez(place.folder / "rows.npz", x=X, y=Y[:2])

    ran = place.run()

    assert ran.returncode == EXIT_DATA
    assert "different numbers of rows" in lines(ran)[-1]["data_error"]


def test_a_device_without_pytorch(place):
    ran = place.run(device="cuda")

    assert ran.returncode == EXIT_RECIPE
    assert "only code that uses PyTorch" in lines(ran)[-1]["error"]


CORRECTED = """
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    step = ctx.step_size(4)
    w = weights["w"] - step * ctx.gradient_correction("w")
    return TrainResult({"w": w.astype("float32")}, len(data))
"""


def correct(place, tmp_path, train):
    path = tmp_path / "correction.safetensors"
    safetensors.numpy.save_file({"w": np.array([2.0, -4.0])}, path)
    place.write("train.py", train)
    return place.run(correction=str(path), rate=0.5)


def test_scaffolds_correction_reaches_the_code(place, tmp_path):
    ran = correct(place, tmp_path, CORRECTED)

    assert ran.returncode == 0, ran.stderr
    assert place.weights()["w"].tolist() == [-0.25, 0.5]


def test_code_that_never_corrects_under_scaffold_is_refused(place, tmp_path):
    ran = correct(place, tmp_path, TRAIN)

    assert ran.returncode == EXIT_RECIPE
    assert "gradients were never corrected" in lines(ran)[-1]["error"]
    assert not (place.scratch / RESULT_FILE).exists()


def test_a_run_that_made_its_steps_before_it_was_cut_off_is_taken(place, tmp_path):
    (place.scratch / "checkpoint").write_bytes(b"all steps were made")

    ran = correct(place, tmp_path, TRAIN)

    assert ran.returncode == 0, ran.stderr
