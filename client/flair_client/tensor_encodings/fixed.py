"""`fixed`: the exact integers `M`, int64 little-endian, each chunk a Zstandard frame.

Always compressed: the upper bytes of `M` are mostly sign. The chunk is half a block, so
that bytes which do not compress stay within the limit of a block.
"""

from flair_client.encoding.rules import PACKED_CHUNK_SIZE
from flair_client.zstd_frames import compress, decompress

CHUNK_SIZE = PACKED_CHUNK_SIZE


def pack(chunk: bytes | memoryview) -> bytes:
    """One frame."""
    return compress(chunk)


def unpack(block: bytes, size: int, path: str) -> bytes:
    """The bytes of the frame.

    Raises:
        ObjectInvalid: it is not one frame of exactly so many bytes.
    """
    return decompress(block, size, path)
