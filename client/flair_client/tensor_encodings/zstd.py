"""`zstd`: each chunk of the tensor's bytes as one Zstandard frame."""

from flair_client.encoding.rules import RAW_CHUNK_SIZE
from flair_client.zstd_frames import compress, decompress

CHUNK_SIZE = RAW_CHUNK_SIZE


def pack(chunk: bytes | memoryview) -> bytes:
    """One frame."""
    return compress(chunk)


def unpack(block: bytes, size: int, path: str) -> bytes:
    """The bytes of the frame.

    Raises:
        ObjectInvalid: it is not one frame of exactly so many bytes.
    """
    return decompress(block, size, path)
