"""The door around a training program of one's own, in clones on a localnet."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import flair_client
from flair_client.audit import read_audit
from flair_client.errors import (
    NotAWorkspace,
    NotFinite,
    ObjectInvalid,
    TensorMismatch,
    TrustRequired,
    UsageError,
)
from flair_client.training.noisy_steps import NoisySteps
from flair_client.training.recipe import parse_recipe
from flair_client.workspace import find_workspace, make_workspace

sys.path.insert(0, str(Path(__file__).parent / "cli"))

from work_world import running_net

RECIPE = """
[data]
target = "y"
[training]
epochs = 3
seed = 11
prox_mu = 2.0
options = { hidden = 4 }
[tensors]
local = ["running"]
frozen = ["fixed"]
train = ["*"]
[metrics]
allowed = ["loss"]
"""
BASE = {
    "w": np.zeros((2, 3), np.float32),
    "running": np.ones(2, np.float32),
    "fixed": np.full(2, 7, np.float32),
    "count": np.zeros((), np.int64),
}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def address(net):
    owner = net.person("owner")
    folder = make_workspace(owner.folder / "model").folder
    (folder / "flair.toml").write_text(RECIPE)
    safetensors.numpy.save_file(BASE, folder / "weights.safetensors")
    flags = ("--open", "--min-updates", 1, "--norm-bound", 2)
    return owner.json("repo", "create", "model", *flags, cwd=folder)["repo"]


@pytest.fixture
def site(net, address, request, monkeypatch):
    """A person whose process stands in a trusted clone."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    made = net.person(name)
    for variable in ("FLAIR_NETWORK", "FLAIR_WALLET"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FLAIR_HOME", str(made.home))
    made.json("clone", address, "model", "--trust")
    monkeypatch.chdir(made.folder / "model")
    return made


def kept():
    return safetensors.numpy.load_file("update.safetensors")


def test_the_package_is_the_door_and_holds_its_modules():
    assert flair_client.training is sys.modules["flair_client.training"]
    assert flair_client.training.recipe.parse_recipe is parse_recipe
    with pytest.raises(NotAWorkspace), flair_client.training("/"):
        pass


def test_a_program_of_ones_own_trains(site):
    with flair_client.training() as t:
        weights = t.weights()
        weights["w"] += 0.5
        weights["count"] += 3

        made = t.finish(weights, num_samples=40, metrics={"loss": 0.5, "acc": 0.75})

    assert (t.seed, t.epochs, t.device, t.round_index) == (11, 3, "cpu", 1)
    assert t.context.options == {"hidden": 4}
    assert t.context.trained == {"w"}
    assert not t.is_statistics
    assert made.length == pytest.approx(np.sqrt(6 * 0.25) / 2)
    assert made.sent_tensors == ("w",)
    assert made.metrics_kept == ("acc",)
    assert "metrics.loss" in made.sent_fields
    assert "metrics.acc" not in made.sent_fields
    assert kept()["w"].tolist() == [[0.5] * 3] * 2
    # Integers are no weights: a counter stays as it was.
    assert kept()["count"] == 0
    folder = site.folder / "model"
    committed = site.json("commit", "-m", "mine", cwd=folder)
    assert committed["samples_bucket"] == 32
    assert committed["metrics"] == {"loss": 0.5}
    assert site("push", cwd=folder).code == 0


def test_what_is_too_long_is_scaled_down_to_the_policys_norm(site):
    with flair_client.training() as t:
        made = t.finish({**BASE, "w": np.full((2, 3), 5, np.float32)}, num_samples=1)

    assert made.length == pytest.approx(np.sqrt(6) * 5 / 2)
    length = np.linalg.norm(kept()["w"].astype(np.float64))
    assert 1.9999 < length <= 2


def test_fedprox_holds_near_the_base(site):
    with flair_client.training() as t:
        term = t.context.prox_term({"w": np.full((2, 3), 0.5), "running": np.ones(2)})
        t.finish(t.weights(), num_samples=1)

    # mu / 2 · Σ (w - 0)²; what is not trained takes no part.
    assert term == pytest.approx(2.0 / 2 * 6 * 0.25)


def test_local_tensors_stay_from_round_to_round(site):
    def train():
        with flair_client.training() as t:
            begun = t.weights()
            t.finish(
                {**begun, "w": begun["w"] + 1, "running": begun["running"] * 2},
                num_samples=4,
            )
        return begun["running"].tolist(), kept()["running"].tolist()

    first = train()
    # Once more from the same commit begins with the same values.
    again = train()
    folder = site.folder / "model"
    for words in (("commit", "-m", "one"), ("push",)):
        assert site(*words, cwd=folder).code == 0
    workspace = find_workspace(folder)
    base = workspace.head().commit
    other = type(base)(bytes(32))
    marker = workspace.marker("local")
    # As if the round had been merged: the head is another commit.
    path = workspace.state_folder / "local" / f"{base}.safetensors"
    path.rename(path.with_name(f"{other}.safetensors"))
    workspace.set_marker("local", {"bases": [str(other)]})
    later = train()

    assert marker == {"bases": [str(base)]}
    assert first == again == ([1, 1], [2, 2])
    assert later == ([2, 2], [4, 4])
    assert {one.stem for one in path.parent.iterdir()} == {str(other), str(base)}


def test_noise_in_the_training_covers_no_local_tensors(site):
    def train(has_noise, **changes):
        steps = NoisySteps(2.0, 0.5, 20) if has_noise else None
        with flair_client.training() as t:
            new = {**t.weights(), "w": np.ones((2, 3), np.float32), **changes}
            t.finish(new, num_samples=4, noisy_steps=steps)

    train(has_noise=True)
    moved = np.full(2, 3, np.float32)
    with pytest.raises(UsageError, match="does not cover the local tensor 'running'"):
        train(has_noise=True, running=moved)
    workspace = find_workspace(site.folder / "model")
    base = workspace.head().commit
    train(has_noise=False, running=moved)
    # As if the round had been merged: what was kept is of the head before.
    other = type(base)(bytes(32))
    path = workspace.state_folder / "local" / f"{base}.safetensors"
    path.rename(path.with_name(f"{other}.safetensors"))
    workspace.set_marker("local", {"bases": [str(other)]})

    # What an earlier training left there would be handed on.
    with pytest.raises(UsageError, match="'running', which is not the published one"):
        train(has_noise=True)


def nan(base):
    return {**base, "w": np.full((2, 3), np.nan, np.float32)}


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (nan, NotFinite, "'w': 6 values are not finite"),
        (lambda b: {"w": b["w"]}, TensorMismatch, "'count': expected I64"),
        (lambda b: {**b, "x": b["w"]}, TensorMismatch, "'x': expected nothing"),
        (lambda b: {**b, "w": b["w"].T.copy()}, TensorMismatch, r"got F32 \[3, 2\]"),
        (lambda b: {**b, "w": b["w"].astype("f8")}, TensorMismatch, "got F64"),
        (lambda b: {**b, "fixed": b["fixed"] + 1}, ObjectInvalid, "'fixed'.* frozen"),
        (lambda _: 3, UsageError, "int holds no weights"),
    ],
)
def test_what_is_no_update_is_refused_by_name(site, change, error, sentence):
    with flair_client.training() as t:
        t.finish(t.weights(), num_samples=1)
    before = kept()

    with pytest.raises(error, match=sentence), flair_client.training() as t:
        t.finish(change(t.weights()), num_samples=1)

    assert kept().keys() == before.keys()
    assert kept()["w"].tolist() == before["w"].tolist()


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "7"])
def test_a_number_of_samples_that_cannot_be(site, n):
    with pytest.raises(UsageError, match="samples"), flair_client.training() as t:
        t.finish(t.weights(), num_samples=n)


def test_a_block_without_finish_is_an_error_and_keeps_nothing(site):
    with (
        pytest.raises(UsageError, match="without finish"),
        flair_client.training(),
    ):
        pass

    assert not Path("update.safetensors").exists()


def test_an_error_inside_comes_out_as_it_is(site):
    with pytest.raises(ZeroDivisionError), flair_client.training():
        1 / 0  # noqa: B018

    with flair_client.training() as t:
        t.finish(t.weights(), num_samples=1)


def test_nothing_is_handed_out_before_the_terms_were_accepted(site):
    Path(".flair/trust.toml").unlink()

    with pytest.raises(TrustRequired), flair_client.training():
        pass


def test_a_device_that_is_not_there(site):
    with pytest.raises(UsageError, match="cuda"), flair_client.training(device="cuda"):
        pass


def test_training_is_written_into_the_audit_log(site):
    with flair_client.training(source="icu") as t:
        t.finish(t.weights(), num_samples=9)

    entry = read_audit(site.home).lines[-1]
    assert entry.details["num_samples"] == 9
    assert entry.details["source"] == "icu"
