"""Packed layouts: a frozen dataclass whose annotations say how its bytes look.

A layout is written once, as annotations in byte order: `version: U8` is a value's
field, `name_len: ClassVar[...]` and `reserved: ClassVar[...]` are bytes that follow
from the others or carry nothing. `encode` and `decode` read the same list. Which
structures exist is no business of this module.
"""

import contextlib
import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from flair_client.chain.whole_layout import WholeLayout
from flair_client.ids import DIGEST_SIZE, Address, CommitId, Digest

NAME_SIZE: Final = 64
DISCRIMINATOR_SIZE: Final = 8
_NAME = re.compile(rb"[a-z0-9][a-z0-9._-]{0,63}")
_T = TypeVar("_T")


class LayoutError(ValueError):
    """Bytes or values do not fit the layout; callers name the account or event."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one field becomes bytes and back.

    Attributes:
        size: bytes taken; None where the bytes say it themselves.
        encode: value to bytes.
        decode: bytes from here on to (value, bytes taken).
        code: how `struct` writes it, where it has a fixed size.
        build: what `struct` reads to a value; None where that is the value.
    """

    size: int | None
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], tuple[Any, int]]
    code: str | None = None
    build: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class LengthOf:
    """One byte: the length of the name in the field called `field`."""

    field: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """Zero bytes that a later version may use; ignored when read."""

    size: int


@dataclass(frozen=True, slots=True)
class Constant:
    """One byte with a fixed value, refused when it differs."""

    value: int
    meaning: str


def _fixed(
    size: int, encode: Callable[[Any], bytes], decode: Any, code: str | None = None
) -> Codec:
    def decode_exact(raw: bytes) -> tuple[Any, int]:
        if len(raw) < size:
            raise LayoutError(f"{len(raw)} bytes are left where {size} are needed")
        return decode(raw[:size]), size

    def encode_exact(value: Any) -> bytes:
        encoded = encode(value)
        if len(encoded) != size:
            raise LayoutError(f"{len(encoded)} bytes where {size} are needed")
        return encoded

    if code is None:
        return Codec(size, encode_exact, decode_exact, f"{size}s", decode)
    return Codec(size, encode_exact, decode_exact, code)


_INTEGERS: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _integer(size: int, *, signed: bool = False) -> Codec:
    def encode(value: int) -> bytes:
        try:
            return int(value).to_bytes(size, "little", signed=signed)
        except OverflowError as exc:
            raise LayoutError(f"{value} does not fit {8 * size} bits") from exc

    code = _INTEGERS.get(size)
    return _fixed(
        size,
        encode,
        lambda raw: int.from_bytes(raw, "little", signed=signed),
        code.lower() if code and signed else code,
    )


def _boolean() -> Codec:
    def decode(raw: bytes) -> bool:
        if raw[0] > 1:
            raise LayoutError(f"{raw[0]} is neither 0 nor 1")
        return raw[0] == 1

    return _fixed(1, lambda value: bytes((int(bool(value)),)), decode)


def enumeration(kind: type[IntEnum] | type[IntFlag], size: int) -> Codec:
    """Gives the codec of an enum stored in `size` bytes; unknown values are refused."""
    integer = _integer(size)

    def decode(raw: bytes) -> Any:
        value = int.from_bytes(raw, "little")
        # An IntFlag takes any bits by itself.
        if issubclass(kind, IntFlag) and value & ~sum(kind):
            raise LayoutError(f"{value} is no {kind.__name__}")
        try:
            return kind(value)
        except ValueError as exc:
            raise LayoutError(f"{value} is no {kind.__name__}") from exc

    return _fixed(size, integer.encode, decode)


def encode_name(name: str) -> bytes:
    """Gives a name's bytes after checking its characters and length.

    Raises:
        LayoutError: not 1 to 64 of `a-z 0-9 . _ -`, or begins with a mark.
    """
    raw = name.encode("utf-8", "surrogatepass")
    if not _NAME.fullmatch(raw):
        raise LayoutError(f"{name[:NAME_SIZE]!r} is not a valid name")
    return raw


