"""The frame of a CAR, version 1: header, and the head of each block. No I/O.

https://ipld.io/specs/transport/car/carv1/: every part is preceded by its length as an
unsigned varint; the header is DAG-CBOR `{roots: [link], version: 1}`; a block's part is
its CID and then its bytes.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import cbor2
import libipld

from flair_client.errors import CarInvalid, IdentifierInvalid
from flair_client.ids import DIGEST_SIZE, Cid
from flair_client.limits import MAX_OBJECT_SIZE

CID_SIZE: Final = 4 + DIGEST_SIZE
# A header with one root has 59 bytes; 64 roots fit in.
MAX_HEADER_SIZE: Final = 4096
MAX_PART_SIZE: Final = CID_SIZE + MAX_OBJECT_SIZE
# Lengths up to 2^28: anything that is allowed here is below.
MAX_VARINT_SIZE: Final = 4
_LINK_TAG: Final = 42
_VERSION_2: Final = {"version": 2}


def encode_varint(number: int) -> bytes:
    """An unsigned LEB128 integer.

    Args:
        number: at least 0.
    """
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode_varint(raw: bytes) -> int:
    """The number of a whole varint, as `encode_varint` writes it.

    Raises:
        ValueError: it is not in its shortest form.
    """
    number = 0
    for place, byte in enumerate(raw):
        number |= (byte & 0x7F) << 7 * place
    if encode_varint(number) != raw:
        raise ValueError("not in its shortest form")
    return number


def encode_header(roots: Sequence[Cid]) -> bytes:
    """The first part of a CAR, its length in front."""
    links = [cbor2.CBORTag(_LINK_TAG, b"\0" + bytes(root)) for root in roots]
    header = cbor2.dumps({"roots": links, "version": 1})
    return encode_varint(len(header)) + header


def decode_header(raw: bytes) -> tuple[Cid, ...]:
    """The roots that a header names.

    Args:
        raw: the header without its length.

    Raises:
        CarInvalid: it is not the header of a CAR of version 1, or a root is none that
            Flair knows.
    """
    try:
        plain = libipld.decode_dag_cbor(raw)
    except (ValueError, RecursionError) as exc:
        raise CarInvalid("header", f"it is not DAG-CBOR: {exc}") from exc
    if plain == _VERSION_2:
        raise CarInvalid("header", "it is of version 2; only version 1 is read")
    if not isinstance(plain, dict) or plain.get("version") != 1:
        raise CarInvalid("header", "it is not the header of a CAR of version 1")
    roots = plain.get("roots")
    if plain.keys() != {"roots", "version"} or not isinstance(roots, list):
        raise CarInvalid("header", "it has other fields than roots and version")
    if not all(isinstance(root, bytes) for root in roots):
        raise CarInvalid("header", "a root is no link")
    try:
        return tuple(Cid.from_bytes(root) for root in roots)
    except IdentifierInvalid as exc:
        raise CarInvalid("header", f"a root is {exc.reason}") from exc


def encode_block_head(cid: Cid, size: int) -> bytes:
    """What stands before the bytes of a block.

    Args:
        cid: the block's.
        size: bytes of the block.
    """
    return encode_varint(CID_SIZE + size) + bytes(cid)


def links_in(block: bytes) -> frozenset[Cid]:
    """What a DAG-CBOR block refers to, whatever kind of object it is.

    Byte strings that look like a CID are among them: a reader of this format cannot
    tell them from links. Nothing may rest on a link being one.

    Raises:
        ValueError: it is not DAG-CBOR.
    """
    found: set[Cid] = set()
    stack = [libipld.decode_dag_cbor(block)]
    while stack:
        plain = stack.pop()
        if isinstance(plain, dict):
            stack.extend(plain.values())
        elif isinstance(plain, list):
            stack.extend(plain)
        elif isinstance(plain, bytes):
            with suppress(IdentifierInvalid):
                found.add(Cid.from_bytes(plain))
    return frozenset(found)
