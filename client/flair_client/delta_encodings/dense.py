"""`dense`: every value, int16 little-endian, each chunk a Zstandard frame.

Always compressed: values of 13 bits leave three bits empty, and most are small.
"""

from flair_client.encoding.rules import PACKED_CHUNK_SIZE
from flair_client.errors import ObjectInvalid
from flair_client.zstd_frames import compress, decompress

CHUNK_SIZE = PACKED_CHUNK_SIZE


def pack(raw: bytes) -> list[bytes]:
    """One frame for each chunk."""
    return [
        compress(raw[at : at + CHUNK_SIZE]) for at in range(0, len(raw), CHUNK_SIZE)
    ]


def unpack(block: bytes | None, size: int, path: str) -> bytes:
    """The bytes of the frame.

    Raises:
        ObjectInvalid: it is not one frame of exactly so many bytes.
    """
    if block is None:
        raise ObjectInvalid(path, "a block is missing")
    return decompress(block, size, path)