def _decode_name(raw: bytes) -> str:
    name = raw.rstrip(b"\0")
    if not _NAME.fullmatch(name):
        raise LayoutError(f"{name!r} is not a valid name")
    return name.decode("ascii")


def _encode_string(name: str) -> bytes:
    # Unchecked: the program refuses names, and tests send it bad ones.
    raw = name.encode()
    return len(raw).to_bytes(4, "little") + raw


def _decode_string(raw: bytes) -> tuple[str, int]:
    size = int.from_bytes(raw[:4], "little")
    if len(raw) < 4 + size:
        raise LayoutError("a string runs past the end")
    try:
        return raw[4 : 4 + size].decode(), 4 + size
    except UnicodeDecodeError as exc:
        raise LayoutError("a string is not UTF-8") from exc


def _raw(size: int) -> Codec:
    return _fixed(size, bytes, bytes, f"{size}s")


U8 = Annotated[int, _integer(1)]
U16 = Annotated[int, _integer(2)]
U32 = Annotated[int, _integer(4)]
U64 = Annotated[int, _integer(8)]
U128 = Annotated[int, _integer(16)]
I16 = Annotated[int, _integer(2, signed=True)]
I64 = Annotated[int, _integer(8, signed=True)]
Bool = Annotated[bool, _boolean()]
Bytes16 = Annotated[bytes, _raw(16)]
Bytes32 = Annotated[bytes, _raw(32)]
Bytes64 = Annotated[bytes, _raw(64)]
Bytes512 = Annotated[bytes, _raw(512)]
AddressField = Annotated[Address, _fixed(DIGEST_SIZE, bytes, Address)]
DigestField = Annotated[Digest, _fixed(DIGEST_SIZE, bytes, Digest)]
CommitIdField = Annotated[CommitId, _fixed(DIGEST_SIZE, bytes, CommitId)]
NameField = Annotated[
    str,
    _fixed(
        NAME_SIZE,
        lambda name: encode_name(name).ljust(NAME_SIZE, b"\0"),
        _decode_name,
    ),
]
BorshString = Annotated[str, Codec(None, _encode_string, _decode_string)]
NameLen = Annotated[int, LengthOf("name")]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    part: Codec | LengthOf | Reserved | Constant


def nested(cls: type[Any]) -> Codec:
    """Gives the codec of a structure inside another; it must have a fixed size."""
    size = size_of(cls)
    return _fixed(size, encode, lambda raw: decode(cls, raw))


_FIELDS: Final[dict[type[Any], tuple[_Field, ...]]] = {}
_WHOLES: Final[dict[type[Any], WholeLayout | None]] = {}


def fields_of(cls: type[Any]) -> tuple[_Field, ...]:
    """Lists the fields of a dataclass in byte order."""
    if cls not in _FIELDS:
        _FIELDS[cls] = tuple(_read_annotations(cls))
    return _FIELDS[cls]


def _read_annotations(cls: type[Any]) -> list[_Field]:
    found: list[_Field] = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        inner = get_args(hint)[0] if get_origin(hint) is ClassVar else hint
        if get_origin(inner) is Annotated:
            found += [
                _Field(name, part)
                for part in get_args(inner)[1:]
                if isinstance(part, Codec | LengthOf | Reserved | Constant)
            ]
    return found


def size_of(cls: type[Any]) -> int:
    """Gives the number of bytes of a structure of fixed size, without discriminator.

    Raises:
        LayoutError: the structure has no fixed size.
    """
    return sum(_size(field) for field in fields_of(cls))


def offset_of(cls: type[Any], name: str) -> int:
    """Gives where a field begins, without discriminator.

    Raises:
        LayoutError: there is no such field, or one before it has no fixed size.
    """
    at = 0
    for field in fields_of(cls):
        if field.name == name:
            return at
        at += _size(field)
    raise LayoutError(f"{cls.__name__} has no field {name!r}")


