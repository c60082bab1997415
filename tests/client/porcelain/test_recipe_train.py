"""Recipes with code of their own: published, trusted, run in the sandbox."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from flair_client.audit import read_audit
from flair_client.errors import RecipeFailed, TrustRequired
from flair_client.opening import open_context
from flair_client.porcelain.evaluate import evaluate
from flair_client.settings import Flags, load_settings
from flair_client.training.sandbox import find_sandbox
from flair_client.workspace import find_workspace, make_workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from work_world import running_net

pytestmark = pytest.mark.skipif(
    find_sandbox() is None, reason="this machine has neither bwrap nor user namespaces"
)

NUMBERS = itertools.count()
RECIPE = """
[recipe]
model = "python"
{more}
[data]
target = "y"
[[data.inputs]]
name = "x"
dtype = "float32"
shape = [-1, 2]
[[data.inputs]]
name = "y"
shape = [-1]
[training]
epochs = 3
learning_rate = 0.1
max_seconds = 60
[tensors]
local = ["running"]
frozen = ["fixed"]
train = ["*"]
[metrics]
allowed = ["loss"]
[policy]
contribute = "open"
min_updates = 1
norm_bound = 2.0
"""
TRAIN = """
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    w = weights["w"]
    for epoch in range(ctx.epochs):
        error = data.x @ w - data.y
        w = (w - ctx.learning_rate * data.x.T @ error / len(data)).astype(np.float32)
        ctx.report(epoch + 1, ctx.epochs)
    new = {**weights, "w": w, "running": weights["running"] + 1}
    new["count"] = new["count"] + 9
    metrics = {"loss": float(error @ error), "secret": 1.0}
    return TrainResult(new, len(data), metrics, ctx.epochs)
"""
BASE = {
    "w": np.zeros(2, np.float32),
    "running": np.ones(2, np.float32),
    "fixed": np.full(2, 7, np.float32),
    "count": np.zeros((), np.int64),
}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


def publish(owner, name, train=TRAIN, *, more="", recipe=RECIPE, files=(), base=BASE):
    folder = make_workspace(owner.folder / name).folder
    (folder / "flair.toml").write_text(recipe.replace("{more}", more))
    (folder / "train.py").write_text(train)
    for file, text in files:
        (folder / file).write_text(text)
    safetensors.numpy.save_file(base, folder / "weights.safetensors")
    return owner.json("repo", "create", name, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def address(owner):
    return publish(owner, "plain")


@pytest.fixture
def site(net):
    made = net.person(f"site{next(NUMBERS)}")
    np.savez(
        made.folder / "rows.npz",
        x=np.array([[1, 0], [0, 1], [1, 1]], np.float32),
        y=np.array([1, 2, 3], np.float32),
    )
    return made


def cloned(site, address, *, trust=True):
    site.json("clone", address, "model", *(("--trust",) if trust else ()))
    return site.folder / "model"


def train(site, folder, *flags):
    return site("train", "--data", site.folder / "rows.npz", *flags, cwd=folder)


def update(folder):
    return safetensors.numpy.load_file(folder / "update.safetensors")


def test_a_recipe_of_plain_numpy_goes_from_clone_to_push(site, address):
    folder = cloned(site, address)

    made = train(site, folder, "--json").result

    assert (folder / "train.py").read_text() == TRAIN
    assert made["num_samples"] == 3
    assert made["epochs"] == 3
    assert made["metrics_kept"] == ["secret"]
    assert made["sent_tensors"] == ["w"]
    assert made["sandboxed"] is True
    new = update(folder)
    assert new["w"].any()
    # Counters and frozen tensors come out as they were; local ones are kept.
    assert new["count"] == 0
    assert new["fixed"].tolist() == [7, 7]
    assert new["running"].tolist() == [2, 2]
    committed = site.json("commit", "-m", "mine", cwd=folder)
    assert committed["metrics"] == {"loss": made["metrics"]["loss"]}
    assert site("push", cwd=folder).code == 0
    # Nothing of the run stays behind.
    assert not (folder / ".flair" / "scratch").exists()


def test_a_warning_names_what_stays_here(site, address):
    ran = train(site, cloned(site, address))

    assert ran.code == 0
    assert "metric secret stays here" in ran.err


def test_exactly_the_trusted_files_run_whatever_lies_in_the_folder(site, address):
    folder = cloned(site, address)
    (folder / "train.py").write_text("raise SystemExit('edited here')")

    assert train(site, folder).code == 0


def test_the_log_says_that_code_of_a_recipe_ran(site, address):
    train(site, cloned(site, address))

    line = read_audit(site.home).lines[-1]
    assert line.kind == "train"
    assert line.details["sandboxed"] is True


CORRECTED = """
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    step = ctx.step_size(ctx.epochs)
    w = weights["w"]
    for _ in range(ctx.epochs):
        gradient = data.x.T @ (data.x @ w - data.y) / len(data)
        w = w - step * (gradient + ctx.gradient_correction("w"))
    return TrainResult({**weights, "w": w.astype("float32")}, len(data), {}, ctx.epochs)
