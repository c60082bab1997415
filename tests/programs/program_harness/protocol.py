"""The tables of docs/protocol.md as data: accounts, instructions, events, errors.

Nothing here knows the client's encoders, so both can be checked against each other.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from solders.pubkey import Pubkey

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "protocol.md"
HEADER_SIZE: Final = 121
EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Field:
    """One packed field; `kind` as the document writes it."""

    name: str
    kind: str

    @property
    def size(self) -> int | None:
        """Bytes taken, None for a `Name` in arguments."""
        return _size_of(self.kind)

    def encode(self, value: Any) -> bytes:
        """Packs a value; raises where it does not fit."""
        if self.kind == "address":
            return bytes(value)
        if self.kind == "Name":
            return len(value).to_bytes(4, "little") + bytes(value)
        if self.kind == "PolicyParams":
            return PARAMS.encode(value)
        if self.kind[0] in "ui":
            assert self.size is not None
            return int(value).to_bytes(self.size, "little", signed=self.kind[0] == "i")
        if len(value) != self.size:
            raise ValueError(f"{self.name}: {len(value)} bytes instead of {self.size}")
        return bytes(value)

    def decode(self, raw: bytes) -> Any:
        """Reads a value from exactly its bytes."""
        if self.kind == "address":
            return Pubkey.from_bytes(raw)
        if self.kind == "PolicyParams":
            return PARAMS.decode(raw)
        if self.kind[0] in "ui":
            return int.from_bytes(raw, "little", signed=self.kind[0] == "i")
        return raw


@cache
def _size_of(kind: str) -> int | None:
    if kind == "address":
        return 32
    if kind == "Name":
        return None
    if kind == "PolicyParams":
        return 276
    if kind[0] in "ui":
        return int(kind[1:]) // 8
    return int(kind)


@dataclass(frozen=True, slots=True)
class Layout:
    """Packed fields in order.

    Attributes:
        size: bytes of all fields.
    """

    fields: tuple[Field, ...]
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sum(each.size or 0 for each in self.fields))

    def offset(self, name: str) -> int:
        """Where a field begins."""
        at = 0
        for each in self.fields:
            if each.name == name:
                return at
            at += each.size or 0
        raise KeyError(name)

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Packs all fields; absent ones are zero."""
        unknown = set(values) - {each.name for each in self.fields}
        if unknown:
            raise KeyError(unknown)
        return b"".join(
            each.encode(values[each.name])
            if each.name in values
            else bytes(each.size or 0)
            for each in self.fields
        )

    def decode(self, raw: bytes) -> SimpleNamespace:
        """Reads all fields from exactly their bytes."""
        if len(raw) != self.size:
            raise ValueError(f"{len(raw)} bytes instead of {self.size}")
        values, at = {}, 0
        for each in self.fields:
            values[each.name] = each.decode(raw[at : at + (each.size or 0)])
            at += each.size or 0
        return SimpleNamespace(**values)


@dataclass(frozen=True, slots=True)
class InstructionRow:
    """A row of the table of instructions; flags are out of `w`, `s`, `?`."""

    name: str
    arguments: Layout
    accounts: tuple[tuple[str, str], ...]


@cache
def discriminator(space: str, name: str) -> bytes:
    """The 8 bytes that accounts, instructions and events begin with."""
    return hashlib.sha256(f"{space}:{name}".encode()).digest()[:8]


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s-]+", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _parse_types(text: str, count: int) -> list[str]:
    if "\u00d7" in text:
        kind, _, times = text.partition("\u00d7")
        if int(times) != count:
            raise ValueError(f"{text!r} for {count} fields")
        return [kind.strip()] * count
    kinds = [kind.strip() for kind in text.split(",")]
    if len(kinds) != count:
        raise ValueError(f"{text!r} for {count} fields")
    return kinds


def _parse_table(text: str) -> Layout:
    fields = []
    for names_cell, kinds_cell, *_ in list(_rows(text))[1:]:
        names = [name.strip() for name in names_cell.split(",")]
        kinds = _parse_types(kinds_cell, len(names))
        fields += [
            Field(name, "PolicyParams" if name == "params" else kind)
            for name, kind in zip(names, kinds, strict=True)
        ]
    return Layout(tuple(fields))