def _size(field: _Field) -> int:
    size = 1 if isinstance(field.part, LengthOf | Constant) else field.part.size
    if size is None:
        raise LayoutError(f"{field.name} has no fixed size")
    return size


def encode(value: Any) -> bytes:
    """Gives the packed bytes of a structure, without discriminator.

    Raises:
        LayoutError: a value does not fit its field.
    """
    parts = []
    for field in fields_of(type(value)):
        match field.part:
            case Codec(encode=encode_part):
                parts.append(encode_part(getattr(value, field.name)))
            case LengthOf(field=other):
                parts.append(bytes((len(encode_name(getattr(value, other))),)))
            case Reserved(size=size):
                parts.append(bytes(size))
            case Constant(value=constant):
                parts.append(bytes((constant,)))
    return b"".join(parts)


def decode(cls: type[_T], raw: bytes, **extra: Any) -> _T:
    """Reads a structure that takes exactly all of `raw`.

    Args:
        cls: a dataclass with layout annotations.
        raw: the bytes, without discriminator.
        extra: fields of the value that are not in the bytes.

    Raises:
        LayoutError: too short, too long, or a field's value is not allowed.
    """
    whole = _whole(cls)
    if whole is not None and len(raw) == whole.struct.size:
        with contextlib.suppress(LayoutError):
            found = whole.read(raw)
            if found is not None:
                return cls(**found, **extra)
    # Field by field, which names the one that is wrong.
    values: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    at = 0
    for field in fields_of(cls):
        try:
            at += _decode_field(field, raw[at:], values, lengths)
        except LayoutError as exc:
            raise LayoutError(f"{field.name}: {exc}") from exc
    if at != len(raw):
        raise LayoutError(f"{len(raw) - at} bytes are left over")
    for name, length in lengths.items():
        if length != len(values[name]):
            raise LayoutError(f"{name}: its length byte says {length}")
    return cls(**values, **extra)


def _whole(cls: type[Any]) -> WholeLayout | None:
    """Gives how to read a structure at once; None where its size is not fixed."""
    if cls not in _WHOLES:
        _WHOLES[cls] = _read_at_once(cls)
    return _WHOLES[cls]


def _read_at_once(cls: type[Any]) -> WholeLayout | None:
    codes: list[str] = []
    fields, constants, lengths = [], [], []
    place = 0
    for field in fields_of(cls):
        match field.part:
            case Reserved(size=size):
                codes.append(f"{size}x")
                continue
            case Codec(code=None):
                return None
            case Codec(code=code, build=build):
                fields.append((field.name, place, build))
                codes.append(str(code))
            case LengthOf(field=other):
                lengths.append((place, other))
                codes.append("B")
            case Constant(value=value):
                constants.append((place, value))
                codes.append("B")
        place += 1
    packed = struct.Struct("<" + "".join(codes))
    return WholeLayout(packed, tuple(fields), tuple(constants), tuple(lengths))


def _decode_field(
    field: _Field, raw: bytes, values: dict[str, Any], lengths: dict[str, int]
) -> int:
    part = field.part
    if isinstance(part, Codec):
        values[field.name], taken = part.decode(raw)
        return taken
    taken = part.size if isinstance(part, Reserved) else 1
    if len(raw) < taken:
        raise LayoutError(f"{len(raw)} bytes are left where {taken} are needed")
    if isinstance(part, LengthOf):
        lengths[part.field] = raw[0]
    elif isinstance(part, Constant) and raw[0] != part.value:
        raise LayoutError(f"{part.meaning} {raw[0]} is not supported")
    return taken


@cache
def discriminator(namespace: str, name: str) -> bytes:
    """Gives the first 8 bytes of `sha256(namespace ":" name)`."""
    return hashlib.sha256(f"{namespace}:{name}".encode()).digest()[:DISCRIMINATOR_SIZE]
