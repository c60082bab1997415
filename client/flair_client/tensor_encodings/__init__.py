"""How a manifest's tensor lies in its blocks: one encoding per file, by name.

An encoding packs one chunk of a tensor's bytes into one block. Which chunk a block
holds, and how many there are, follows from shape and dtype alone.
"""

from typing import Protocol

from flair_client.objects import TensorEncodingId
from flair_client.tensor_encodings import fixed, raw, zstd


class TensorEncoding(Protocol):
    """One encoding; the modules of this package are its implementations.

    Attributes:
        CHUNK_SIZE: bytes of a chunk; the last of a tensor may be shorter.
    """

    CHUNK_SIZE: int

    def pack(self, chunk: bytes | memoryview) -> bytes | memoryview:
        """The block of a chunk."""

    def unpack(self, block: bytes, size: int, path: str) -> bytes:
        """The chunk of a block.

        Args:
            block: whose digest was checked.
            size: bytes that the chunk must have.
            path: the tensor, for messages.

        Raises:
            ObjectInvalid: the block is not the packing of so many bytes.
        """


TENSOR_ENCODINGS: dict[TensorEncodingId, TensorEncoding] = {
    TensorEncodingId.RAW: raw,
    TensorEncodingId.ZSTD: zstd,
    TensorEncodingId.FIXED: fixed,
}

__all__ = ["TENSOR_ENCODINGS", "TensorEncoding"]
