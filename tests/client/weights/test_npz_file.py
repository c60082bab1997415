import io
import zipfile

import numpy as np
import pytest

from flair_client.errors import ObjectInvalid, UsageError
from flair_client.store import MemoryStore
from flair_client.weights import import_weights, roles_by_pattern
from flair_client.weights.foreign import ForeignWeights, save_foreign
from flair_client.weights.npz_file import array_source, read_npz, write_npz
from flair_client.weights.opening import as_safetensors

TRAIN = roles_by_pattern([("train", ["*"])])
ARRAYS = {
    "layer/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "turned": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "big_endian": np.arange(3, dtype=">f4"),
    "half": np.ones(3, np.float16),
    "scalar": np.array(2.5),
    "none": np.zeros((0, 4), np.float32),
    "count": np.array(7, np.int64),
    "mask": np.array([True, False]),
    "bytes": np.arange(4, dtype=np.uint8),
}


def npy(array, **kwargs):
    file = io.BytesIO()
    np.save(file, array, **kwargs)
    return file.getvalue()


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_in_and_go_out(tmp_path, save):
    save(tmp_path / "in.npz", **ARRAYS)
    store = MemoryStore()

    with as_safetensors(tmp_path / "in.npz") as path:
        manifest = import_weights(path, store, TRAIN)
    write_npz(manifest, store, tmp_path / "out.npz")

    with np.load(tmp_path / "out.npz", allow_pickle=False) as loaded:
        assert set(loaded) == set(ARRAYS)
        for name, array in ARRAYS.items():
            assert loaded[name].dtype == array.dtype.newbyteorder("=")
            assert loaded[name].shape == array.shape
            assert np.array_equal(loaded[name], array)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    np.savez(tmp_path / "in.npz", **ARRAYS)
    store = MemoryStore()
    with as_safetensors(tmp_path / "in.npz") as path:
        manifest = import_weights(path, store, TRAIN)

    for name in ("one", "two"):
        write_npz(manifest, store, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_tied_name_goes_out_as_an_array(tmp_path):
    store = MemoryStore()
    source = array_source("embed", np.ones(3, np.float32))
    save_foreign(tmp_path / "in", ForeignWeights((source,), {"head": "embed"}))
    manifest = import_weights(tmp_path / "in", store, TRAIN)

    write_npz(manifest, store, tmp_path / "out.npz")

    with np.load(tmp_path / "out.npz") as loaded:
        assert loaded["head"].tolist() == loaded["embed"].tolist() == [1, 1, 1]


OBJECTS = npy(np.array([{}], object), allow_pickle=True)
GOOD = npy(np.ones(3, np.float32))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (OBJECTS, "tensor 'a': pickled Python objects cannot be in a model"),
        (npy(np.ones(2, np.complex64)), "dtype complex64 cannot be in a model"),
        (npy(np.array(["x"])), "dtype <U1 cannot be in a model"),
        (npy(np.ones(2, np.uint64)), "dtype uint64 cannot be in a model"),
        (npy(np.zeros(2, [("x", "f4")])), "cannot be in a model"),
        (GOOD[:-1], "its shape needs 12 bytes, it has 11"),
        (GOOD + b"x", "its shape needs 12 bytes, it has 13"),
        (GOOD[:20], "is no array"),
        (b"", "is no array"),
        (GOOD.replace(b"(3,)", b"(-3)"), "is no array"),
        (GOOD.replace(b"(3,), }   ", b"(3,4,99,)}"), "needs 4752 bytes"),
        (GOOD.replace(b"\x01\x00v", b"\x03\x00v"), r"has version \(3, 0\)"),
        (GOOD.replace(b"(3,), }         ", b"(999999999999,)}"), "at most"),
        (GOOD.replace(b"(3,), }   ", b"(-1,-3,)} "), r"shape \(-1, -3\)"),
    ],
)
def test_an_array_that_cannot_be(tmp_path, content, sentence):
    archive(tmp_path / "bad.npz", a=content)

    with (
        pytest.raises(ObjectInvalid, match=sentence),
        read_npz(tmp_path / "bad.npz"),
    ):
        pass


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and nothing else")

    with (
        pytest.raises(ObjectInvalid, match=r"bad\.npz"),
        read_npz(tmp_path / "bad.npz"),
    ):
        pass


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="No such file"), read_npz(tmp_path / "x.npz"):
        pass


def test_a_member_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as file:
        file.writestr("notes.txt", "x")

    with (
        pytest.raises(ObjectInvalid, match=r"'notes\.txt' is no array"),
        read_npz(tmp_path / "bad.npz"),
    ):
        pass


def test_an_array_that_comes_twice(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as file:
        file.writestr("a.npy", GOOD)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a.npy", GOOD)

    with (
        pytest.raises(ObjectInvalid, match="'a' comes twice"),
        as_safetensors(tmp_path / "bad.npz"),
    ):
        pass


def test_values_that_were_damaged_on_the_disk(tmp_path):
    np.savez(tmp_path / "bad.npz", a=np.ones(100, np.float32))
    raw = bytearray((tmp_path / "bad.npz").read_bytes())
    raw[300] ^= 1
    (tmp_path / "bad.npz").write_bytes(raw)

    with (
        pytest.raises(ObjectInvalid, match="Bad CRC"),
        as_safetensors(tmp_path / "bad.npz"),
    ):
        pass


@pytest.mark.parametrize("content", [b"hello", b"", b"\x93NUMPY and more"])
def test_a_file_of_no_known_kind(tmp_path, content):
    (tmp_path / "x").write_bytes(content)

    with (
        pytest.raises(ObjectInvalid, match=r"is no|one array"),
        as_safetensors(tmp_path / "x"),
    ):
        pass


def test_values_that_the_file_cannot_hold(tmp_path):
    path = tmp_path / "model.npz"
    # In Fortran's order an array goes through memory whole.
    head = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": True, "shape": (2**16, 2**16)}
    np.lib.format.write_array_header_1_0(head, shape)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", head.getvalue() + bytes(100))
        (info,) = archive.infolist()
        info.file_size = len(head.getvalue()) + 2**34

    with pytest.raises(ObjectInvalid, match="there are fewer"), read_npz(path):
        pass
