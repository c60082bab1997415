"""`flair policy suggest` in a workspace that was not published yet."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from flair_client.errors import SiteRefused
from flair_client.ids import Address
from flair_client.porcelain.policy_code import CodeRun
from flair_client.porcelain.policy_suggest import policy_suggest
from flair_client.repo_address import RepoAddress
from flair_client.site_rules import SiteRules
from flair_client.training.recipe import parse_recipe
from flair_client.training.sandbox import find_sandbox
from flair_client.workspace import Workspace, make_workspace

ROWS = "age,sex,target\n" + "\n".join(
    f"{40 + n % 37},{n % 3 % 2},{int(n % 37 > 18)}" for n in range(60)
)


@pytest.fixture
def heart(flair, home, tmp_path, monkeypatch):
    """The folder of a logistic regression with statistics."""
    work = tmp_path / "work"
    (work / "rows.csv").write_text(ROWS)
    assert flair("init", "heart", "--columns-from", "rows.csv").code == 0
    monkeypatch.chdir(work / "heart")
    return work / "heart"


@pytest.fixture
def own(flair, home, tmp_path, monkeypatch):
    """The folder of a model of the user's own."""
    work = tmp_path / "work"
    arrays = {"w": np.ones(4, np.float32), "bn.running_mean": np.ones(2, np.float32)}
    np.savez(work / "model.npz", **arrays)
    assert flair("init", "own", "--weights", "model.npz").code == 0
    monkeypatch.chdir(work / "own")
    return work / "own"


def test_a_table_to_paste_with_what_it_does(flair, heart):
    before = (heart / "flair.toml").read_bytes()

    ran = flair("policy", "suggest", "--data", "../rows.csv")

    assert ran.code == 0, ran.err
    table = tomllib.loads(ran.out)["policy"]
    assert sorted(table) == ["bits", "norm_bound", "scale_exp"]
    assert "# 16 bits, statistics: length" in ran.out
    assert "% rounded to zero" in ran.out
    assert (heart / "flair.toml").read_bytes() == before
    assert not (heart / "update.safetensors").exists()
    told = flair("policy", "suggest", "--data", "../rows.csv", "--json").line["result"]
    assert told["chosen"]["bits"] == table["bits"]
    assert told["n_values"] == 2 + 1 + 6
    # The statistics of round 0 are part of it: at most √(3 · 2) long.
    kinds = {run["kind"]: run for run in told["chosen"]["runs"]}
    assert set(kinds) == {"statistics", "training"}
    assert kinds["statistics"]["length"] <= 6**0.5
    assert all(run["norm_by_bound"] <= 0.5 for run in kinds.values())


def test_the_recipe_takes_the_proposal_and_keeps_the_rest(flair, heart):
    path = heart / "flair.toml"
    path.write_text(path.read_text() + "\n[policy]\nmin_updates = 3 # hospitals\n")

    ran = flair("policy", "suggest", "--data", "../rows.csv", "--write", "--json")

    assert ran.code == 0
    text = path.read_text()
    assert "min_updates = 3 # hospitals" in text
    policy = parse_recipe(text).policy
    chosen = ran.line["result"]["chosen"]
    assert policy["bits"] == chosen["bits"]
    assert policy["scale_exp"] == chosen["scale_exp"]
    assert policy["norm_bound"] == chosen["norm_bound"]
    assert ran.line["result"]["written"] == str(path)


def test_new_weights_of_the_users_own(flair, own):
    moved = {"w": np.full(4, 1.5, np.float32), "bn.running_mean": np.zeros(2, "f4")}
    np.savez(own / "new.npz", **moved)

    told = flair("policy", "suggest", "--update", "new.npz", "--json").line["result"]

    # Local tensors do not travel: only four halves count, a length of 1.
    (run,) = told["chosen"]["runs"]
    assert (run["kind"], run["length"], run["largest"]) == ("training", 1.0, 0.5)
    assert told["chosen"]["norm_bound"] == 2.0
    assert (told["chosen"]["bits"], told["chosen"]["scale_exp"]) == (13, -11)
    assert told["others"][0]["scale_exp"] == -14


