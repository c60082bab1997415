"""Zstandard frames of known size: the same bytes for the same input, no bombs."""

import zstandard

from flair_client.errors import ObjectInvalid

# Level 3 is the library's own middle. One thread: several would cut the input anew.
_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(
    3, write_content_size=True, write_checksum=False, write_dict_id=False, threads=0
)
# The windows that level 3 writes for blocks of at most 1 MiB.
_MAX_WINDOW_SIZE = 1 << 21


def compress(raw: bytes | memoryview) -> bytes:
    """One frame that declares its size."""
    return zstandard.ZstdCompressor(compression_params=_PARAMETERS).compress(raw)


def decompress(frame: bytes, size: int, path: str) -> bytes:
    """The bytes of one frame, which must be exactly `size`.

    Memory is taken only after the frame's header agreed.

    Raises:
        ObjectInvalid: another size, more than one frame, or no frame at all.
    """
    try:
        declared = zstandard.get_frame_parameters(frame).content_size
        if declared != size:
            reason = f"a block declares {declared} bytes instead of {size}"
            raise ObjectInvalid(path, reason)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_SIZE)
        raw = decompressor.decompress(
            frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as exc:
        raise ObjectInvalid(path, f"a block is no Zstandard frame: {exc}") from exc
    if len(raw) != size:
        raise ObjectInvalid(path, f"a block has {len(raw)} bytes instead of {size}")
    return raw
