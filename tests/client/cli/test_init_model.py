"""`flair init` with a model of the user's own."""

import sys

import numpy as np
import pytest
import safetensors.numpy

from flair_client.training.recipe import parse_recipe

ROWS = "age,sex,target\n63,1,1\n37,0,0\n50,1,1\n44,0,0\n"
NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.embed = torch.nn.Embedding(5, 3)
        self.head = torch.nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.old = torch.nn.Linear(2, 2).requires_grad_(False)
        self.register_buffer("grid", torch.ones(3))

def needs(size):
    return Net()

number = 3
"""
RISK = """
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

fitted = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
text = LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])
Empty = LogisticRegression
flat = Ridge(fit_intercept=False).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
Scaler = StandardScaler
"""


@pytest.fixture
def work(home, tmp_path):
    """The folder that the command runs in, with modules of the user's own."""
    folder = tmp_path / "work"
    (folder / "my_net.py").write_text(NET)
    (folder / "my_risk.py").write_text(RISK)
    (folder / "rows.csv").write_text(ROWS)
    yield folder
    for name in ("my_net", "my_risk"):
        sys.modules.pop(name, None)


@pytest.fixture
def torch(work):
    return pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")


@pytest.fixture
def sklearn(work):
    return pytest.importorskip(
        "sklearn", reason="scikit-learn is an extra: flair-hub[sklearn]"
    )


def roles(result):
    return {one["name"]: one["role"] for one in result["tensors"]}


def recipe_of(folder):
    return parse_recipe((folder / "flair.toml").read_bytes())