"""
SCAFFOLD = (
    RECIPE
    + """strategy = "scaffold"
[policy.strategy_params]
rate = 0.3
"""
)


def test_under_scaffold_the_sandbox_holds_the_correction(owner, site):
    address = publish(owner, "corrected", CORRECTED, recipe=SCAFFOLD)
    folder = cloned(site, address)

    ran = train(site, folder)

    # By hand, with a correction of nothing: 3 epochs of 0.1 each.
    assert ran.code == 0, ran.err
    x, y = np.array([[1, 0], [0, 1], [1, 1]]), np.array([1, 2, 3])
    w = np.zeros(2)
    for _ in range(3):
        w = w - 0.1 * x.T @ (x @ w - y) / 3
    np.testing.assert_allclose(update(folder)["w"], w, rtol=1e-6)
    assert (folder / ".flair" / "variates").is_dir()
    assert not (folder / ".flair" / "scratch").exists()


def test_under_scaffold_code_that_corrects_nothing_is_refused(owner, site):
    address = publish(owner, "uncorrected", TRAIN, recipe=SCAFFOLD)
    folder = cloned(site, address)

    ran = train(site, folder)

    assert ran.code == 1
    assert "the gradients were never corrected: ctx.correct_gradients()" in ran.err
    assert not (folder / "update.safetensors").exists()


RETURNS = """
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (
            "return TrainResult({**weights, 'w': weights['w'] * np.nan}, 1)",
            5,
            "tensor 'w': 2 values are not finite",
        ),
        (
            "return TrainResult({**weights, 'w': weights['w'] + np.inf}, 1)",
            5,
            "tensor 'w': 2 values are not finite",
        ),
        (
            "del weights['w']; return TrainResult(weights, 1)",
            5,
            "tensor 'w': expected F32 [2], got nothing",
        ),
        (
            "return TrainResult({**weights, 'extra': weights['w']}, 1)",
            5,
            "tensor 'extra': expected nothing, got F32 [2]",
        ),
        (
            "return TrainResult({**weights, 'w': np.zeros(3, np.float32)}, 1)",
            5,
            "tensor 'w': expected F32 [2], got F32 [3]",
        ),
        (
            "return TrainResult({**weights, 'w': np.zeros(2)}, 1)",
            5,
            "tensor 'w': expected F32 [2], got F64 [2]",
        ),
        (
            "return TrainResult({**weights, 'fixed': weights['fixed'] + 1}, 1)",
            5,
            "tensor 'fixed': is frozen and was changed",
        ),
        ("return TrainResult(weights, 0)", 5, "num_samples: 0 is not in 1 to"),
        ("return TrainResult(weights, -4)", 5, "num_samples: -4 is not in 1 to"),
        ("return TrainResult(weights, 2**60)", 5, "num_samples"),
        ("return TrainResult(weights, 1, {}, -1)", 5, "epochs: -1 is not in 0 to"),
        ("raise KeyError('age')", 1, "KeyError at train.py, line 6: 'age'"),
        ("import os; os._exit(7)", 1, "ended with exit code 7"),
        (
            "(ctx.scratch / 'result.json').write_text('{}'); import os; os._exit(0)",
            5,
            "result.json.metrics: is no short table",
        ),
        ("import os; os._exit(0)", 1, "left no result behind"),
    ],
)
def test_what_comes_back_wrong_is_refused_by_name(site, owner, body, code, told):
    text = RETURNS.replace("{body}", body)
    address = publish(owner, site.folder.parent.name, text)
    folder = cloned(site, address)

    ran = train(site, folder)

    assert ran.code == code, ran.err
    assert told in ran.err
    assert not (folder / "update.safetensors").exists()
    assert site("commit", "-m", "x", cwd=folder).code == 1


