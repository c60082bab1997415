"""Building blocks of the schemas: one value of one field, both ways, with its rule.

A codec turns a value into what the CBOR library takes (`to_plain`), and what the
strict DAG-CBOR reader gives into a value (`from_plain`). Both check everything, and
name the place that is wrong. Links are `CBORTag(42, …)` on the way out and 36 bytes on
the way in; the comparison of bytes in `blocks` tells them from byte strings.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from cbor2 import CBORTag

from flair_client.errors import IdentifierInvalid, ObjectInvalid
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address, Cid, CommitId, Digest
from flair_client.limits import INT64_MAX

_LINK_TAG = 42
_CODEC_NAMES = {CODEC_RAW: "raw", CODEC_DAG_CBOR: "dag-cbor"}
# They reorder the text around them, so that a reader sees what is not there.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Codec(Protocol):
    """One value, both ways."""

    @property
    def doc(self) -> str:
        """The value's form, as docs/protocol.md says it."""

    def to_plain(self, value: Any, path: str) -> Any:
        """What the CBOR library takes."""

    def from_plain(self, plain: Any, path: str) -> Any:
        """The value."""


def kind_of(value: Any) -> str:
    """Name of a value's type, for messages."""
    return "null" if value is None else type(value).__name__


def _demand(ok: bool, path: str, reason: str) -> None:
    if not ok:
        raise ObjectInvalid(path, reason)


@dataclass(frozen=True, slots=True)
class Int:
    """An integer in a range within 64 bits; a boolean is none."""

    low: int = 0
    high: int = INT64_MAX

    @property
    def doc(self) -> str:
        """The value's form."""
        if (self.low, self.high) == (0, INT64_MAX):
            return "integer, at least 0"
        if self.low == self.high:
            return f"the integer {self.low}"
        if self.high == INT64_MAX:
            return f"integer, at least {self.low:,}"
        return f"integer, {self.low:,} to {self.high:,}"

    def to_plain(self, value: Any, path: str) -> int:
        """Checks the type and range."""
        if type(value) is not int:
            raise ObjectInvalid(path, f"expected an integer, got {kind_of(value)}")
        if not self.low <= value <= self.high:
            raise ObjectInvalid(path, f"{value} is not in {self.low} to {self.high}")
        return value

    from_plain = to_plain


@dataclass(frozen=True, slots=True)
class Float:
    """A finite 64-bit float; an integer is none."""

    low: float = -math.inf

    @property
    def doc(self) -> str:
        """The value's form."""
        return "f64" if self.low == -math.inf else f"f64, at least {self.low:g}"

    def to_plain(self, value: Any, path: str) -> float:
        """Checks the type, that it is finite, and range."""
        if type(value) is not float:
            raise ObjectInvalid(path, f"expected a float, got {kind_of(value)}")
        _demand(math.isfinite(value), path, f"{value} is not finite")
        _demand(value >= self.low, path, f"{value} is below {self.low:g}")
        # Readers of DAG-CBOR refuse -0.0; adding zero makes it 0.0, which it equals.
        return value + 0.0

    from_plain = to_plain


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8 text of bounded size without control characters.

    Attributes:
        max_size: in bytes of UTF-8.
        multiline: whether line feeds and tabs are allowed.
    """

    max_size: int
    min_size: int = 1
    multiline: bool = False

    @property
    def doc(self) -> str:
        """The value's form."""
        return f"text, {self.min_size} to {self.max_size:,} bytes"

    def to_plain(self, value: Any, path: str) -> str:
        """Checks the type, size and characters."""
        if type(value) is not str:
            raise ObjectInvalid(path, f"expected text, got {kind_of(value)}")
        try:
            size = len(value.encode())
        except UnicodeEncodeError as exc:
            raise ObjectInvalid(path, "not valid Unicode") from exc
        if not self.min_size <= size <= self.max_size:
            span = f"{self.min_size} to {self.max_size} bytes are allowed"
            raise ObjectInvalid(path, f"{size} bytes of text, {span}")
        if value.isascii() and value.isprintable():
            return value
        allowed = "\n\t" if self.multiline else ""
        for char in value:
            control = unicodedata.category(char) in ("Cc", "Zl", "Zp")
            if (control and char not in allowed) or char in _BIDI_CONTROLS:
                raise ObjectInvalid(path, f"control character U+{ord(char):04X}")
        return value

    from_plain = to_plain


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text that matches a regular expression as a whole."""

    regex: re.Pattern[str]
    doc: str

    def to_plain(self, value: Any, path: str) -> str:
        """Checks the type and form."""
        if type(value) is not str:
            raise ObjectInvalid(path, f"expected text, got {kind_of(value)}")
        if not self.regex.fullmatch(value):
            raise ObjectInvalid(path, f"{value[:80]!r} is not {self.doc}")
        return value

    from_plain = to_plain


@dataclass(frozen=True, slots=True)
class Choice:
    """One of an enumeration's words."""

    enum: type[StrEnum]

    @property
    def doc(self) -> str:
        """The value's form."""
        return ", ".join(f"`{word.value}`" for word in self.enum)

    def to_plain(self, value: Any, path: str) -> str:
        """Checks the type."""
        if not isinstance(value, self.enum):
            raise ObjectInvalid(path, f"expected one of {self.doc}, got {value!r}")
        return str(value.value)

    def from_plain(self, plain: Any, path: str) -> StrEnum:
        """Finds the word."""
        if type(plain) is str:
            for word in self.enum:
                if word.value == plain:
                    return word
        raise ObjectInvalid(path, f"expected one of {self.doc}, got {plain!r:.80}")


