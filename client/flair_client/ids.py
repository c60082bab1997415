"""Identifiers: addresses on chain, digests, commit ids, CIDs. Values only."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import base58
import libipld

from flair_client.errors import IdentifierInvalid

DIGEST_SIZE = 32
CODEC_RAW = 0x55
CODEC_DAG_CBOR = 0x71
# CIDv1 with sha2-256: version, codec, multihash code, digest length.
_CID_TAIL = bytes((0x12, DIGEST_SIZE))


def _wrong_size(raw: bytes, kind: str) -> IdentifierInvalid:
    return IdentifierInvalid(kind, raw.hex(), f"{len(raw)} bytes instead of 32")


@lru_cache(maxsize=8192)
def _base58(raw: bytes) -> str:
    """Pages and tables write the same few addresses over and over."""
    return str(base58.b58encode(raw).decode("ascii"))


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A wallet, program or account on chain: 32 bytes, written in base58."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != DIGEST_SIZE:
            raise _wrong_size(self.raw, "address")

    def __hash__(self) -> int:
        # Bytes remember theirs: long histories ask for it ten times a commit.
        return hash(self.raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads base58.

        Raises:
            IdentifierInvalid: the text is not base58 of 32 bytes.
        """
        if len(text) > 2 * DIGEST_SIZE:
            raise IdentifierInvalid("address", text[:64], "too long")
        try:
            raw = base58.b58decode(text)
        except ValueError as exc:
            raise IdentifierInvalid("address", text, "not base58") from exc
        if len(raw) != DIGEST_SIZE:
            raise IdentifierInvalid("address", text, f"{len(raw)} bytes instead of 32")
        return cls(raw)

    def __str__(self) -> str:
        return _base58(self.raw)

    def __bytes__(self) -> bytes:
        return self.raw


ZERO_ADDRESS = Address(bytes(DIGEST_SIZE))


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha-256, written in hexadecimal."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != DIGEST_SIZE:
            raise _wrong_size(self.raw, "digest")

    def __hash__(self) -> int:
        return hash(self.raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads 64 hexadecimal digits.

        Raises:
            IdentifierInvalid: the text is anything else.
        """
        try:
            raw = bytes.fromhex(text)
        except ValueError as exc:
            raise IdentifierInvalid("digest", text[:80], "not hexadecimal") from exc
        if len(raw) != DIGEST_SIZE:
            raise IdentifierInvalid("digest", text[:80], "not 64 digits")
        return cls(raw)

    def __str__(self) -> str:
        return self.raw.hex()

    def __bytes__(self) -> bytes:
        return self.raw


@dataclass(frozen=True, slots=True, order=True)
class CommitId(Digest):
    """Digest of an encoded commit; zero on chain means "no commit"."""

    # Else the decorator makes one that first makes a tuple.
    __hash__ = Digest.__hash__

    @property
    def short(self) -> str:
        """The first twelve digits, as shown to people."""
        return self.raw.hex()[:12]

    @property
    def cid(self) -> "Cid":
        """Where the commit's block is found."""
        return Cid(CODEC_DAG_CBOR, self.raw)


@dataclass(frozen=True, slots=True, order=True)
class Cid:
    """Content address of a block: CIDv1, sha2-256, raw or dag-cbor."""

    codec: int
    digest: bytes

    def __post_init__(self) -> None:
        if self.codec not in (CODEC_RAW, CODEC_DAG_CBOR):
            raise IdentifierInvalid("CID", hex(self.codec), "unknown codec")
        if len(self.digest) != DIGEST_SIZE:
            raise _wrong_size(self.digest, "CID digest")

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Reads the 36 bytes of a binary CID.

        Raises:
            IdentifierInvalid: another version, codec, hash or length.
        """
        if len(raw) != 4 + DIGEST_SIZE or raw[0] != 1 or raw[2:4] != _CID_TAIL:
            raise IdentifierInvalid("CID", raw[:40].hex(), "not CIDv1 with sha2-256")
        return cls(raw[1], raw[4:])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the text form (base32, `bafy…` or `bafk…`).

        Raises:
            IdentifierInvalid: the text is not such a CID.
        """
        if not text.startswith("b") or len(text) != 1 + 58:
            raise IdentifierInvalid("CID", text[:80], "not a base32 CIDv1")
        try:
            raw = bytes(libipld.decode_multibase(text)[1])
        except ValueError as exc:
            raise IdentifierInvalid("CID", text, "not a base32 CIDv1") from exc
        return cls.from_bytes(raw)

    def __bytes__(self) -> bytes:
        return bytes((1, self.codec)) + _CID_TAIL + self.digest

    def __str__(self) -> str:
        return str(libipld.encode_multibase("b", bytes(self)))


def block_cid(codec: int, block: bytes | memoryview) -> Cid:
    """The CID of a block's bytes."""
    return Cid(codec, hashlib.sha256(block).digest())
