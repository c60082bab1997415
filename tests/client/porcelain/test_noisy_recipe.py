"""Recipes that train with noise: counted, stated, paid for, refused when spent."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

pytest.importorskip("dp_accounting", reason="the extra `privacy` is not installed")

from flair_client.objects import Privacy
from flair_client.porcelain.protection import has_noise
from flair_client.privacy.accountant import epsilon_of
from flair_client.site_rules import SiteRules
from flair_client.training.noisy_steps import NoisySteps
from flair_client.training.sandbox import find_sandbox
from flair_client.workspace import make_workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from work_world import running_net

pytestmark = pytest.mark.skipif(
    find_sandbox() is None, reason="this machine has neither bwrap nor user namespaces"
)

NUMBERS = itertools.count()
STEPS = NoisySteps(2.0, 0.5, 20)
RECIPE = """
[recipe]
model = "python"
[[data.inputs]]
name = "x"
shape = [-1]
[training]
epochs = 1
max_seconds = 60
[metrics]
allowed = ["loss"]
[policy]
contribute = "open"
min_updates = 1
norm_bound = 2.0
"""
TRAIN = f"""
from flair_client.training.doors import TrainResult
from flair_client.training.noisy_steps import NoisySteps

def train(weights, data, ctx):
    weights["w"] = weights["w"] + 1
    steps = NoisySteps{(STEPS.noise_multiplier, STEPS.sampling_rate, STEPS.steps)}
    return TrainResult(weights, len(data), {{"loss": 1.0}}, noisy_steps=steps)
"""
# Something that no honest recipe gives: an epsilon of its own, fewer steps than none.
LIAR = (
    TRAIN.replace("noisy_steps=steps)", "noisy_steps=Lie())")
    + """
class Lie:
    def save(self):
        return LIE
