"""The frame of a CAR: what is written is read, and what is hostile is refused."""

import io

import cbor2
import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.encoding.car import (
    MAX_HEADER_SIZE,
    MAX_PART_SIZE,
    decode_varint,
    encode_block_head,
    encode_header,
    encode_varint,
    links_in,
)
from flair_client.errors import CarInvalid
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid
from flair_client.store import MemoryStore
from flair_client.store.car import CarReader, write_car
from flair_client.testing_objects import make_cid

ROOT = make_cid(7)


def car(*blocks, root=ROOT):
    out = io.BytesIO()
    write_car(out, root, blocks)
    return out.getvalue()


def block(content, codec=CODEC_RAW):
    return MemoryStore().put(codec, content), content


def read(raw):
    return list(CarReader(io.BytesIO(raw)))


def header(plain):
    encoded = cbor2.dumps(plain)
    return encode_varint(len(encoded)) + encoded


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_blocks_come_back_in_their_order(contents):
    blocks = [block(content) for content in contents]

    reader = CarReader(io.BytesIO(car(*blocks)))

    assert reader.roots == (ROOT,)
    assert list(reader) == blocks


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_another_library_reads_the_same(contents):
    blocks = [block(cbor2.dumps(content), CODEC_DAG_CBOR) for content in contents]

    _, found = libipld.decode_car(car(*blocks))

    assert {bytes(cid): cbor2.loads(raw) for cid, raw in blocks} == found


@given(st.integers(0, (1 << 28) - 1))
def test_a_length_comes_back(number):
    assert decode_varint(encode_varint(number)) == number


def test_the_bytes_are_fixed():
    cid, content = block(b"hello")

    # 0x3a: 58 bytes of header; 0x29: 36 bytes of CID and 5 of block.
    assert car((cid, content)).hex() == (
        "3aa265726f6f747381d82a582500017112200707070707070707070707070707070707070707"
        "0707070707070707070707076776657273696f6e01"
        "2901551220"
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        "68656c6c6f"
    )


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_with_a_sentence(raw):
    with pytest.raises(CarInvalid, match="CAR, "):
        read(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "the file is empty"),
        (encode_varint(MAX_HEADER_SIZE + 1), "the header has 4097 bytes, at most 4096"),
        (b"\xff" * 10, "the length of the header is too large"),
        (b"\xba\x00" + b"\xa0" * 58, "not in its shortest form"),
        (encode_varint(58) + b"\xa2", "ends 57 bytes before the end of the header"),
        (header({"version": 2}), "version 2"),
        (header({"roots": [], "version": 3}), "not the header"),
        (header([1]), "not the header"),
        (header({"more": 1, "roots": [], "version": 1}), "other fields"),
        (header({"roots": 1, "version": 1}), "other fields"),
        (header({"roots": ["x"], "version": 1}), "a root is no link"),
        (
            header(
                {
                    "roots": [cbor2.CBORTag(42, b"\0\x01\x70\x12\x20" + bytes(32))],
                    "version": 1,
                }
            ),
            "a root is unknown codec",
        ),
        (b"\x01\xff", "not DAG-CBOR"),
    ],
)
def test_a_hostile_header_is_refused(raw, reason):
    with pytest.raises(CarInvalid, match=reason):
        CarReader(io.BytesIO(raw))


def with_head(head):
    return encode_header((ROOT,)) + head


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (
            encode_varint(MAX_PART_SIZE + 1),
            "a block has 2097189 bytes, at most 2097188",
        ),
        (b"\xff\xff\xff\xff\x0f", "the length of a block is too large"),
        (b"\x80", "ends 1 bytes before the end of the length"),
        (b"\x00", "a block of 0 bytes has no CID"),
        (encode_varint(35) + bytes(35), "a block of 35 bytes has no CID"),
        (
            encode_varint(36) + bytes(36),
            "the CID of a block is not CIDv1 with sha2-256",
        ),
        (encode_varint(40) + bytes(make_cid(1))[:20], "before the end of a CID"),
        (
            encode_block_head(make_cid(1), 100) + b"short",
            "ends 95 bytes before the end",
        ),
        (encode_block_head(make_cid(1), 4) + b"evil", "is corrupt"),
    ],
)
def test_a_hostile_block_is_refused(part, reason):
    with pytest.raises(CarInvalid, match=reason):
        read(with_head(part))


def test_the_place_of_a_fault_is_named():
    good = car(block(b"good"))

    with pytest.raises(CarInvalid) as caught:
        read(good + encode_block_head(make_cid(1), 4) + b"evil")

    assert caught.value.where == f"byte {len(good)}"


def test_no_more_is_read_than_a_length_says_before_it_is_refused():
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size=-1):
            self.asked += size
            return b"\xff" * size

    source = Endless()
    with pytest.raises(CarInvalid):
        CarReader(source)

    assert source.asked <= 4


def test_links_are_found_wherever_they_stand():
    one, two = make_cid(1), make_cid(2, CODEC_RAW)
    tag = [cbor2.CBORTag(42, b"\0" + bytes(cid)) for cid in (one, two)]

    assert links_in(
        cbor2.dumps({"a": {"b": [tag[0]]}, "c": tag[1], "d": b"x" * 36})
    ) == {one, two}
    assert isinstance(next(iter(links_in(cbor2.dumps(tag[0])))), Cid)