def test_metrics_that_are_no_finite_number_stay_here(site, owner):
    body = "return TrainResult(weights, 1, {'loss': float('nan')})"
    folder = cloned(site, publish(owner, "nan-metric", RETURNS.replace("{body}", body)))

    made = train(site, folder, "--json").result

    assert made["metrics"] == {}
    assert made["metrics_kept"] == ["loss"]


def test_a_run_that_is_cut_off_is_taken_up_again(site, owner):
    body = """
    if ctx.resume is None:
        ctx.checkpoint(lambda path: path.write_text("half"))
        raise MemoryError
    assert ctx.resume.read_text() == "half"
    return TrainResult({**weights, "w": weights["w"] + 1}, 3)
"""
    folder = cloned(site, publish(owner, "resume", RETURNS.replace("{body}", body)))

    first = train(site, folder)
    other = train(site, folder, "--seed", 5)
    again = train(site, folder, "--json", "--seed", 5)

    assert first.code == 1
    # Another seed is another run, and begins anew.
    assert "MemoryError" in other.err
    assert again.result["resumed"] is True
    assert train(site, folder, "--seed", 5).code == 1


def test_an_update_is_scaled_down_to_the_policys_norm(site, owner):
    body = "return TrainResult({**weights, 'w': weights['w'] + 30}, 1)"
    folder = cloned(site, publish(owner, "long", RETURNS.replace("{body}", body)))

    made = train(site, folder, "--json").result

    assert made["length"] == pytest.approx(30 * np.sqrt(2) / 2)
    assert 1.9999 < np.linalg.norm(update(folder)["w"].astype(float)) <= 2


def test_trust_shows_the_code_and_what_it_imports(site, owner):
    more = 'requirements = ["numpy==0.0.1", "no-such-library-here==1.2"]'
    address = publish(owner, "shown", more=more, files=[("model.py", "SIZE = 2\n")])
    folder = cloned(site, address, trust=False)

    shown = site.json("trust", cwd=folder)
    ran = site("trust", "--accept", cwd=folder)

    assert "+++ now train.py" in shown["recipe_diff"]
    assert "+def train(weights, data, ctx):" in shown["recipe_diff"]
    # Only files that the recipe names are its own.
    assert not (folder / "model.py").exists()
    assert shown["requirements"][0]["installed"] == np.__version__
    assert shown["pip"] == "pip install no-such-library-here==1.2"
    assert f"numpy==0.0.1  ({np.__version__} is installed)" in ran.out
    assert "no-such-library-here==1.2  (not installed)" in ran.out
    refused = train(site, folder)
    assert refused.code == 2
    assert "needs what is not installed: no-such-library-here==1.2" in refused.err
    assert "pip install no-such-library-here==1.2" in refused.err


def test_changed_code_is_shown_as_a_diff_before_it_runs(site, owner):
    address = publish(owner, "changing")
    folder = cloned(site, address)
    home = owner.folder / "changing"
    (home / "train.py").write_text(TRAIN.replace("ctx.learning_rate", "0.01"))
    assert owner("commit", "--snapshot", "-m", "slower", cwd=home).code == 0
    assert owner("push", cwd=home).code == 0
    assert site("pull", cwd=folder).code == 0

    refused = train(site, folder)
    shown = site.json("trust", cwd=folder)["recipe_diff"]
    assert site("trust", "--accept", cwd=folder).code == 0

    assert refused.code == 1
    assert "the recipe changed since it was accepted" in refused.err
    assert [line for line in shown if line[:1] in "+-" and "0.01" in line]
    assert len(shown) < len(TRAIN.splitlines()) + 4
    assert train(site, folder).code == 0


