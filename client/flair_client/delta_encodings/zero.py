"""`zero`: nothing but zeros, and therefore no blocks."""

from flair_client.encoding.rules import PACKED_CHUNK_SIZE
from flair_client.errors import ObjectInvalid

CHUNK_SIZE = PACKED_CHUNK_SIZE


def pack(raw: bytes) -> list[bytes]:
    """No blocks; the caller has seen that all is zero."""
    del raw
    return []


def unpack(block: bytes | None, size: int, path: str) -> bytes:
    """Zeros.

    Raises:
        ObjectInvalid: there is a block.
    """
    if block is not None:
        raise ObjectInvalid(path, "a tensor of zeros has a block")
    return bytes(size)