def test_arrays_of_numpy(flair, work):
    arrays = {
        "bn.running_mean": np.zeros(2, np.float32),
        "steps": np.array(3, np.int64),
        "w": np.ones((2, 2), np.float32),
    }
    np.savez(work / "model.npz", **arrays)

    ran = flair("init", "model", "--npz", "model.npz")

    assert ran.code == 0
    assert "w                F32    2x2     train   floats" in ran.out
    assert (
        "3 tensors; train: 1 with 4 values; local: 1 with 2 values; frozen" in ran.out
    )
    assert "local tensors stay with each contributor" in ran.err
    loaded = safetensors.numpy.load_file(work / "model" / "weights.safetensors")
    assert {name: array.tolist() for name, array in loaded.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    assert dict(recipe_of(work / "model").roles)["local"] == ("*.running_mean",)
    again = flair("init", "model", "--weights", "model.npz", "--json")
    assert again.line["result"]["created"] == []
    assert roles(again.line["result"])["bn.running_mean"] == "local"


def test_a_recipe_that_is_there_keeps_its_roles(flair, work):
    np.savez(work / "model.npz", w=np.ones(2), v=np.ones(2))
    (work / "model").mkdir()
    (work / "model" / "flair.toml").write_text('[tensors]\nfrozen = ["v"]\n')

    ran = flair("init", "model", "--weights", "model.npz", "--json")

    result = ran.line["result"]
    assert result["created"] == ["CARD.md", "weights.safetensors"]
    assert roles(result) == {"v": "frozen", "w": "train"}
    assert result["tensors"][0]["reason"] == "by the recipe"


def test_a_large_model_is_counted_not_listed(flair, work):
    np.savez(work / "model.npz", **{f"w{n}": np.ones(2) for n in range(41)})

    ran = flair("init", "model", "--weights", "model.npz")

    assert "41 tensors; train: 41 with 82 values" in ran.out
    assert "w13" not in ran.out


def test_a_network_of_the_users_own(flair, torch, work):
    ran = flair("init", "net", "--torch", "my_net:Net", "--json")

    assert ran.code == 0
    assert "importing my_net:Net: this runs your own code" in ran.err
    result = ran.line["result"]
    assert result["imported"] == str(work / "my_net.py")
    assert roles(result) == {
        "conv.bias": "train",
        "conv.weight": "train",
        "embed.weight": "train",
        "grid": "local",
        "norm.bias": "train",
        "norm.num_batches_tracked": "frozen",
        "norm.running_mean": "local",
        "norm.running_var": "local",
        "norm.weight": "train",
        "old.bias": "frozen",
        "old.weight": "frozen",
    }
    (embed,) = [one for one in result["tensors"] if one["name"] == "embed.weight"]
    assert embed["tied"] == ["head.weight"]
    recipe = recipe_of(work / "net")
    assert (recipe.model, recipe.model_class) == ("python", "model:Net")
    assert (work / "net/model.py").read_text() == (work / "my_net.py").read_text()
    assert "from model import Net" in (work / "net/train.py").read_text()
    published = [one["name"] for one in result["published"]]
    assert published[2:4] == ["model.py", "train.py"]
    plain = flair("init", "net", "--torch", "my_net:Net")
    assert "also head.weight, stored once" in plain.out


@pytest.mark.parametrize("kind", ["pt", "npz", "safetensors", "half"])
def test_a_network_with_weights_from_a_file(flair, torch, work, kind):
    import safetensors.torch

    sys.path.insert(0, str(work))
    from my_net import Net

    sys.path.remove(str(work))
    net = Net()
    state = net.state_dict()
    file = work / f"weights.{kind}"
    if kind == "pt":
        torch.save(state, file)
    elif kind == "npz":
        np.savez(file, **{name: one.numpy() for name, one in state.items()})
    elif kind == "half":
        torch.save(net.bfloat16().state_dict(), file)
    else:
        safetensors.torch.save_model(net, file)

    ran = flair("init", "net", "--torch", "my_net:Net", "--weights", file, "--json")

    assert ran.code == 0, ran.err
    assert len(roles(ran.line["result"])) == 11
    path = work / "net" / "weights.safetensors"
    loaded = safetensors.torch.load_file(path)
    assert "head.weight" not in loaded
    for name, tensor in loaded.items():
        assert tensor.dtype == net.state_dict()[name].dtype
        assert torch.equal(tensor, net.state_dict()[name])
    other = Net()
    assert not any(safetensors.torch.load_model(other, path, strict=True))


def test_weights_of_another_network(flair, torch, work):
    torch.save({"conv.weight": torch.ones(2)}, work / "other.pt")

    ran = flair("init", "net", "--torch", "my_net:Net", "--weights", "other.pt")

    assert ran.code == 5
    assert "tensor 'conv.bias': expected shape [4], got nothing" in ran.err
    assert not (work / "net").exists()


def test_a_pickled_module_is_refused_with_what_to_do(flair, torch, work):
    torch.save(torch.nn.Linear(2, 3), work / "module.pt")

    ran = flair("init", "net", "--weights", "module.pt")

    assert ran.code == 2
    assert "module.pt holds a pickled object instead of a state dict" in ran.err
    assert "torch.save(model.state_dict(), FILE)" in ran.err


def test_weights_that_are_not_finite(flair, work):
    np.savez(work / "bad.npz", w=np.array([1, np.nan]))
    good = {"w": np.array([1, np.inf], np.float32)}
    safetensors.numpy.save_file(good, work / "bad.safetensors")

    for name in ("bad.npz", "bad.safetensors"):
        ran = flair("init", "net", "--weights", name)

        assert ran.code == 5
        assert "tensor 'w': 1 values are not finite" in ran.err
        assert not (work / "net" / "weights.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my_net:number", "int is no torch.nn.Module"),
        ("my_net:needs", "needs() failed: TypeError"),
        ("my_net", "not of the form package.module:Name"),
        ("no_net:Net", "there is no module 'no_net'"),
    ],
)
def test_a_network_that_cannot_be_had(flair, torch, work, name, sentence):
    ran = flair("init", "net", "--torch", name)

    assert ran.code == 2
    assert sentence in ran.err
    assert not (work / "net").exists()


def test_a_linear_model(flair, sklearn, work):
    ran = flair("init", "risk", "--sklearn", "my_risk:fitted", "--json")

    assert ran.code == 0, ran.err
    assert roles(ran.line["result"]) == {
        "classes_": "frozen",
        "coef_": "train",
        "intercept_": "train",
    }
    loaded = safetensors.numpy.load_file(work / "risk" / "weights.safetensors")
    assert loaded["coef_"].shape == (1, 2)
    assert loaded["coef_"].dtype == np.float64


def test_a_linear_model_that_was_not_fitted(flair, sklearn, work):
    words = ("init", "risk", "--sklearn", "my_risk:Empty")

    alone = flair(*words)
    ran = flair(*words, "--columns-from", "rows.csv")

    assert alone.code == 2
    assert "LogisticRegression was not fitted yet" in alone.err
    assert ran.code == 0
    loaded = safetensors.numpy.load_file(work / "risk" / "weights.safetensors")
    assert loaded["coef_"].tolist() == [[0, 0]]
    assert loaded["classes_"].tolist() == [0, 1]
    assert [one.name for one in recipe_of(work / "risk").columns] == ["age", "sex"]


