"""What the members of a zip file claim of their sizes, held against the file's own."""

import zipfile
from collections.abc import Sequence
from typing import Final

# The most that a byte can stand for, by how NumPy writes: stored, or by deflate
# (https://zlib.net/zlib_tech.html).
_EXPANSION: Final = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}


def false_claim(members: Sequence[zipfile.ZipInfo], file_size: int) -> str | None:
    """Says what the bytes of the file cannot hold; None where all may be there.

    To be asked before memory is taken for any member: an array's memory is as large as
    the file says, not as large as what it holds.

    Args:
        members: of the archive.
        file_size: of the file itself, in bytes.
    """
    if sum(one.compress_size for one in members) > file_size:
        return "is damaged: its arrays are larger than the file"
    for one in members:
        name = f"member {one.filename[:80]!r}"
        expansion = _EXPANSION.get(one.compress_type)
        if expansion is None:
            return f"is no file of NumPy's: {name} is compressed in another way"
        if one.file_size > one.compress_size * expansion:
            return f"is damaged: {name} claims {one.file_size} bytes, there are fewer"
    return None
