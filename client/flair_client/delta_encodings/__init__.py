"""How a delta's tensor lies in its blocks: one encoding per file, by name."""

from typing import Protocol

from flair_client.delta_encodings import dense, zero
from flair_client.objects import DeltaEncodingId


class DeltaEncoding(Protocol):
    """One encoding; the modules of this package are its implementations.

    Attributes:
        CHUNK_SIZE: bytes of int16 values in one block.
    """

    CHUNK_SIZE: int

    def pack(self, raw: bytes) -> list[bytes]:
        """The blocks of a tensor's int16 little-endian bytes."""

    def unpack(self, block: bytes | None, size: int, path: str) -> bytes:
        """The bytes of one chunk.

        Args:
            block: whose digest was checked; None where the encoding has no blocks.
            size: bytes that the chunk must have.
            path: the tensor, for messages.

        Raises:
            ObjectInvalid: the block is not the packing of so many bytes.
        """


DELTA_ENCODINGS: dict[DeltaEncodingId, DeltaEncoding] = {
    DeltaEncodingId.DENSE: dense,
    DeltaEncodingId.ZERO: zero,
}

__all__ = ["DELTA_ENCODINGS", "DeltaEncoding"]