def _parse_inline(text: str) -> Layout:
    """`branch, round_index u64, policy address`: without a type it is an address."""
    fields = []
    text = re.sub(r"\([^)]*\)", "", text)
    for part in filter(None, (part.strip(" \u2013") for part in text.split(","))):
        name, _, kind = part.partition(" ")
        fields.append(Field(name, kind.strip() or "address"))
    return Layout(
        tuple(
            Field(field.name, "PolicyParams" if field.name == "params" else field.kind)
            for field in fields
        )
    )


def _section(text: str, title: str) -> str:
    return text.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]


def _parse_accounts(text: str) -> dict[str, Layout]:
    layouts = {}
    for part in text.split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        size = int(re.search(r"([\d,]+) bytes", heading)[1].replace(",", ""))  # type: ignore[index]
        layout = _parse_table(body.split("\n\n")[0])
        if layout.size + 8 != size:
            raise ValueError(f"{heading}: the fields take {layout.size + 8} bytes")
        layouts[heading.split(" ")[0]] = layout
    return layouts


def _parse_accounts_cell(text: str) -> tuple[tuple[str, str], ...]:
    parts = [part.strip() for part in text.split(",")]
    named = (part.partition(" ") for part in parts if not part.startswith("then "))
    return tuple((name, flags) for name, _, flags in named if name != "each")


def _parse_instructions(text: str) -> dict[str, InstructionRow]:
    rows = {}
    for name, arguments, accounts in list(_rows(text))[1:]:
        key = _CODE.findall(name)[0]
        rows[key] = InstructionRow(
            key, _parse_inline(arguments), _parse_accounts_cell(accounts)
        )
    return rows


def _parse_events(text: str) -> tuple[Layout, dict[str, Layout]]:
    header_rows, _, event_rows = text.partition("| event |")
    header = _parse_table(header_rows)
    events = {}
    for names, fields in list(_rows("| event |" + event_rows))[1:]:
        for name in _CODE.findall(names):
            events[name] = Layout(header.fields + _parse_inline(fields).fields)
    return header, events


def _parse_errors(text: str) -> dict[str, int]:
    return {name: int(number) for number, name, _ in list(_rows(text))[1:]}


_TEXT: Final = DOCUMENT.read_text()
PROGRAM_ID: Final = Pubkey.from_string(
    re.search(r"Program id `(\w+)`", _TEXT)[1]  # type: ignore[index]
)
PARAMS: Final = _parse_table(
    _section(_TEXT, "1. ")
    .split("also the argument of `policy_create`):")[1]
    .strip()
    .split("\n\n")[0]
)
ACCOUNTS: Final = _parse_accounts(_section(_TEXT, "1. "))
INSTRUCTIONS: Final = _parse_instructions(_section(_TEXT, "2. "))
EVENT_HEADER, EVENTS = _parse_events(_section(_TEXT, "3. "))
ERRORS: Final = _parse_errors(_section(_TEXT, "4. "))


def decode_account(data: bytes) -> tuple[str, SimpleNamespace]:
    """Reads account data of whichever kind its first bytes say."""
    for name, layout in ACCOUNTS.items():
        if data[:8] == discriminator("account", name):
            return name, layout.decode(data[8:])
    raise ValueError(f"unknown kind of account {data[:8].hex()}")


def encode_account(kind: str, values: SimpleNamespace) -> bytes:
    """Packs account data."""
    packed = dict(vars(values))
    if "params" in packed:
        packed["params"] = vars(packed["params"])
    return discriminator("account", kind) + ACCOUNTS[kind].encode(packed)


def decode_event(data: bytes) -> tuple[str, SimpleNamespace]:
    """Reads event bytes."""
    for name, layout in EVENTS.items():
        if data[:8] == discriminator("event", name):
            return name, layout.decode(data[8:])
    raise ValueError(f"unknown event {data[:8].hex()}")


def event_root(data: bytes) -> bytes:
    """The root after an event."""
    return hashlib.sha256(b"flair-event-v1\n" + data).digest()