def test_a_recipe_whose_code_is_not_there_is_not_published(owner):
    folder = make_workspace(owner.folder / "empty").folder
    (folder / "flair.toml").write_text(RECIPE.replace("{more}", ""))
    safetensors.numpy.save_file(BASE, folder / "weights.safetensors")

    ran = owner("repo", "create", "empty", cwd=folder)

    assert ran.code == 2
    assert "names code in train.py, which is not there" in ran.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"x = 1\n" + b"#" * (64 * 1024), "65542 bytes, at most 65536"),
        (b"x = '\xff'\n", "train.py: is no text in UTF-8"),
    ],
)
def test_code_that_no_recipe_can_hold(owner, text, told):
    folder = make_workspace(owner.folder / f"odd{len(text)}").folder
    (folder / "flair.toml").write_text(RECIPE.replace("{more}", ""))
    (folder / "train.py").write_bytes(text)
    safetensors.numpy.save_file(BASE, folder / "weights.safetensors")

    ran = owner("repo", "create", folder.name, cwd=folder)

    assert ran.code == 5
    assert told in ran.err


def test_a_program_beside_a_recipe_without_code_is_not_published(owner):
    folder = make_workspace(owner.folder / "own").folder
    recipe = RECIPE.replace("{more}", "").replace('model = "python"', 'model = ""')
    (folder / "flair.toml").write_text(recipe)
    (folder / "train.py").write_text("password = 'mine'\n")
    safetensors.numpy.save_file(BASE, folder / "weights.safetensors")
    address = owner.json("repo", "create", "own", cwd=folder)["repo"]

    owner.json("clone", address, "copy")

    assert not (owner.folder / "copy" / "train.py").exists()
    assert (folder / "train.py").exists()
    assert owner.json("status", cwd=folder)["changed_files"] == []


def test_a_fork_has_the_code_too(site, address):
    forked = site.json("fork", address, "mine")["repo"]

    site.json("clone", forked, "mine")

    assert (site.folder / "mine" / "train.py").read_text() == TRAIN


def test_data_of_another_shape_is_named_before_anything_runs(site, address):
    folder = cloned(site, address)
    np.savez(site.folder / "rows.npz", x=np.zeros((3, 4), "f4"), y=np.zeros(3, "f4"))

    ran = train(site, folder)

    assert ran.code == 1
    assert "array 'x' has shape [3, 4], the recipe declares [-1, 2]" in ran.err


def test_without_a_sandbox_only_where_the_user_says_so(site, address):
    folder = cloned(site, address)

    ran = train(site, folder, "--no-sandbox", "--json")

    assert ran.result["sandboxed"] is False
    assert "ran without a sandbox" in ran.err
    assert read_audit(site.home).lines[-1].details["sandboxed"] is False


def test_no_more_epochs_and_no_larger_batches_than_the_policy_allows(site, owner):
    body = """
    assert (ctx.epochs, ctx.batch_size) == (2, 8)
    return TrainResult(weights, 1, {}, ctx.epochs + ctx.round_index - 1)
"""
    bounds = "norm_bound = 2.0\nmax_epochs = 2\nmax_batch_size = 8"
    recipe = RECIPE.replace("norm_bound = 2.0", bounds)
    text = RETURNS.replace("{body}", body)
    folder = cloned(site, publish(owner, "bounded", text, recipe=recipe))
    greedy = text.replace("ctx.epochs + ctx.round_index - 1", "3")
    other = publish(owner, "greedy", greedy, recipe=recipe)
    site.json("clone", other, "greedy", "--trust")

    made = train(site, folder, "--json").result
    refused = train(site, site.folder / "greedy")

    assert made["epochs"] == 2
    assert refused.code == 1
    assert "3 epochs were made, the policy allows 2" in refused.err


