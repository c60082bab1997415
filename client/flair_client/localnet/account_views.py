"""Accounts in the encodings that RPC nodes offer."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import base58
import zstandard

from flair_client.chain.accounts import RawAccount
from flair_client.localnet.bank import RENT_EPOCH
from flair_client.localnet.faults import INVALID_REQUEST, RpcFault, invalid_params
from flair_client.localnet.params import option_whole

_BASE58_LIMIT: Final = 128
_BYTE_MAX: Final = 255
_FILTERS_LIMIT: Final = 4
# Where an account of the token programs tells its state, and behind its fields its
# kind where it has extensions.
_TOKEN_SIZE: Final = 165
_TOKEN_STATE: Final = 108
_KIND_TOKEN_ACCOUNT: Final = 2
_ENCODINGS: Final = (
    "binary",
    "base58",
    "base64",
    "base64+zstd",
    "jsonParsed",
)


@dataclass(frozen=True, slots=True)
class View:
    """How an account is to be shown."""

    encoding: str
    offset: int = 0
    length: int | None = None

    @classmethod
    def read(cls, options: dict[str, Any]) -> "View":
        """Reads `encoding` and `dataSlice`.

        Raises:
            RpcFault: they cannot be used.
        """
        encoding = options.get("encoding") or "binary"
        if encoding not in _ENCODINGS:
            raise invalid_params(f"Invalid params: unknown variant {encoding!r}.")
        part = options.get("dataSlice")
        if part is None:
            return cls(encoding)
        if not isinstance(part, dict) or not {"offset", "length"} <= part.keys():
            raise invalid_params("Invalid params: dataSlice needs offset and length.")
        offset = option_whole(part, "offset", 0)
        return cls(encoding, offset, option_whole(part, "length", 0))

    def show(self, account: RawAccount) -> dict[str, Any]:
        """Gives an account as JSON.

        Raises:
            RpcFault: the data is too long for base58.
        """
        return {
            "data": self._data(account.data),
            "executable": account.executable,
            "lamports": account.lamports,
            "owner": str(account.owner),
            "rentEpoch": RENT_EPOCH,
            "space": len(account.data),
        }

    def _data(self, whole: bytes) -> Any:
        end = None if self.length is None else self.offset + self.length
        data = whole[self.offset : end]
        if self.encoding in ("binary", "base58"):
            if len(data) > _BASE58_LIMIT:
                raise RpcFault(
                    INVALID_REQUEST,
                    "Encoded binary (base 58) data should be less than "
                    f"{_BASE58_LIMIT} bytes, please use Base64 encoding.",
                )
            text = base58.b58encode(data).decode()
            return text if self.encoding == "binary" else [text, "base58"]
        if self.encoding == "base64+zstd":
            packed = zstandard.ZstdCompressor().compress(data)
            return [base64.b64encode(packed).decode(), "base64+zstd"]
        # "jsonParsed" too: a node without a parser for the owner falls back on this.
        return [base64.b64encode(data).decode(), "base64"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which accounts of a program are wanted: by size, or by bytes at an offset.

    Attributes:
        size: of the whole data.
        is_token: wants accounts that hold tokens, and nothing else.
        offset, content: bytes that must be there.
    """

    size: int | None = None
    is_token: bool = False
    offset: int = 0
    content: bytes = b""

    def fits(self, account: RawAccount) -> bool:
        """Tells whether an account is wanted."""
        if self.size is not None:
            return len(account.data) == self.size
        if self.is_token:
            return _holds_tokens(account.data)
        end = self.offset + len(self.content)
        return account.data[self.offset : end] == self.content


def _holds_tokens(data: bytes) -> bool:
    """By the token programs' rule: size, state, and the kind where it is extended."""
    if len(data) < _TOKEN_SIZE or data[_TOKEN_STATE] == 0:
        return False
    is_plain = len(data) == _TOKEN_SIZE
    return is_plain or data[_TOKEN_SIZE] == _KIND_TOKEN_ACCOUNT


def read_filters(options: dict[str, Any]) -> list[Filter]:
    """Reads `filters`.

    Raises:
        RpcFault: they cannot be used.
    """
    given = options.get("filters") or []
    if not isinstance(given, list):
        raise invalid_params("Invalid params: filters must be an array.")
    if len(given) > _FILTERS_LIMIT:
        raise invalid_params(f"Too many filters provided; max {_FILTERS_LIMIT}")
    return [_read_filter(one) for one in given]


def _read_filter(given: Any) -> Filter:
    if isinstance(given, dict) and set(given) == {"dataSize"}:
        return Filter(size=option_whole(given, "dataSize", 0))
    if isinstance(given, dict) and set(given) == {"tokenAccountState"}:
        return Filter(is_token=True)
    if not isinstance(given, dict) or not isinstance(given.get("memcmp"), dict):
        raise invalid_params("Invalid params: unknown kind of filter.")
    memcmp = given["memcmp"]
    offset = option_whole(memcmp, "offset", 0)
    return Filter(offset=offset, content=_read_content(memcmp))


def _read_content(memcmp: dict[str, Any]) -> bytes:
    text = memcmp.get("bytes")
    encoding = memcmp.get("encoding") or "base58"
    if isinstance(text, list) and encoding in ("bytes", "base58"):
        return _read_numbers(text)
    if not isinstance(text, str) or len(text) > 2 * _BASE58_LIMIT:
        raise invalid_params("Invalid param: DataTooLarge")
    try:
        if encoding == "base58":
            content = base58.b58decode(text)
        elif encoding == "base64":
            content = base64.b64decode(text, validate=True)
        else:
            raise invalid_params(f"Invalid params: unknown variant {encoding!r}.")
    except (ValueError, binascii.Error) as exc:
        raise invalid_params("Invalid param: the bytes cannot be decoded") from exc
    if len(content) > _BASE58_LIMIT:
        raise invalid_params("Invalid param: DataTooLarge")
    return content


def _read_numbers(numbers: list[Any]) -> bytes:
    if not all(type(one) is int and 0 <= one <= _BYTE_MAX for one in numbers):
        raise invalid_params("Invalid params: bytes must be numbers from 0 to 255.")
    if len(numbers) > _BASE58_LIMIT:
        raise invalid_params("Invalid param: DataTooLarge")
    return bytes(numbers)
