"""A recipe's own code trains on a loader of one's own, both in the sandbox."""

import numpy as np
import pytest
import safetensors.numpy
from work_world import running_net

from flair_client.training.sandbox import find_sandbox
from flair_client.workspace import Workspace, make_workspace

pytestmark = pytest.mark.skipif(
    find_sandbox() is None, reason="no sandbox can be had on this machine"
)

RECIPE = """
[recipe]
model = "python"
[data]
target = "y"
[[data.inputs]]
name = "x"
dtype = "float32"
shape = [-1, 2]
min = -10
max = 10
[[data.inputs]]
name = "y"
dtype = "float32"
[statistics]
enabled = {statistics}
min_rows = 4
[training]
epochs = 2
int8_base = true
[tensors]
frozen = ["base"]
average = ["mean"]
train = ["*"]
"""
TRAIN = """
import numpy as np
from flair_client.training.doors import TrainResult

def train(weights, data, ctx):
    if ctx.is_statistics:
        weights["mean"] = data.x.mean(axis=0)
    else:
        error = data.x @ (weights["w"] * weights["base"][:2]) - data.y
        weights["w"] = weights["w"] - np.float32(0.01) * (data.x.T @ error)
    return TrainResult(weights, len(data))
"""
LOADER = """
from pathlib import Path
import numpy as np
import shapes

def make(folder, bad=-1):
    try:
        Path(folder, "written").write_text("x")
    except OSError:
        pass
    else:
        raise SystemError("the data can be written")
    rows = np.load(Path(folder) / "rows.npy")

    class Rows:
        def __len__(self):
            return 20_000 if bad >= 0 else len(rows)

        def __getitem__(self, n):
            if n == bad:
                raise ValueError("scan is torn")
            row = rows[n % len(rows)]
            return row[:shapes.N], row[shapes.N]

    return Rows()
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


def publish(net, name, *, statistics):
    owner = net.person(f"owner-{name}")
    folder = make_workspace(owner.folder / name).folder
    (folder / "flair.toml").write_text(
        RECIPE.format(statistics=str(statistics).lower())
    )
    (folder / "train.py").write_text(TRAIN)
    base = {
        "w": np.zeros(2, np.float32),
        "mean": np.zeros(2, np.float32),
        "base": np.linspace(0.1, 1, 600, dtype=np.float32),
    }
    safetensors.numpy.save_file(base, folder / "weights.safetensors")
    flags = ("--open", "--min-updates", 1)
    return owner.json("repo", "create", name, *flags, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def site(net):
    """Somebody with rows, a loader beside a module of its own, and two clones."""
    made = net.person("site")
    for name in ("trained", "counted"):
        address = publish(net, name, statistics=name == "counted")
        made.json("clone", address, name, "--trust")
    rows = np.random.default_rng(0).uniform(-1, 1, (8, 3)).astype(np.float32)
    (made.folder / "rows").mkdir()
    np.save(made.folder / "rows" / "rows.npy", rows)
    (made.folder / "code").mkdir()
    (made.folder / "code" / "load.py").write_text(LOADER)
    (made.folder / "code" / "shapes.py").write_text("N = 2\n")
    add(made, "ward")
    add(made, "torn", "--kwarg", "bad=10000")
    return made


def add(site, name, *more):
    flags = ("--loader", "code/load.py:make", "--read", "rows")
    folder = ("--kwarg", f"folder={site.folder / 'rows'}")
    return site.json("data", "add", name, *flags, *folder, *more)


def test_a_loader_trains_in_the_sandbox_on_the_light_base(site):
    folder = site.folder / "trained"

    trained = site.json("train", "--data", "ward", cwd=folder)

    assert (trained["num_samples"], trained["sandboxed"]) == (8, True)
    base = safetensors.numpy.load_file(folder / "weights.safetensors")
    new = safetensors.numpy.load_file(folder / "update.safetensors")
    assert np.array_equal(new["base"], base["base"])
    assert not np.array_equal(base["base"], np.linspace(0.1, 1, 600, dtype=np.float32))
    assert (new["w"] != 0).all()
    assert Workspace(folder).marker("trained")["source"] == "ward"
    assert site("commit", "-m", "x", cwd=folder).code == 0
    assert not (site.folder / "rows" / "written").exists()


def test_a_loader_that_fails_at_row_10_001_loses_nothing(site):
    folder = site.folder / "trained"
    site.json("train", "--data", "ward", cwd=folder)
    made = (folder / "update.safetensors").read_bytes()

    ran = site("train", "--data", "torn", cwd=folder)

    assert ran.code == 1
    assert ran.err.startswith(
        "error: data source 'torn': make failed at row 10,001: ValueError: "
        "scan is torn (load.py, line "
    )
    assert (folder / "update.safetensors").read_bytes() == made


def test_statistics_of_three_rows_are_refused_before_the_code_runs(site):
    folder = site.folder / "counted"
    rows = np.zeros((3, 2), np.float32)
    np.savez(site.folder / "few.npz", x=rows, y=rows[:, 0])
    np.savez(site.folder / "far.npz", x=rows + 99, y=rows[:, 0])

    few = site("train", "--data", "../few.npz", cwd=folder)
    far = site("train", "--data", "../far.npz", cwd=folder)
    enough = site.json("train", "--data", "ward", cwd=folder)

    assert (few.code, far.code) == (1, 1)
    assert "3 rows are too few to share statistics; the recipe asks for 4" in few.err
    assert "'x' has values from 99 to 99, the recipe declares" in far.err
    assert enough["kind"] == "statistics"
    assert enough["sent_tensors"] == ["mean"]