def test_an_intercept_that_is_not_fitted_is_frozen(flair, sklearn, work):
    ran = flair("init", "risk", "--sklearn", "my_risk:flat", "--json")

    assert roles(ran.line["result"]) == {"coef_": "train", "intercept_": "frozen"}
    (_, intercept) = ran.line["result"]["tensors"]
    assert intercept["shape"] == []


def test_a_linear_model_with_weights_from_a_file(flair, sklearn, work):
    np.savez(work / "w.npz", coef_=np.ones((1, 2)), intercept_=np.ones(1))
    np.savez(work / "bad.npz", weight=np.ones((1, 2)))
    words = ("init", "risk", "--sklearn", "my_risk:Empty", "--weights")

    ran = flair(*words, "w.npz", "--json")
    bad = flair(*words, "bad.npz")

    assert ran.code == 0, ran.err
    assert bad.code == 5
    assert "'coef_': expected values, got nothing" in bad.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--sklearn", "my_risk:Scaler"), 2, "is no linear model of scikit-learn"),
        (("--sklearn", "my_risk:text"), 5, "classes are integers"),
        (
            ("--sklearn", "my_risk:fitted", "--columns-from", "wide.csv"),
            5,
            "expected 3 columns, got shape [1, 2]",
        ),
        (("--sklearn", "my_risk:fitted", "--torch", "my_net:Net"), 2, "not of both"),
        (
            (
                *("--sklearn", "my_risk:fitted", "--columns-from", "rows.csv"),
                "--no-statistics",
            ),
            2,
            "goes with the built-in model",
        ),
    ],
)
def test_a_linear_model_that_cannot_be(  # noqa: PLR0917 - fixtures and cases
    flair, sklearn, work, words, code, sentence
):
    (work / "wide.csv").write_text("a,b,c,target\n1,2,3,1\n")

    ran = flair("init", "risk", *words)

    assert ran.code == code
    assert sentence in ran.err
    assert not (work / "risk").exists()


def test_without_pytorch(flair, work, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (work / "model.pt").write_bytes(b"\x80\x02")

    ran = flair("init", "net", "--weights", "model.pt")

    assert ran.code == 2
    assert "this needs torch, which is not installed" in ran.err
    assert "pip install 'flair-hub[torch]'" in ran.err


def test_two_files_of_weights(flair, work):
    ran = flair("init", "--npz", "a", "--weights", "b")

    assert ran.code == 2
    assert "--npz and --weights are the same" in ran.err


def test_arrays_of_a_file_are_declared(flair, work):
    x, y = np.zeros((5, 1, 8, 8), "f4"), np.zeros(5, np.int64)
    np.savez(work / "rows.npz", x=x, y=y)
    np.savez(work / "plain.npz", w=np.ones(2, "f4"))

    ran = flair("init", "m", "--npz", "plain.npz", "--inputs-from", "rows.npz")

    assert ran.code == 0, ran.err
    recipe = recipe_of(work / "m")
    assert recipe.target == "y"
    assert [(one.name, one.dtype, one.shape) for one in recipe.inputs] == [
        ("x", "float32", (-1, 1, 8, 8)),
        ("y", "int64", (-1,)),
    ]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--inputs-from", "rows.npz", "--target", "z"), 1, "there is no array 'z'"),
        (("--inputs-from", "words.npz"), 1, "array 'y' is"),
        (("--inputs-from", "none.npz"), 2, "none.npz cannot be read"),
        (("--inputs-from", "torn.npz"), 1, "numbers of rows: 'x' 3, 'y' 2"),
        (("--inputs-from", "one.npz"), 1, "one array without a name"),
        (("--target", "y"), 2, "go with --columns-from, --target with --inputs-from"),
        (
            ("--inputs-from", "rows.npz", "--columns-from", "rows.csv"),
            2,
            "exclude each other",
        ),
    ],
)
def test_arrays_that_cannot_be_declared(flair, work, words, code, sentence):
    np.savez(work / "plain.npz", w=np.ones(2, "f4"))
    np.savez(work / "rows.npz", x=np.zeros((5, 2)), y=np.zeros(5))
    np.savez(work / "words.npz", x=np.zeros((5, 2)), y=np.array(["a"] * 5))
    np.savez(work / "torn.npz", x=np.zeros((3, 2)), y=np.zeros(2))
    np.save(work / "one.npy", np.zeros(3))
    (work / "one.npy").rename(work / "one.npz")

    ran = flair("init", "m", "--npz", "plain.npz", *words)

    assert ran.code == code
    assert sentence in ran.err
    assert not (work / "m").exists()