@dataclass(frozen=True, slots=True)
class Bytes:
    """A byte string of a size in a range."""

    low: int
    high: int

    @property
    def doc(self) -> str:
        """The value's form."""
        if self.low == self.high:
            return f"{self.low} bytes"
        return f"{self.low} to {self.high:,} bytes"

    def to_plain(self, value: Any, path: str) -> bytes:
        """Checks the type and size."""
        if type(value) is not bytes:
            raise ObjectInvalid(path, f"expected bytes, got {kind_of(value)}")
        if not self.low <= len(value) <= self.high:
            raise ObjectInvalid(path, f"{len(value)} bytes instead of {self.doc}")
        return value

    from_plain = to_plain


@dataclass(frozen=True, slots=True)
class Identifier:
    """An address or digest: 32 bytes."""

    cls: type[Address | Digest]
    doc: str

    def to_plain(self, value: Any, path: str) -> bytes:
        """The bytes."""
        if type(value) is not self.cls:
            raise ObjectInvalid(path, f"expected {self.doc}, got {kind_of(value)}")
        return bytes(value)

    def from_plain(self, plain: Any, path: str) -> Address | Digest:
        """The identifier."""
        return self.cls(Bytes(32, 32).from_plain(plain, path))


@dataclass(frozen=True, slots=True)
class Link:
    """A CID of one codec."""

    codec: int

    @property
    def doc(self) -> str:
        """The value's form."""
        return f"link to a {_CODEC_NAMES[self.codec]} block"

    def to_plain(self, value: Any, path: str) -> CBORTag:
        """Tag 42 over the CID, with the byte for binary in front."""
        if type(value) is not Cid:
            raise ObjectInvalid(path, f"expected a link, got {kind_of(value)}")
        self._check_codec(value, path)
        return CBORTag(_LINK_TAG, b"\0" + bytes(value))

    def from_plain(self, plain: Any, path: str) -> Cid:
        """The CID."""
        if type(plain) is not bytes:
            raise ObjectInvalid(path, f"expected a link, got {kind_of(plain)}")
        try:
            cid = Cid.from_bytes(plain)
        except IdentifierInvalid as exc:
            raise ObjectInvalid(path, str(exc)) from exc
        self._check_codec(cid, path)
        return cid

    def _check_codec(self, cid: Cid, path: str) -> None:
        name = _CODEC_NAMES[cid.codec]
        _demand(cid.codec == self.codec, path, f"{name} link instead of {self.doc}")


@dataclass(frozen=True, slots=True)
class CommitLink:
    """A commit, as a link to its block."""

    doc: str = "link to a commit"

    def to_plain(self, value: Any, path: str) -> CBORTag:
        """Tag 42 over the commit's CID."""
        if type(value) is not CommitId:
            raise ObjectInvalid(path, f"expected a commit id, got {kind_of(value)}")
        return Link(CODEC_DAG_CBOR).to_plain(value.cid, path)

    def from_plain(self, plain: Any, path: str) -> CommitId:
        """The commit id."""
        return CommitId(Link(CODEC_DAG_CBOR).from_plain(plain, path).digest)


@dataclass(frozen=True, slots=True)
class ListOf:
    """Values of one kind."""

    item: Codec
    high: int
    low: int = 0

    @property
    def doc(self) -> str:
        """The value's form."""
        count = f"{self.low} to {self.high:,}" if self.low else f"up to {self.high:,}"
        return f"list, {count}: {self.item.doc}"

    def to_plain(self, value: Any, path: str) -> list[Any]:
        """A list."""
        if type(value) is not tuple:
            raise ObjectInvalid(path, f"expected a tuple, got {kind_of(value)}")
        self._check_count(len(value), path)
        return [self.item.to_plain(v, f"{path}[{i}]") for i, v in enumerate(value)]

    def from_plain(self, plain: Any, path: str) -> tuple[Any, ...]:
        """A tuple."""
        if type(plain) is not list:
            raise ObjectInvalid(path, f"expected a list, got {kind_of(plain)}")
        self._check_count(len(plain), path)
        return tuple(
            self.item.from_plain(v, f"{path}[{i}]") for i, v in enumerate(plain)
        )

    def _check_count(self, count: int, path: str) -> None:
        if not self.low <= count <= self.high:
            raise ObjectInvalid(path, f"{count} items, not {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values of one kind by name."""

    key: Codec
    value: Codec
    high: int

    @property
    def doc(self) -> str:
        """The value's form."""
        return f"map, up to {self.high}: {self.key.doc} to {self.value.doc}"

    def to_plain(self, value: Any, path: str) -> dict[str, Any]:
        """A map with its keys in canonical order."""
        if not isinstance(value, Mapping):
            raise ObjectInvalid(path, f"expected a mapping, got {kind_of(value)}")
        self._check_count(len(value), path)
        return {
            self.key.to_plain(k, path): self.value.to_plain(value[k], f"{path}.{k}")
            for k in sorted(value, key=canonical_order)
        }

    def from_plain(self, plain: Any, path: str) -> dict[str, Any]:
        """A dictionary."""
        if type(plain) is not dict:
            raise ObjectInvalid(path, f"expected a map, got {kind_of(plain)}")
        self._check_count(len(plain), path)
        return {
            self.key.from_plain(k, path): self.value.from_plain(v, f"{path}.{k}")
            for k, v in plain.items()
        }

    def _check_count(self, count: int, path: str) -> None:
        if count > self.high:
            raise ObjectInvalid(path, f"{count} entries, at most {self.high}")


def canonical_order(key: Any) -> tuple[int, bytes]:
    """Sort key of DAG-CBOR maps: shorter keys first, then by bytes."""
    if type(key) is not str:
        return 0, b""  # refused by the key's codec a moment later
    raw = key.encode(errors="surrogatepass")
    return len(raw), raw


Check = Callable[[Any, str], None]
