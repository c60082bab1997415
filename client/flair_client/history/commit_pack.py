r"""Commits of a line in one file, so that a long history is read at once.

    "flair-commits-v1\n", then for each commit: id (32 B), length (4 B, little-endian),
    block

It is a cache beside the blocks: made from commits that were read strictly, and lost or
damaged without harm. A block counts only if its digest is the id; so of those read here
the fields need no second look, and most of them are never made into values.
"""

import struct
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import libipld

from flair_client.commit_kind import CommitKind
from flair_client.errors import IdentifierInvalid
from flair_client.ids import DIGEST_SIZE, Address, CommitId

if TYPE_CHECKING:
    from flair_client.objects import Commit, Revert

MAGIC: Final = b"flair-commits-v1\n"
_LENGTH: Final = struct.Struct("<I")
_PREFIX_SIZE: Final = DIGEST_SIZE + _LENGTH.size
_LINK_PREFIX: Final = 4
_KINDS: Final = {kind.value: kind for kind in CommitKind}
# A line has few authors.
_author: Final = lru_cache(maxsize=1024)(Address)
# What a field of another type or form than a commit's raises.
_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, IdentifierInvalid)


class CommitHeader:
    """What a list of commits shows of one; all other fields are read when asked for.

    Attributes:
        kind, branch, parents, author, message, time, round_index, metrics: the
            commit's.
    """

    __slots__ = (
        "_block",
        "_plain",
        "author",
        "branch",
        "kind",
        "message",
        "metrics",
        "parents",
        "round_index",
        "time",
    )

    def __init__(self, block: bytes) -> None:
        """Of a block that was found to be a commit before.

        Raises:
            KeyError, TypeError, ValueError, IdentifierInvalid: it is none.
        """
        plain = libipld.decode_dag_cbor(block)
        self._block = block
        self._plain: Mapping[str, Any] = plain
        self.kind = _KINDS[plain["kind"]]
        self.branch: str = plain["branch"]
        links = plain["parents"]
        self.parents = tuple([CommitId(link[_LINK_PREFIX:]) for link in links])
        self.author = _author(plain["author"])
        self.message: str = plain["message"]
        self.time: int = plain["time"]
        self.round_index: int | None = plain.get("round_index")
        self.metrics: Mapping[str, float] | None = plain.get("metrics")

    @property
    def merges_models(self) -> bool:
        """As `Commit.merges_models`."""
        is_merge = self.kind is CommitKind.MERGE
        return is_merge and self.round_index is None and "policy" not in self._plain

    @property
    def reverts(self) -> "Revert | None":
        """What a revert takes back."""
        return self.whole().reverts if "reverts" in self._plain else None

    def whole(self) -> "Commit":
        """The commit with all its fields, read strictly."""
        from flair_client.encoding import decode_commit

        return decode_commit(self._block)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole(), name)


class CommitPack:
    """The file, read when the first commit is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks: dict[bytes, bytes] | None = None
        self._new: dict[bytes, bytes] = {}
        self._is_damaged = False

    def get(self, commit_id: CommitId) -> CommitHeader | None:
        """The commit, or None where the file does not have it as it is."""
        blocks = self._read()
        block = blocks.get(commit_id.raw)
        if block is None:
            return None
        if sha256(block).digest() == commit_id.raw:
            try:
                return CommitHeader(block)
            except _MALFORMED:
                pass
        self._is_damaged = True
        del blocks[commit_id.raw]
        return None

    def add(self, commit_id: CommitId, block: bytes) -> None:
        """Takes a commit in that was read strictly; `save` writes it down."""
        self._new[commit_id.raw] = block

    def save(self) -> None:
        """Writes down what is new; where that cannot be, nothing is lost."""
        if not self._new:
            return
        blocks = self._read()
        records = self._new if blocks and not self._is_damaged else blocks | self._new
        content = b"".join(
            part
            for raw, block in records.items()
            for part in (raw, _LENGTH.pack(len(block)), block)
        )
        with suppress(OSError):
            if records is self._new:
                with self._path.open("ab") as file:
                    file.write(content)
            else:
                fresh = self._path.with_name(f".{self._path.name}.{self._suffix()}")
                fresh.write_bytes(MAGIC + content)
                fresh.replace(self._path)
        blocks.update(self._new)
        self._new = {}

    def _suffix(self) -> str:
        # Eight signs, so that whoever has the lock clears it up after a kill.
        return sha256(repr(id(self)).encode()).hexdigest()[:8]

    def _read(self) -> dict[bytes, bytes]:
        if self._blocks is None:
            self._blocks = {}
            with suppress(OSError):
                content = self._path.read_bytes()
                self._is_damaged = not self._split(content, self._blocks)
        return self._blocks

    @staticmethod
    def _split(content: bytes, blocks: dict[bytes, bytes]) -> bool:
        """Fills in the records; gives whether the file ends where one does."""
        if not content.startswith(MAGIC):
            return False
        at, n_bytes, length_at = len(MAGIC), len(content), _LENGTH.unpack_from
        while at < n_bytes:
            length, start = at + DIGEST_SIZE, at + _PREFIX_SIZE
            if start > n_bytes:
                return False
            end = start + length_at(content, length)[0]
            if end > n_bytes:
                return False
            blocks[content[at:length]] = content[start:end]
            at = end
        return True