def test_what_was_trained_here_is_looked_at_without_a_flag(flair, own):
    moved = {"w": np.full(4, 3, np.float32), "bn.running_mean": np.ones(2, "f4")}
    safetensors.numpy.save_file(moved, own / "update.safetensors")

    told = flair("policy", "suggest", "--headroom", 4, "--json").line["result"]

    assert told["source"].endswith("update.safetensors")
    assert told["chosen"]["norm_bound"] == 16.0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "nothing was trained here yet"),
        (("--data", "x", "--update", "y"), 2, "not of both"),
        (("--data", "../rows.csv"), 2, "no built-in model"),
        (("--update", "none.npz"), 2, "No such file"),
        (("--update", "same.npz"), 2, "changes nothing that updates carry"),
        (("--update", "other.npz"), 5, "'bn.running_mean': expected F32 [2]"),
        (("--update", "nan.npz"), 5, "'w': 1 values are not finite"),
        (("--headroom", "0.5"), 2, "is not in the range"),
    ],
)
def test_what_cannot_be(flair, own, words, code, sentence):
    base = {"w": np.ones(4, np.float32), "bn.running_mean": np.ones(2, np.float32)}
    np.savez(own / "same.npz", **base)
    np.savez(own / "other.npz", w=base["w"])
    base["w"][2] = np.nan
    np.savez(own / "nan.npz", **base)

    ran = flair("policy", "suggest", *words)

    assert ran.code == code
    assert sentence in ran.err


def test_bad_data(flair, heart):
    (heart / "bad.csv").write_text("age,target\n1,1\n")

    ran = flair("policy", "suggest", "--data", "bad.csv")

    assert ran.code == 1
    assert "'sex'" in ran.err


def test_a_recipe_that_is_broken(flair, heart):
    (heart / "flair.toml").write_text("[policy\n")

    ran = flair("policy", "suggest", "--data", "../rows.csv")

    assert ran.code == 5
    assert "is not TOML" in ran.err


def test_outside_of_a_workspace(flair, home):
    ran = flair("policy", "suggest")

    assert ran.code == 2
    assert "there is no workspace" in ran.err


CODE = """
[recipe]
model = "python"
[statistics]
enabled = true
[tensors]
average = ["seen"]
train = ["*"]
"""
TRAIN = """
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    if ctx.is_statistics:
        return TrainResult({**weights, "seen": data.x.mean(axis=0)}, len(data))
    assert weights["seen"].tolist() == [3, 4]
    return TrainResult({**weights, "w": weights["w"] + 2}, len(data))
"""


def code_folder(monkeypatch, train):
    folder = make_workspace(Path("code")).folder
    monkeypatch.chdir(folder)
    (folder / "flair.toml").write_text(CODE)
    (folder / "train.py").write_text(train)
    base = {"w": np.zeros(4, np.float32), "seen": np.zeros(2, np.float32)}
    safetensors.numpy.save_file(base, folder / "weights.safetensors")
    np.savez(folder / "rows.npz", x=np.array([[3, 4]] * 12, "f4"), target=np.ones(12))
    return folder


@pytest.mark.skipif(find_sandbox() is None, reason="this machine has no sandbox")
def test_code_of_the_workspaces_own_is_run_once(flair, home, monkeypatch):
    folder = code_folder(monkeypatch, TRAIN)

    told = flair("policy", "suggest", "--data", "rows.npz", "--write", "--json")

    assert told.code == 0, told.err
    kinds = {
        run["kind"]: run["length"] for run in told.line["result"]["chosen"]["runs"]
    }
    assert kinds == {"statistics": 5.0, "training": 4.0}
    assert parse_recipe(Path("flair.toml").read_bytes()).policy["norm_bound"] == 10.0
    assert {one.name for one in folder.iterdir()} == {
        *(".flair", "flair.toml", "train.py", "weights.safetensors", "rows.npz")
    }


def test_code_of_a_repository_is_not_run(flair, home, monkeypatch):
    folder = code_folder(monkeypatch, "raise SystemExit('this must not run')")
    repo = RepoAddress("localnet", Address(bytes([1]) * 32), "heart")
    Workspace(folder).bind(repo, "main", "file:///nowhere")

    ran = flair("policy", "suggest", "--data", "rows.npz")

    assert ran.code == 2
    assert "only `flair train` runs it, once it is trusted" in ran.err


def test_a_site_may_forbid_running_without_a_sandbox(home, monkeypatch):
    folder = code_folder(monkeypatch, "raise SystemExit('this must not run')")
    run = CodeRun(sandboxed=False, site=SiteRules(no_sandbox=False))

    with pytest.raises(SiteRefused, match="no recipe without a sandbox"):
        policy_suggest(Workspace(folder), data=folder / "rows.npz", code=run)
