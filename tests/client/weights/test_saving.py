import hashlib

import numpy as np
import pytest
import safetensors.numpy

from flair_client.errors import NotFinite
from flair_client.objects import DType
from flair_client.weights import digest_of_file, read_safetensors, save_weights

TENSORS = {
    "a": (DType.F32, np.array([[1.5, -2.0]], np.float32)),
    "b": (DType.F64, np.array(0.1)),
    "c": (DType.I64, np.arange(3)),
    "d": (DType.F32, np.zeros((0, 2), np.float32)),
}


def test_another_library_reads_what_was_saved(tmp_path):
    path = tmp_path / "new.safetensors"

    digest = save_weights(path, TENSORS)

    read = safetensors.numpy.load_file(path)
    assert read.keys() == TENSORS.keys()
    for name, (_, values) in TENSORS.items():
        np.testing.assert_array_equal(read[name], values)
        assert read[name].dtype == values.dtype
    assert digest.raw == hashlib.sha256(path.read_bytes()).digest()
    assert digest == digest_of_file(path)
    with read_safetensors(path) as file:
        assert set(file.header.spans) == set(TENSORS)


def test_the_same_tensors_give_the_same_file_in_any_order(tmp_path):
    backwards = dict(reversed(TENSORS.items()))

    first = save_weights(tmp_path / "one", TENSORS)

    assert first == save_weights(tmp_path / "two", backwards)


def test_bf16_is_written_as_such(tmp_path):
    values = np.array([1.0, 3.140625], np.float32)

    save_weights(tmp_path / "new", {"w": (DType.BF16, values)})

    assert (tmp_path / "new").read_bytes()[-4:] == bytes.fromhex("803f4940")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_leave_the_old_file(tmp_path, value):
    path = tmp_path / "new.safetensors"
    path.write_bytes(b"old")
    bad = np.array([0.0, value, value], np.float32)

    with pytest.raises(NotFinite, match="tensor 'w': 2 values"):
        save_weights(path, {"w": (DType.F32, bad)})

    assert [item.name for item in tmp_path.iterdir()] == ["new.safetensors"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_cut_off_at_any_step_the_old_file_stays(tmp_path, monkeypatch, step):
    path = tmp_path / "new.safetensors"
    path.write_bytes(b"old")

    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(step, cut)
    with pytest.raises(KeyboardInterrupt):
        save_weights(path, TENSORS)

    assert [item.name for item in tmp_path.iterdir()] == ["new.safetensors"]
    assert path.read_bytes() == b"old"
