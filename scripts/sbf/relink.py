"""BPF object, as llc writes it, to an sBPF v3 program, which is loaded as it is.

A program of version 3 is an ELF file that the runtime maps as it is:

| bytes | what |
|---|---|
| 0..64 | ELF header: `e_type` 3 (shared object), `e_machine` 247 (BPF), `e_flags` 3
  (the version), `e_entry` the address of `entrypoint` |
| 64..120 | program header of the constants: `PT_LOAD`, readable, address 0 |
| 120..176 | program header of the code: `PT_LOAD`, executable, address 2^32 |
| 176.. | constants: 16 zero bytes (address 0 stays null), then each read-only section,
  aligned |
| then.. | code: each executable section, aligned to an instruction (8 bytes) |

There are no sections, symbols or dynamic entries. A call holds in its immediate either
the distance in instructions (source register 1) or, for a function of the runtime, the
murmur3 hash of its name (source register 0). Function pointers and addresses of
constants are plain numbers.

Everything that the loader could not map is refused here by name: undefined symbols,
writable sections, relocations of another kind.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmh3
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from sbf.errors import BuildError
from sbf.syscalls import SYSCALLS

VERSION = 3
HEADER_BYTES = 64 + 2 * 56
NULL_BYTES = 16
INSTRUCTION_BYTES = 8

R_BPF_64_64 = 1
R_BPF_64_ABS64 = 2
R_BPF_64_32 = 10

ENTRYPOINT = "entrypoint"


@dataclass(frozen=True, slots=True)
class Region:
    """One of the two parts that the runtime maps: its address and its bytes so far."""

    address: int
    flags: int
    data: bytearray = field(default_factory=bytearray)

    def append(self, data: bytes, alignment: int) -> int:
        """Adds a section and returns its offset."""
        self.data.extend(bytes(-len(self.data) % alignment))
        offset = len(self.data)
        self.data.extend(data)
        return offset


@dataclass(frozen=True, slots=True)
class Place:
    """Where a section of the object has come to lie."""

    region: Region
    offset: int

    @property
    def address(self) -> int:
        """Address of its first byte when the program runs."""
        return self.region.address + self.offset


def relink(source: Path, output: Path) -> None:
    """Writes the program for an object.

    Args:
        source: BPF object with a global function `entrypoint`.
        output: File to write.

    Raises:
        BuildError: The object is none, or holds something that a program cannot have;
            the text names it.
    """
    with source.open("rb") as file:
        try:
            elf = ELFFile(file)
            if elf["e_machine"] != "EM_BPF" or elf["e_type"] != "ET_REL":
                made = f"{elf['e_machine']}, {elf['e_type']}"
                raise BuildError(f"{source} is no BPF object: {made}")
            output.write_bytes(_program(elf))
        except ELFError as error:
            raise BuildError(f"{source} is no BPF object: {error}") from error


def _program(elf: Any) -> bytes:
    constants = Region(0, flags=4, data=bytearray(NULL_BYTES))
    code = Region(1 << 32, flags=1)
    places = _place_sections(elf, constants, code)
    constants.append(b"", INSTRUCTION_BYTES)
    for place, relocation, symbol in _relocations(elf, places):
        _relocate(place, relocation, symbol, places)
    return _file(constants, code, _entry(elf, places))


def _place_sections(elf: Any, constants: Region, code: Region) -> dict[int, Place]:
    """Lays out what the program needs in memory, in the order of the object."""
    places = {}
    for number, section in enumerate(elf.iter_sections()):
        allocated, executable = section["sh_flags"] & 2, section["sh_flags"] & 4
        if not allocated or not section["sh_size"]:
            continue
        # .data.rel.ro is writable for a loader that relocates; here nothing does
        if section["sh_flags"] & 1 and not section.name.startswith(".data.rel.ro"):
            raise BuildError(
                f"writable static in section {section.name}: {_names(elf, number)}"
            )
        region, alignment = (
            (code, INSTRUCTION_BYTES)
            if executable
            else (constants, max(16, section["sh_addralign"]))
        )
        places[number] = Place(region, region.append(section.data(), alignment))
    return places


def _names(elf: Any, section: int) -> str:
    names = [
        s.name
        for s in _symbols(elf).iter_symbols()
        if s["st_shndx"] == section and s.name
    ]
    return ", ".join(names) or "without a name"


def _symbols(elf: Any) -> Any:
    table = elf.get_section_by_name(".symtab")
    if table is None:
        raise BuildError("the object has no symbol table")
    return table


def _relocations(
    elf: Any, places: dict[int, Place]
) -> Iterator[tuple[Place, Any, Any]]:
    """Each relocation of a placed section, with where it applies and its symbol."""
    symbols = _symbols(elf)
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_RELA" and section["sh_info"] in places:
            raise BuildError(
                f"relocation section {section.name} of a kind foreign to BPF"
            )
        if section["sh_type"] != "SHT_REL" or section["sh_info"] not in places:
            continue
        target = places[section["sh_info"]]
        for relocation in section.iter_relocations():
            place = Place(target.region, target.offset + relocation["r_offset"])
            yield place, relocation, symbols.get_symbol(relocation["r_info_sym"])


def _relocate(
    place: Place, relocation: Any, symbol: Any, places: dict[int, Place]
) -> None:
    """Writes one address or call; what the assembler left there is added to it."""
    kind, data, at = relocation["r_info_type"], place.region.data, place.offset
    if symbol["st_shndx"] == "SHN_UNDEF":
        _call_runtime(place, kind, symbol.name)
        return
    if symbol["st_shndx"] not in places:
        raise BuildError(f"symbol {symbol.name} lies in no section of the program")
    address = places[symbol["st_shndx"]].address + symbol["st_value"]
    if kind == R_BPF_64_64:  # the two halves of an lddw
        address += _u32(data, at + 4) | _u32(data, at + 12) << 32
        struct.pack_into("<I", data, at + 4, address & 0xFFFFFFFF)
        struct.pack_into("<I", data, at + 12, address >> 32)
    elif kind == R_BPF_64_ABS64:  # a pointer among the constants
        struct.pack_into(
            "<Q", data, at, address + struct.unpack_from("<Q", data, at)[0]
        )
    elif kind == R_BPF_64_32:  # a call: instructions from the next one
        distance = (
            address
            - place.address
            + struct.unpack_from("<i", data, at + 4)[0] * INSTRUCTION_BYTES
        )
        struct.pack_into("<i", data, at + 4, distance // INSTRUCTION_BYTES)
        data[at + 1] = data[at + 1] & 0x0F | 0x10
    else:
        raise BuildError(
            f"relocation of type {kind} against {symbol.name or 'a section'}"
        )


def _u32(data: bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _call_runtime(place: Place, kind: int, name: str) -> None:
    if kind != R_BPF_64_32 or name not in SYSCALLS:
        raise BuildError(f"undefined symbol {name}")
    data, at = place.region.data, place.offset
    data[at + 1] &= 0x0F
    struct.pack_into("<I", data, at + 4, mmh3.hash(name.encode(), 0, signed=False))


def _entry(elf: Any, places: dict[int, Place]) -> int:
    for symbol in _symbols(elf).get_symbol_by_name(ENTRYPOINT) or []:
        if symbol["st_shndx"] in places:
            return int(places[symbol["st_shndx"]].address + symbol["st_value"])
    raise BuildError(f"the program defines no {ENTRYPOINT}")


def _file(constants: Region, code: Region, entry: int) -> bytes:
    ident = (
        b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    )  # 64 bits, little-endian, ELF version 1
    header = struct.pack(
        "<HHIQQQIHHHHHH", 3, 247, 1, entry, 64, 0, VERSION, 64, 56, 2, 0, 0, 0
    )
    offset, parts = HEADER_BYTES, [ident, header]
    for region in (constants, code):
        size = len(region.data)
        parts.append(
            struct.pack(
                "<IIQQQQQQ",
                1,
                region.flags,
                offset,
                region.address,
                region.address,
                size,
                size,
                8,
            )
        )
        offset += size
    return b"".join([*parts, constants.data, code.data])
