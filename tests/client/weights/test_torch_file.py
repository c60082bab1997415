"""Needs PyTorch, which is an extra of its own; without it these tests are skipped."""

import pickle
import sys

import numpy as np
import pytest

from flair_client.errors import ExtraMissing, NotStateDict, ObjectInvalid, UsageError
from flair_client.store import MemoryStore
from flair_client.weights import import_weights, roles_by_pattern
from flair_client.weights.opening import as_safetensors, header_at
from flair_client.weights.torch_file import (
    load_state_dict,
    read_torch,
    state_dict_weights,
    write_torch,
)

TRAIN = roles_by_pattern([("train", ["*"])])


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")


@pytest.fixture
def net(torch):
    """A network with a batch norm, a tied head and buffers of other kinds."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(5, 3)
            self.norm = torch.nn.BatchNorm1d(3)
            self.head = torch.nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight
            self.narrow = torch.nn.Parameter(torch.randn(4).bfloat16())
            self.scale = torch.nn.Parameter(torch.tensor(2.5))
            self.register_buffer("none", torch.zeros(0, 4))
            self.register_buffer("mask", torch.tensor([True, False]))
            self.register_buffer("turned", torch.arange(6.0).reshape(2, 3).t())

    torch.manual_seed(0)
    return Net()


def imported(path):
    store = MemoryStore()
    with as_safetensors(path) as converted:
        return import_weights(converted, store, TRAIN), store


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_state_dict_comes_in_and_goes_out(torch, net, tmp_path, as_zip):
    torch.save(
        net.state_dict(),
        tmp_path / "in.pt",
        _use_new_zipfile_serialization=as_zip,
    )

    manifest, store = imported(tmp_path / "in.pt")
    write_torch(manifest, store, tmp_path / "out.pt")

    entries = manifest.by_name()
    assert "head.weight" not in entries
    assert str(entries["narrow"].dtype) == "BF16"
    assert str(entries["norm.num_batches_tracked"].role) == "frozen"
    assert entries["scale"].shape == ()
    assert entries["none"].shape == (0, 4)
    loaded = torch.load(tmp_path / "out.pt", weights_only=True)
    for name, tensor in net.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor), name
    other = type(net)()
    assert not any(other.load_state_dict(loaded, strict=True))
    assert loaded["head.weight"].data_ptr() == loaded["embed.weight"].data_ptr()


def test_bf16_keeps_every_bit(torch, tmp_path):
    # Every finite one, zeros of both signs and subnormal numbers among them.
    bits = np.arange(1 << 16, dtype=np.uint16)
    bits = bits[(bits & 0x7F80) != 0x7F80]
    every = torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16)
    torch.save({"w": every}, tmp_path / "in.pt")

    manifest, store = imported(tmp_path / "in.pt")
    back = load_state_dict(manifest, store)["w"]

    assert back.dtype == torch.bfloat16
    assert np.array_equal(back.view(torch.int16).numpy(), bits.view(np.int16))


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
def test_the_state_dict_of_a_checkpoint_is_found(torch, tmp_path, name):
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}}
    content = {"epoch": 3, name: {"w": torch.ones(2)}, "optimizer": optimizer}
    torch.save(content, tmp_path / "in.ckpt")

    manifest, _ = imported(tmp_path / "in.ckpt")

    assert [entry.name for entry in manifest.tensors] == ["w"]


def test_views_of_one_storage_that_differ_are_not_tied(torch, tmp_path):
    both = torch.arange(6.0)
    torch.save({"a": both[:3], "b": both[3:], "c": both[:3]}, tmp_path / "in.pt")

    with as_safetensors(tmp_path / "in.pt") as path:
        header = header_at(path)

    assert sorted(header.spans) == ["a", "b"]
    assert header.metadata == {"c": "a"}


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickled_module_is_refused_and_does_not_run(torch, net, tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "module.pt")
    torch.save({"w": torch.ones(2), "x": Bomb(tmp_path / "ran")}, tmp_path / "bomb.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))

    for name in ("module.pt", "bomb.pt", "plain.pt"):
        with pytest.raises(NotStateDict, match=f"{name} holds a pickled object"):
            read_torch(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_of_something_else_is_refused(torch, tmp_path, protocol):
    raw = pickle.dumps(np.ones(3), protocol=protocol)
    (tmp_path / "model.pkl").write_bytes(raw)

    with (
        pytest.raises((NotStateDict, ObjectInvalid), match=r"model\.pkl"),
        as_safetensors(tmp_path / "model.pkl"),
    ):
        pass


# Making such a file is out of fashion; people still have them.
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused(torch, tmp_path):
    script = torch.jit.script(torch.nn.Linear(2, 3))
    torch.jit.save(script, tmp_path / "model.pt")

    with pytest.raises(NotStateDict, match="TorchScript"):
        read_torch(tmp_path / "model.pt")


def test_other_contents(torch, tmp_path):
    for content, sentence in (
        (torch.ones(3), "holds one Tensor instead of a state dict"),
        ([torch.ones(3)], "holds one list"),
        ({"epoch": 3}, "holds no tensor by name"),
        ({}, "holds no tensor by name"),
        ({"state_dict": {}}, "holds no tensor"),
    ):
        torch.save(content, tmp_path / "in.pt")

        with (
            pytest.raises((NotStateDict, ObjectInvalid), match=sentence),
            as_safetensors(tmp_path / "in.pt"),
        ):
            pass


def test_entries_that_have_no_place_in_a_model(torch):
    for bad, sentence in (
        ({"w": torch.ones(2), "epoch": 3}, "tensor 'epoch': is int"),
        ({"w": torch.ones(2), 3: torch.ones(2)}, "tensor '3'"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "dtype torch.complex64"),
        ({"w": torch.ones(2).to(torch.float8_e4m3fn)}, "float8_e4m3fn"),
        ({"w": torch.eye(2).to_sparse()}, "has no plain values"),
        ({"w": torch.ones(2, device="meta")}, "has no plain values"),
    ):
        with pytest.raises(ObjectInvalid, match=sentence):
            state_dict_weights(bad)


def test_one_value_that_stands_for_many_is_refused(torch, tmp_path):
    wide = torch.ones(1).expand(1 << 30)
    torch.save({"w": wide}, tmp_path / "in.pt")

    with pytest.raises(ObjectInvalid, match="has 4294967296 bytes, its file"):
        read_torch(tmp_path / "in.pt")


def test_a_damaged_file(torch, tmp_path):
    torch.save({"w": torch.ones(1000)}, tmp_path / "in.pt")
    raw = (tmp_path / "in.pt").read_bytes()
    (tmp_path / "short.pt").write_bytes(raw[: len(raw) // 2])

    with pytest.raises(ObjectInvalid, match=r"short\.pt"):
        read_torch(tmp_path / "short.pt")


def test_a_file_that_is_not_there(torch, tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_torch(tmp_path / "none.pt")


def test_without_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "in.pt").write_bytes(b"\x80\x02")

    with (
        pytest.raises(ExtraMissing, match="this needs torch, which is not installed"),
        as_safetensors(tmp_path / "in.pt"),
    ):
        pass


def test_a_pytorch_that_runs_code_from_files(monkeypatch):
    class Old:
        __version__ = "2.5.1+cpu"

    monkeypatch.setitem(sys.modules, "torch", Old)

    with pytest.raises(ExtraMissing, match=r"2\.5\.1\+cpu cannot load files safely"):
        state_dict_weights({})
