"""`raw`: the tensor's bytes as they are."""

from flair_client.encoding.rules import RAW_CHUNK_SIZE
from flair_client.errors import ObjectInvalid

CHUNK_SIZE = RAW_CHUNK_SIZE


def pack(chunk: bytes | memoryview) -> bytes | memoryview:
    """The chunk itself."""
    return chunk


def unpack(block: bytes, size: int, path: str) -> bytes:
    """The block itself.

    Raises:
        ObjectInvalid: it has another size.
    """
    if len(block) != size:
        raise ObjectInvalid(path, f"a block has {len(block)} bytes instead of {size}")
    return block