"""
)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture
def site(net):
    made = net.person(f"site{next(NUMBERS)}")
    np.savez(made.folder / "rows.npz", x=np.ones(8, np.float32))
    return made


def published(owner, name, train=TRAIN, policy=""):
    folder = make_workspace(owner.folder / name).folder
    (folder / "flair.toml").write_text(RECIPE + policy)
    (folder / "train.py").write_text(train)
    weights = {"w": np.zeros(2, np.float32)}
    safetensors.numpy.save_file(weights, folder / "weights.safetensors")
    return owner.json("repo", "create", name, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def address(owner):
    return published(owner, "noisy", policy='dp = "required"\n')


def cloned(site, address):
    assert site("clone", address, "model", "--trust").code == 0
    return site.folder / "model"


def test_steps_are_counted_stated_and_paid_for(site, address):
    folder = cloned(site, address)
    trained = site.json("train", "--data", "../rows.npz", cwd=folder)
    assert trained["noisy_steps"] == STEPS.save()

    made = site.json("commit", "-m", "with noise", cwd=folder)

    stated = made["privacy"]
    assert stated["epsilon"] == epsilon_of((STEPS,), 1e-6)
    assert stated["delta"] == 1e-6
    assert NoisySteps.parse(stated["accountant"]) == STEPS
    assert stated["noise_multiplier"] is None
    # Measured without noise.
    assert made["metrics"] == {}
    assert made["metrics_withheld"] == ["loss"]
    shown = site("show", made["commit"], cwd=folder)
    assert f"epsilon {stated['epsilon']:.6g} at delta 1e-06" in shown.out

    site.json("push", cwd=folder)
    spent = site.json("privacy", "show", made["source"])
    assert [one["noisy_steps"] for one in spent["updates"]] == [STEPS.save()]
    assert spent["epsilon"] == pytest.approx(stated["epsilon"])


def test_a_spent_budget_refuses_the_next_one(site, address):
    folder = cloned(site, address)
    site.json("train", "--data", "../rows.npz", cwd=folder)
    allowed = epsilon_of((STEPS,), 1e-6)
    site("config", "set", "privacy.max_epsilon", f"{allowed * 0.99}", cwd=folder)

    ran = site("commit", "-m", "with noise", cwd=folder)

    assert ran.code == 1
    assert f"has spent epsilon 0 of {allowed * 0.99:.4g}" in ran.err


@pytest.mark.parametrize(
    ("accountant", "recipes", "counts"),
    [
        ("rdp, two clips apart", None, True),
        (STEPS.text, None, False),
        (STEPS.text, frozenset({"sha256:00"}), True),
    ],
)
def test_a_site_counts_steps_of_recipes_that_it_lists(accountant, recipes, counts):
    privacy = Privacy(mode="public", epsilon=1.0, delta=1e-6, accountant=accountant)

    assert has_noise(SiteRules(recipes=recipes), privacy) == counts
    assert not has_noise(SiteRules(recipes=recipes), Privacy(mode="public"))


def test_noise_of_the_update_is_stated_where_there_is_both(site, address):
    folder = cloned(site, address)
    site.json("train", "--data", "../rows.npz", cwd=folder)

    made = site.json("commit", "-m", "both", "--epsilon", 3, cwd=folder)

    assert made["privacy"]["epsilon"] <= 3
    assert made["privacy"]["accountant"] == "rdp, two clips apart"
    assert made["privacy"]["noise_multiplier"] > 0


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ('{"epsilon": 0.1}', "is no table"),
        (
            '{"noise_multiplier": 1.0, "sampling_rate": 0.5, "steps": 0}',
            "noisy_steps.steps",
        ),
        (
            '{"noise_multiplier": 1e99, "sampling_rate": 0.5, "steps": 1}',
            "noisy_steps.noise_multiplier",
        ),
    ],
)
def test_nonsense_of_a_recipe_about_its_noise(site, owner, lie, reason):
    number = next(NUMBERS)
    address = published(owner, f"liar{number}", LIAR.replace("LIE", lie))
    folder = cloned(site, address)

    ran = site("train", "--data", "../rows.npz", cwd=folder)

    assert ran.code != 0
    assert reason in ran.err
    assert not (folder / "update.safetensors").exists()


DP_SGD = """
import torch
from torch import nn
from torch.nn import functional
from flair_client.privacy.dp_sgd import DpSgd
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    model = nn.Linear(1, 2)
    model.load_state_dict(weights)
    x = torch.from_numpy(data["x"])[:, None]
    y = (x[:, 0] > 0).long()
    dp = DpSgd(
        model, functional.cross_entropy, n_rows=len(data), batch_size=ctx.batch_size,
        clip=1.0, noise_multiplier=2.0, trained=ctx.trained,
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=ctx.learning_rate)
    for _ in range(dp.steps_of(ctx.epochs)):
        dp.set_gradients(x, y)
        optimizer.step()
    return TrainResult(model.state_dict(), len(data), noisy_steps=dp.noisy_steps)
"""


def test_dp_sgd_within_the_sandbox(site, owner):
    pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")
    folder = make_workspace(owner.folder / "dp-sgd").folder
    recipe = RECIPE.replace("[[data", '[model]\nframework = "torch"\n[[data', 1)
    recipe = recipe.replace("epochs = 1", "epochs = 3\nbatch_size = 4")
    (folder / "flair.toml").write_text(recipe)
    (folder / "train.py").write_text(DP_SGD)
    weights = {"weight": np.zeros((2, 1), "f4"), "bias": np.zeros(2, "f4")}
    safetensors.numpy.save_file(weights, folder / "weights.safetensors")
    ran = owner("repo", "create", "dp-sgd", "--json", cwd=folder)
    assert ran.code == 0, ran.out[:1500]
    address = ran.result["repo"]
    clone = cloned(site, address)

    trained = site("train", "--data", "../rows.npz", cwd=clone)

    assert trained.code == 0, trained.err
    assert "the code trained with noise, in 6 steps" in trained.err
    made = site.json("commit", "-m", "with noise", cwd=clone)
    # Four of eight rows a step, three times over.
    steps = NoisySteps(2.0, 0.5, 6)
    assert made["privacy"]["accountant"] == steps.text
    assert made["privacy"]["epsilon"] == epsilon_of((steps,), 1e-6)
    assert made["n_tensors"] == 2
