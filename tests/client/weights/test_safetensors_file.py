import json

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from flair_client.errors import ObjectInvalid, ObjectTooLarge, UsageError
from flair_client.objects import DType
from flair_client.weights.safetensors_file import (
    build_header,
    parse_header,
    read_safetensors,
)


def write(path, header, data=b"", size=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(
        (len(raw) if size is None else size).to_bytes(8, "little") + raw + data
    )


def tensor(begin, end, dtype="U8", shape=None):
    shape = [end - begin] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def read(path):
    with read_safetensors(path) as file:
        return {name: bytes(file.tensor(name)) for name in file.header.spans}


def test_a_file_of_the_library_is_read(tmp_path):
    tensors = {"b": np.arange(6, dtype=np.float32), "a": np.array(3, dtype=np.int64)}
    save_file(tensors, tmp_path / "m", metadata={"who": "me"})

    with read_safetensors(tmp_path / "m") as file:
        assert file.header.metadata == {"who": "me"}
        for name, values in tensors.items():
            assert bytes(file.tensor(name)) == values.tobytes()
            assert file.header.spans[name].shape == values.shape


def test_an_empty_file_of_the_library_is_read(tmp_path):
    save_file({}, tmp_path / "m")

    assert read(tmp_path / "m") == {}


def test_metadata_alone_is_read(tmp_path):
    write(tmp_path / "m", {"__metadata__": {"a": "b"}})

    assert read(tmp_path / "m") == {}


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        (b"[]", b"", "does not begin with a brace"),
        (b" {}", b"", "does not begin with a brace"),
        (b"{", b"", "not JSON"),
        (b"{\xff}", b"", "not JSON"),
        (b'{"a":' + b"[" * 100_000, b"", "not JSON"),
        (b'{"a":1,"a":2}', b"", "'a' comes twice"),
        (b'{"a":{"dtype":"U8","dtype":"U8"}}', b"", "'dtype' comes twice"),
        (b'{"a":NaN}', b"", "NaN is no JSON"),
        ({"a": []}, b"", "tensor 'a': needs exactly"),
        ({"a": {**tensor(0, 1), "x": 1}}, b"1", "tensor 'a': needs exactly"),
        ({"a": tensor(0, 1, "F8_E4M3")}, b"1", "tensor 'a': unknown dtype 'F8_E4M3'"),
        ({"a": tensor(0, 1, 8)}, b"1", "unknown dtype 8"),
        ({"a": tensor(0, 1, shape=[-1])}, b"1", "not a shape"),
        ({"a": tensor(0, 1, shape=[True])}, b"1", "not a shape"),
        ({"a": tensor(0, 1, shape=[1.0])}, b"1", "not a shape"),
        ({"a": tensor(0, 1, shape=[1] * 17)}, b"1", "not a shape"),
        ({"a": tensor(0, 1, shape="1")}, b"1", "not a shape"),
        ({"a": {**tensor(0, 1), "data_offsets": [0, 1, 2]}}, b"1", "not a pair"),
        ({"a": {**tensor(0, 1), "data_offsets": [1, 0]}}, b"1", "not a pair"),
        ({"a": {**tensor(0, 1), "data_offsets": [-1, 0]}}, b"1", "not a pair"),
        ({"a": tensor(0, 3, shape=[4])}, b"123", "need 4 bytes, got 3"),
        ({"a": tensor(0, 4, "F32", [2])}, b"1234", "need 8 bytes, got 4"),
        ({"a": tensor(0, 0, shape=[2**63, 4])}, b"", "36893488147419103232 bytes, at"),
        ({"a": tensor(0, 0, shape=[0, 2**40])}, b"", "1099511627776 bytes, at most"),
        ({"a": tensor(0, 2), "b": tensor(1, 3)}, b"123", "tensor 'b': overlaps"),
        ({"a": tensor(0, 2), "b": tensor(0, 2)}, b"12", "tensor 'b': overlaps"),
        ({"a": tensor(0, 1), "b": tensor(2, 3)}, b"123", "tensor 'b': leaves a hole"),
        ({"a": tensor(1, 2)}, b"12", "tensor 'a': leaves a hole"),
        ({"a": tensor(0, 2)}, b"1", "declares 2 bytes of tensors, has 1"),
        ({"a": tensor(0, 1)}, b"12", "declares 1 bytes of tensors, has 2"),
        ({"a": tensor(0, 2**40)}, b"1", "1099511627776 bytes, at most"),
        ({"": tensor(0, 1)}, b"1", "0 bytes of text"),
        ({"a\x1b": tensor(0, 1)}, b"1", "control character"),
        ({"\ud800": tensor(0, 1)}, b"1", "not valid Unicode"),
        ({"__metadata__": {"a": 1}}, b"", "not a map of text to text"),
        ({"__metadata__": []}, b"", "not a map of text to text"),
    ],
)
def test_a_broken_header_is_named(tmp_path, header, data, words):
    write(tmp_path / "m", header, data)

    with pytest.raises(ObjectInvalid, match=words.replace("[", r"\[")):
        read(tmp_path / "m")


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    write(tmp_path / "m", b"{}", size=3)

    with pytest.raises(ObjectInvalid, match="declares a header of 3 bytes"):
        read(tmp_path / "m")


def test_a_huge_header_is_refused_before_memory_is_taken(tmp_path):
    write(tmp_path / "m", b"{}", size=2**63)

    with pytest.raises(ObjectTooLarge):
        read(tmp_path / "m")


@pytest.mark.parametrize("size", [0, 7])
def test_a_file_too_short_for_a_length_is_refused(tmp_path, size):
    (tmp_path / "m").write_bytes(bytes(size))

    with pytest.raises(ObjectInvalid, match="no safetensors file"):
        read(tmp_path / "m")


def test_a_pickle_is_refused(tmp_path):
    (tmp_path / "m").write_bytes(b"\x80\x04\x95\x10\0\0\0\0\0\0\0." * 4)

    with pytest.raises((ObjectInvalid, ObjectTooLarge)):
        read(tmp_path / "m")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*nothing: No such file"):
        read(tmp_path / "nothing")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "m"
    write(path, {"a": tensor(0, 1)}, b"1")

    def change_inside():
        with read_safetensors(path):
            write(path, {"a": tensor(0, 1)}, b"12")

    with pytest.raises(ObjectInvalid, match="changed while it was read"):
        change_inside()


def test_a_built_header_is_read_by_the_library(tmp_path):
    tensors = [("b", DType.F16, (3,)), ("a", DType.F64, (2, 2)), ("é", DType.BOOL, ())]
    header = build_header(tensors)
    data = bytes(header.data_size)
    write(tmp_path / "m", header.raw, data)

    with safetensors.safe_open(tmp_path / "m", framework="np") as file:
        names = file.offset_keys()
        shapes = {name: tuple(file.get_tensor(name).shape) for name in names}

    assert shapes == {"a": (2, 2), "b": (3,), "é": ()}
    assert len(header.raw) % 8 == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_a_header(raw):
    try:
        header = parse_header(b"{" + raw, "file")
    except ObjectInvalid:
        return
    assert header.data_size >= 0
