"""A model of the user's own, from its file to everybody's files, on a localnet."""

import json

import numpy as np
import pytest
import safetensors.numpy
from work_world import running_net

from flair_client.porcelain.export_hf import merged_front_matter, split_front_matter

CARD = "---\nlicense: cc-by-4.0\ntags: [ecg]\n---\n# Digits\n\nFor tests.\n"


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


def bf16(values):
    bits = np.asarray(values, np.float32).view(np.uint32) >> 16
    return bits.astype("<u2").tobytes()


@pytest.fixture(scope="module")
def published(owner):
    """Address of a model with a tied name, BF16, a scalar, integers, nothing."""
    tensors = {
        "bn.num_batches_tracked": ("I64", [], np.int64(3).tobytes()),
        "bn.running_mean": ("F32", [2], np.array([1, 2], "<f4").tobytes()),
        "embed": ("F32", [2, 2], np.arange(4, dtype="<f4").tobytes()),
        "narrow": ("BF16", [3], bf16([1, -2, 0.5])),
        "none": ("F32", [0, 4], b""),
        "scale": ("F32", [], np.float32(2.5).tobytes()),
    }
    header: dict = {"__metadata__": {"head": "embed", "format": "pt"}}
    data = b""
    for name, (dtype, shape, raw) in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    path = owner.folder / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    owner.json("init", "digits", "--weights", path)
    folder = owner.folder / "digits"
    (folder / "CARD.md").write_text(CARD)
    flags = ("--open", "--min-updates", 1, "--norm-bound", 10)
    return owner.json("repo", "create", "digits", *flags, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def site(net, published):
    """Somebody with a clone in `digits`; what they commit is not pushed."""
    made = net.person("site")
    made.json("clone", published, "--trust")
    return made


@pytest.fixture
def folder(site):
    return site.folder / "digits"


def test_a_root_is_the_published_file(site, folder, owner):
    told = site.json("export", "-o", "root.safetensors", "--force", cwd=folder)

    assert told["format"] == "safetensors"
    original = (owner.folder / "model.safetensors").read_bytes()
    assert (folder / "root.safetensors").read_bytes() == original


def test_arrays_go_out_and_come_back_as_an_update(site, folder):
    told = site.json("export", "--format", "npz", cwd=folder)
    with np.load(folder / told["file"], allow_pickle=False) as file:
        arrays = dict(file)

    assert told["file"].endswith(".npz")
    assert arrays["head"].tolist() == arrays["embed"].tolist()
    assert arrays["narrow"].dtype == np.float32
    assert arrays["narrow"].tolist() == [1, -2, 0.5]
    assert arrays["scale"].shape == ()
    for name in ("embed", "head", "narrow"):
        arrays[name] = arrays[name] + np.float32(0.25)
    np.savez(folder / "new.npz", **arrays)

    words = ("commit", "-m", "by hand", "--num-samples", 4, "--weights", "new.npz")
    made = site.json(*words, cwd=folder)

    assert made["n_tensors"] == 2
    assert made["zero_share"] == 0
    shown = site("show", made["commit"], cwd=folder)
    assert shown.code == 0, shown.err
    assert "narrow" in shown.out


def test_weights_that_do_not_fit(site, folder):
    told = site.json("export", "-o", "base.npz", "--force", cwd=folder)
    with np.load(folder / told["file"]) as file:
        arrays = dict(file)
    np.savez(folder / "untied.npz", **{**arrays, "head": arrays["head"] + 1})
    np.savez(folder / "other.npz", embed=arrays["embed"])
    words = ("commit", "-m", "x", "--num-samples", 4, "--weights")

    untied = site(*words, "untied.npz", cwd=folder)
    other = site(*words, "other.npz", cwd=folder)
    nothing = site(*words, "CARD.md", cwd=folder)

    assert (untied.code, other.code, nothing.code) == (5, 5, 5)
    assert "'head': is tied to 'embed' and has other values" in untied.err
    assert "tensor 'bn.num_batches_tracked'" in other.err
    assert "CARD.md: is no .safetensors, .npz or PyTorch file" in nothing.err


def test_a_folder_for_a_model_hub(site, folder, published):
    told = site.json("export", "--hf", "hub", cwd=folder)

    hub = folder / "hub"
    assert sorted(path.name for path in hub.iterdir()) == sorted(told["files"])
    readme = (hub / "README.md").read_text()
    assert readme.startswith("---\nlicense: cc-by-4.0\ntags: [ecg]\n---\n\n# Digits\n")
    assert f"flair clone {published}@{told['commit']}" in readme
    assert told["sha256"] in readme
    config = json.loads((hub / "config.json").read_text())
    assert config["flair"]["repo"] == published
    assert config["flair"]["roles"]["bn.running_mean"] == "local"
    with safetensors.safe_open(hub / "model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt", "head": "embed"}
        assert file.get_tensor("embed").tolist() == [[0, 1], [2, 3]]

    again = site("export", "--hf", "hub", cwd=folder)
    forced = site("export", "--hf", "hub", "--force", cwd=folder)
    both = site("export", "--hf", "hub", "-o", "x", cwd=folder)

    assert (again.code, forced.code, both.code) == (2, 0, 2)
    assert "README.md exists already" in again.err
    assert "names its files itself" in both.err


@pytest.mark.parametrize(
    ("card", "lines", "body"),
    [
        ("---\na: 1\n---\nbody", ["a: 1"], "body"),
        ("---\r\na: 1\r\n---\r\nbody", ["a: 1\r"], "body"),
        ("---\na: 1\nbody", [], "---\na: 1\nbody"),
        ("# card\n---\n", [], "# card\n---\n"),
        ("", [], ""),
    ],
)
def test_front_matter_of_a_card(card, lines, body):
    assert split_front_matter(card) == (lines, body)


def test_front_matter_gets_what_it_does_not_have():
    made = merged_front_matter(["license: mit", "  tags: x"], {"tags": ("a", "b")})

    assert made == ["---", "license: mit", "  tags: x", "tags:", "- a", "- b", "---"]


def test_a_state_dict_for_strict_loading(site, folder):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = torch.nn.BatchNorm1d(2, affine=False)
            del self.bn.running_var
            self.embed = torch.nn.Parameter(torch.zeros(2, 2))
            self.head = self.embed
            self.narrow = torch.nn.Parameter(torch.zeros(3).bfloat16())
            self.register_buffer("none", torch.zeros(0, 4))
            self.scale = torch.nn.Parameter(torch.zeros(()))

    told = site.json("export", "-o", "model.pt", cwd=folder)

    assert told["format"] == "pt"
    state = torch.load(folder / "model.pt", weights_only=True)
    net = Net()
    assert not any(net.load_state_dict(state, strict=True))
    assert net.head is net.embed
    assert net.embed.tolist() == [[0, 1], [2, 3]]
    assert int(net.bn.num_batches_tracked) == 3
    state["embed"].add_(0.25)
    torch.save(state, folder / "new.pt")
    words = ("commit", "-m", "trained", "--num-samples", 4, "--weights", "new.pt")
    assert site.json(*words, cwd=folder)["n_tensors"] == 1


def test_a_state_dict_without_pytorch(site, folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)

    ran = site("export", "--format", "pt", cwd=folder)

    assert ran.code == 2
    assert "this needs torch, which is not installed" in ran.err
    assert not list(folder.glob("*.pt.*"))
