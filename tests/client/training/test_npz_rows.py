"""Files of arrays that are trained on: read without pickle, refused in words."""

import copy
import zipfile

import numpy as np
import pytest

from flair_client.errors import DataError, DataUnreadable
from flair_client.training.npz_rows import read_npz


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.npz"


def test_arrays_come_back_as_they_were(path):
    given = {
        "x": np.arange(6, dtype="f4").reshape(3, 2),
        "columns first": np.asfortranarray(np.arange(6).reshape(3, 2)),
        "big": np.arange(3, dtype=">u2"),
        "none": np.zeros((0, 4)),
        "word": np.array(["a", "bc"]),
        "one": np.float64(2.5),
    }
    for save in (np.savez, np.savez_compressed):
        save(path, **given)

        found = read_npz(path)

        assert found.keys() == given.keys()
        for name, value in given.items():
            assert found[name].dtype == np.asarray(value).dtype
            assert np.array_equal(found[name], value)


def members(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def header(shape, descr="<f8"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("a,b\n1,2\n"), "is no .npz file"),
        (lambda path: path.write_bytes(b""), "is no .npz file"),
        (lambda path: path.write_bytes(header((0,))), "one array without a name"),
        (lambda path: members(path, note="hello"), "'note' is no array"),
        (lambda path: members(path, **{"x.npy": b"hello"}), "array 'x' is no array"),
        (lambda path: members(path, **{"x.npy": header((3,))}), "not the size"),
        (lambda path: members(path, **{"x.npy": header((2**50,))}), "not the size"),
        (
            lambda path: members(path, **{"x.npy": header((-1,)) + bytes(8)}),
            "is no array",
        ),
        (
            lambda path: np.savez(path, x=np.array([{}, 1], dtype=object)),
            "array 'x' holds pickled objects, which are never read",
        ),
    ],
)
def test_other_files_are_refused_without_anybody_elses_advice(path, make, said):
    make(path)

    with pytest.raises(DataError, match=said) as caught:
        read_npz(path)

    assert "pickle=" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def claiming(path, n_values, *, stored=None):
    """A file that says it holds so many values, and holds a hundred zeros."""
    content = header((n_values,)) + bytes(800)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
        (info,) = archive.infolist()
        # The directory at the end is written from these.
        info.file_size = len(content) - 800 + 8 * n_values
        info.compress_size = stored or info.compress_size


@pytest.mark.parametrize(
    ("n_values", "stored", "said"),
    [
        (2**43, None, "there are fewer"),
        (2**43, 2**40, "larger than the file"),
        (10**5, None, "there are fewer"),
    ],
)
def test_what_a_file_claims_is_checked_before_memory_is_taken(
    path, n_values, stored, said
):
    claiming(path, n_values, stored=stored)

    with pytest.raises(DataError, match=said):
        read_npz(path)


def test_arrays_that_lie_over_each_other_are_refused(path):
    claiming(path, 100)
    with zipfile.ZipFile(path, "a") as archive:
        (first,) = archive.infolist()
        for n in range(50):
            again = copy.copy(first)
            again.filename = f"x{n}.npy"
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive._didModify = True

    with pytest.raises(DataError, match="larger than the file"):
        read_npz(path)


def test_zeros_that_deflate_shrinks_as_far_as_it_can_are_read(path):
    np.savez_compressed(path, x=np.zeros(4_000_000))

    assert read_npz(path)["x"].shape == (4_000_000,)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(path, method):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", header((1,)) + bytes(8))

    with pytest.raises(DataError, match="compressed in another way"):
        read_npz(path)


def test_a_file_that_was_cut_off_or_changed_is_refused(path):
    np.savez_compressed(path, x=np.arange(4000))
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:200] + bytes(40) + whole[240:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            read_npz(path)


def test_a_file_that_is_not_there_is_another_fault(path):
    with pytest.raises(DataUnreadable, match="No such file"):
        read_npz(path)
    path.mkdir()
    with pytest.raises(DataUnreadable, match="Is a directory"):
        read_npz(path)