def test_statistics_of_code_come_in_round_zero_and_only_they_are_sent(site, owner):
    body = """
    assert ctx.is_statistics and ctx.trained == {"seen"}
    return TrainResult({**weights, "seen": data.x.mean(axis=0)}, len(data), {}, 0)
"""
    recipe = RECIPE.replace(
        "[tensors]", "[statistics]\nenabled = true\nmin_rows = 3\n[tensors]"
    ).replace('train = ["*"]', 'average = ["seen"]\ntrain = ["*"]')
    more = {**BASE, "seen": np.zeros(2, np.float32)}
    text = RETURNS.replace("{body}", body)
    address = publish(owner, "counted", text, recipe=recipe, base=more)
    folder = cloned(site, address)

    made = train(site, folder, "--json").result
    np.savez(site.folder / "rows.npz", x=np.ones((2, 2), "f4"), y=np.ones(2, "f4"))
    few = train(site, folder)

    assert made["kind"] == "statistics"
    assert made["sent_tensors"] == ["seen"]
    assert update(folder)["seen"] == pytest.approx([2 / 3, 2 / 3])
    assert few.code == 1
    assert "2 rows are too few" in few.err


def test_killed_in_the_middle_it_goes_on_from_the_checkpoint(site, owner):
    body = """
    import time
    if ctx.resume is None:
        ctx.checkpoint(lambda path: path.write_text("half"))
        time.sleep(60)
    return TrainResult({**weights, "w": weights["w"] + 1}, 3)
"""
    folder = cloned(site, publish(owner, "killed", RETURNS.replace("{body}", body)))
    checkpoint = folder / ".flair" / "scratch" / "run" / "own" / "checkpoint"
    words = ["train", "--data", str(site.folder / "rows.npz"), "--home", str(site.home)]
    code = "import sys; from flair_client.cli.app import run; run(sys.argv[1:])"
    with subprocess.Popen([sys.executable, "-c", code, *words], cwd=folder) as running:
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        running.kill()

    again = train(site, folder, "--json")

    assert again.result["resumed"] is True
    assert update(folder)["w"].any()


MEASURES = (
    TRAIN
    + """

def evaluate(weights, data, ctx):
    if ctx.options.get("wrong"):
        return 7
    return {"mean": weights["w"].mean() + len(data), "odd": float("nan")}
"""
)


def evaluated(site, folder):
    """Calls what `flair contribute` calls, as this person."""
    settings = load_settings(Flags(home=site.home), folder=folder)
    workspace = find_workspace(folder)
    ctx = open_context(settings, network=workspace.repo().network)
    try:
        return evaluate(ctx, workspace, site.folder / "rows.npz")
    finally:
        ctx.chain.close()


def test_a_recipe_measures_a_model_with_code_of_its_own(site, owner):
    more = 'evaluation = "train:evaluate"'
    folder = cloned(site, publish(owner, "measured", MEASURES, more=more))

    found = evaluated(site, folder)

    assert (found.num_samples, found.metrics) == (3, {"mean": 3.0})
    (line,) = (folder / ".flair" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["metrics"] == {"mean": 3.0}
    assert not (folder / ".flair" / "scratch" / "evaluation").exists()
    (folder / ".flair" / "trust.toml").unlink()
    with pytest.raises(TrustRequired):
        evaluated(site, folder)


def test_where_nothing_measures_no_line_is_written(site, address):
    folder = cloned(site, address)

    assert evaluated(site, folder).metrics == {}
    assert not (folder / ".flair" / "metrics.jsonl").exists()


def test_a_measure_that_is_no_numbers_by_name_is_told(site, owner):
    more = 'evaluation = "train:evaluate"'
    recipe = RECIPE.replace("[tensors]", "options = { wrong = true }\n[tensors]")
    address = publish(owner, "mismeasured", MEASURES, more=more, recipe=recipe)

    with pytest.raises(RecipeFailed, match="train:evaluate gave int, no numbers"):
        evaluated(site, cloned(site, address))
