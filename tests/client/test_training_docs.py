"""The complete examples of docs/training.md, as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flair_client.training.sandbox import find_sandbox

sys.path.insert(0, str(Path(__file__).parent / "cli"))

from work_world import running_net

DOCS = Path(__file__).parents[2] / "docs" / "training.md"
TEXT = DOCS.read_text("utf-8")


def blocks(kind, *, having):
    found = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    (block,) = [one for one in found if having in one]
    return block


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A clone of the example's model, not yet trusted, beside the rows."""
    with running_net(tmp_path_factory.mktemp("net")) as net:
        owner = net.person("owner")
        folder = owner.folder / "flowers"
        folder.mkdir()
        recipe = blocks("toml", having='entry = "train:train"')
        (folder / "flair.toml").write_text(recipe.replace("NUMPY", np.__version__))
        (folder / "train.py").write_text(blocks("python", having="def softmax"))
        program = blocks("python", having='np.savez("zeros.npz"')
        subprocess.run([sys.executable, "-c", program], cwd=owner.folder, check=True)
        owner.json("init", "flowers", "--npz", "zeros.npz")
        address = owner.json("repo", "create", "flowers", cwd=folder)["repo"]
        made = net.person("site")
        rng = np.random.Generator(np.random.PCG64(1))
        y = rng.integers(0, 3, 120)
        x = np.eye(3, 4, dtype="f4")[y] * 3 + rng.random((120, 4), "f4")
        np.savez(made.folder / "my_rows.npz", x=x, y=y)
        made.json("clone", address, "flowers")
        made.json("trust", "--accept", cwd=made.folder / "flowers")
        yield made


@pytest.mark.skipif(find_sandbox() is None, reason="this machine has no sandbox")
def test_code_in_the_recipe(site):
    folder = site.folder / "flowers"

    made = site.json("train", "--data", "../my_rows.npz", cwd=folder)

    assert made["num_samples"] == 120
    assert made["epochs"] == 5
    assert made["metrics"]["accuracy"] > 0.95
    assert made["metrics_kept"] == []
    assert made["sent_tensors"] == ["bias", "weight"]
    assert site("commit", "-m", "first round", cwd=folder).code == 0


def test_around_a_program_of_ones_own(site):
    folder = site.folder / "flowers"

    ran = subprocess.run(
        [sys.executable, "-c", blocks("python", having="# door 2")],
        cwd=folder,
        env={"FLAIR_HOME": str(site.home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "round 1, seed 0, 5 epochs" in ran.stdout
    assert "('bias', 'weight')" in ran.stdout
    assert site("commit", "-m", "mine", cwd=folder).code == 0
    assert site("push", cwd=folder).code == 0


@pytest.mark.parametrize("kind", ["python", "toml"])
def test_every_block_of_code_is_run_or_marked_as_text(kind):
    assert len(re.findall(rf"```{kind}\n", TEXT)) == {"python": 4, "toml": 1}[kind]
