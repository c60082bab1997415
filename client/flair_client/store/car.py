"""Blocks in one file or stream, one after the other: reading and writing a CAR.

A reader trusts nothing: lengths are compared with their limits before memory is taken,
and each block with its CID before it is handed on. At most one block is in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final, Protocol

from flair_client.encoding.car import (
    CID_SIZE,
    MAX_HEADER_SIZE,
    MAX_PART_SIZE,
    MAX_VARINT_SIZE,
    decode_header,
    decode_varint,
    encode_block_head,
    encode_header,
)
from flair_client.errors import CarCut, CarInvalid, DigestMismatch, IdentifierInvalid
from flair_client.ids import Cid
from flair_client.store.base import check_block

_MORE: Final = 0x80


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@dataclass(slots=True)
class _Source:
    """Counts what was read, so that a fault can be found in the file."""

    file: Readable
    place: int = 0

    def exactly(self, size: int, what: str) -> bytes:
        begun = self.place
        parts: list[bytes] = []
        left = size
        while left:
            part = self.file.read(left)
            if not part:
                raise CarCut(
                    f"byte {begun}",
                    f"the file ends {left} bytes before the end of {what}",
                )
            left -= len(part)
            self.place += len(part)
            parts.append(part)
        return b"".join(parts)

    def length(self, limit: int, what: str) -> int | None:
        """Reads a length; None at the end of the file."""
        begun = self.place
        raw = self.file.read(1)
        if not raw:
            return None
        self.place += 1
        while raw[-1] & _MORE:
            if len(raw) == MAX_VARINT_SIZE:
                raise CarInvalid(f"byte {begun}", f"the length of {what} is too large")
            raw += self.exactly(1, f"the length of {what}")
        try:
            found = decode_varint(raw)
        except ValueError as exc:
            raise CarInvalid(f"byte {begun}", f"the length of {what} is {exc}") from exc
        if found > limit:
            raise CarInvalid(
                f"byte {begun}", f"{what} has {found} bytes, at most {limit} are read"
            )
        return found


class CarReader:
    """The blocks of a CAR, each checked.

    Attributes:
        roots: that the header names.
    """

    def __init__(self, file: Readable) -> None:
        """Reads the header.

        Raises:
            CarInvalid: this is no CAR of version 1.
        """
        self._source = _Source(file)
        size = self._source.length(MAX_HEADER_SIZE, "the header")
        if size is None:
            raise CarInvalid("byte 0", "the file is empty")
        self.roots = decode_header(self._source.exactly(size, "the header"))

    @property
    def n_bytes_read(self) -> int:
        """Bytes so far."""
        return self._source.place

    def __iter__(self) -> Iterator[tuple[Cid, bytes]]:
        """Gives CID and bytes of each block, in the order of the file.

        Raises:
            CarInvalid: the frame is broken, the file ends within a block, or a block
                is not what its CID says; names the byte.
            ObjectTooLarge: never: a block above the limit is a broken frame.
        """
        while True:
            begun = self._source.place
            size = self._source.length(MAX_PART_SIZE, "a block")
            if size is None:
                return
            if size < CID_SIZE:
                raise CarInvalid(f"byte {begun}", f"a block of {size} bytes has no CID")
            try:
                cid = Cid.from_bytes(self._source.exactly(CID_SIZE, "a CID"))
            except IdentifierInvalid as exc:
                raise CarInvalid(
                    f"byte {begun}", f"the CID of a block is {exc.reason}"
                ) from exc
            block = self._source.exactly(size - CID_SIZE, f"block {cid}")
            try:
                yield cid, check_block(cid, block)
            except DigestMismatch as exc:
                raise CarInvalid(f"byte {begun}", str(exc)) from exc


class Pieces:
    """Pieces of a stream, read as a file is."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Takes the pieces one after the other."""
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """As `Readable.read`."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def write_car(
    file: IO[bytes], root: Cid, blocks: Iterable[tuple[Cid, bytes]]
) -> tuple[int, int]:
    """Writes blocks as a CAR; gives how many, and the bytes of the file.

    Raises:
        OSError: from the file.
    """
    n_blocks = 0
    n_bytes = file.write(encode_header((root,)))
    for cid, block in blocks:
        n_bytes += file.write(encode_block_head(cid, len(block)))
        n_bytes += file.write(block)
        n_blocks += 1
    return n_blocks, n_bytes
