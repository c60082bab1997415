"""The upgradeable loader: how programs are put on chain, and what is there.

Formats of `solana-loader-v3-interface`: instructions are a little-endian u32 and their
fields, accounts begin with a little-endian u32 that names their kind:

    buffer        1, authority (1 + 32), code          37 bytes before the code
    program       2, address of its code account       36 bytes
    program data  3, slot (8), authority (1 + 32), code  45 bytes before the code
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from flair_client.chain.accounts import RawAccount
from flair_client.chain.instructions import AccountMeta, Instruction
from flair_client.chain.pdas import (
    CLOCK_ID,
    RENT_ID,
    SYSTEM_PROGRAM_ID,
    UPGRADEABLE_LOADER_ID,
    find_program_data_pda,
)
from flair_client.errors import AccountInvalid
from flair_client.ids import Address, Digest

BUFFER_HEADER: Final = 37
PROGRAM_SIZE: Final = 36
DATA_HEADER: Final = 45
# What a legacy transaction of one signer has room for beside the rest.
CHUNK: Final = 1000
# A program is not extended by less (SIMD-0431).
LEAST_EXTENSION: Final = 10_240
_KIND_SIZE: Final = 4
_BUFFER: Final = 1
_PROGRAM: Final = 2
_PROGRAM_DATA: Final = 3
_NO_AUTHORITY: Final = b"\0"
_HAS_AUTHORITY: Final = b"\1"


@dataclass(frozen=True, slots=True)
class Buffer:
    """Code on its way to a program.

    Attributes:
        authority: who writes it.
        code: what is there so far, zeros where nothing is.
    """

    authority: Address | None
    code: bytes


@dataclass(frozen=True, slots=True)
class ProgramCode:
    """A program's code on chain.

    Attributes:
        slot: of its last deployment.
        authority: who may upgrade it; None: nobody ever.
        code: with zeros behind it, up to the room that there is.
    """

    slot: int
    authority: Address | None
    code: bytes


def code_digest(code: bytes) -> Digest:
    """Gives the sha-256 of code without the zeros behind it, which are only room."""
    return Digest(hashlib.sha256(code.rstrip(b"\0")).digest())


def read_buffer(raw: RawAccount) -> Buffer:
    """Reads a buffer.

    Raises:
        AccountInvalid: it is none.
    """
    data = _check(raw, _BUFFER, BUFFER_HEADER, "a buffer of the loader")
    return Buffer(_authority(raw, data[4:37]), data[BUFFER_HEADER:])


def read_pointer(raw: RawAccount) -> Address:
    """Gives where a program's code is.

    Raises:
        AccountInvalid: it is no program of the upgradeable loader.
    """
    data = _check(raw, _PROGRAM, PROGRAM_SIZE, "a program of the upgradeable loader")
    return Address(data[4:36])


def read_code(raw: RawAccount) -> ProgramCode:
    """Reads a program's code account.

    Raises:
        AccountInvalid: it is none.
    """
    data = _check(raw, _PROGRAM_DATA, DATA_HEADER, "a program's code")
    slot = int.from_bytes(data[4:12], "little")
    return ProgramCode(slot, _authority(raw, data[12:45]), data[DATA_HEADER:])


def _check(raw: RawAccount, kind: int, size: int, what: str) -> bytes:
    data = raw.data
    is_right = (
        raw.owner == UPGRADEABLE_LOADER_ID
        and len(data) >= size
        and int.from_bytes(data[:_KIND_SIZE], "little") == kind
    )
    if not is_right:
        raise AccountInvalid(raw.address, f"not {what}")
    return data


def _authority(raw: RawAccount, option: bytes) -> Address | None:
    if option[:1] == _NO_AUTHORITY:
        return None
    if option[:1] != _HAS_AUTHORITY:
        raise AccountInvalid(raw.address, "its authority cannot be read")
    return Address(option[1:])


def find_buffer(payer: Address, code: bytes) -> tuple[Address, str]:
    """Gives the address and the seed of a wallet's buffer for exactly this code.

    It follows from both, so that whoever was cut off finds it again.
    """
    seed = hashlib.sha256(code).hexdigest()[:32]
    raw = hashlib.sha256(payer.raw + seed.encode() + UPGRADEABLE_LOADER_ID.raw)
    return Address(raw.digest()), seed


def _loader(kind: int, accounts: tuple[AccountMeta, ...], rest: bytes) -> Instruction:
    data = kind.to_bytes(4, "little") + rest
    return Instruction(UPGRADEABLE_LOADER_ID, accounts, data, f"loader {kind}")


def _meta(address: Address, flags: str = "") -> AccountMeta:
    return AccountMeta(address, is_signer="s" in flags, is_writable="w" in flags)


def buffer_create(payer: Address, code: bytes, lamports: int) -> list[Instruction]:
    """Builds what makes a wallet's buffer; `lamports` must free it of rent."""
    buffer, seed = find_buffer(payer, code)
    text = seed.encode()
    with_seed = (
        (3).to_bytes(4, "little")
        + payer.raw
        + len(text).to_bytes(8, "little")
        + text
        + lamports.to_bytes(8, "little")
        + (BUFFER_HEADER + len(code)).to_bytes(8, "little")
        + UPGRADEABLE_LOADER_ID.raw
    )
    accounts = (_meta(payer, "ws"), _meta(buffer, "w"))
    return [
        Instruction(SYSTEM_PROGRAM_ID, accounts, with_seed, "create with seed"),
        _loader(0, (_meta(buffer, "w"), _meta(payer)), b""),
    ]


def buffer_write(
    buffer: Address, authority: Address, offset: int, part: bytes
) -> Instruction:
    """Builds what writes a part of the code."""
    rest = offset.to_bytes(4, "little") + len(part).to_bytes(8, "little") + part
    return _loader(1, (_meta(buffer, "w"), _meta(authority, "s")), rest)


def program_create(payer: Address, program_id: Address, lamports: int) -> Instruction:
    """Builds what makes a program's account; its key must sign."""
    data = (
        (0).to_bytes(4, "little")
        + lamports.to_bytes(8, "little")
        + PROGRAM_SIZE.to_bytes(8, "little")
        + UPGRADEABLE_LOADER_ID.raw
    )
    accounts = (_meta(payer, "ws"), _meta(program_id, "ws"))
    return Instruction(SYSTEM_PROGRAM_ID, accounts, data, "create account")


def program_deploy(
    payer: Address, program_id: Address, buffer: Address, size: int
) -> Instruction:
    """Builds the first deployment; the payer becomes upgrade authority."""
    accounts = (
        _meta(payer, "ws"),
        _meta(find_program_data_pda(program_id)[0], "w"),
        _meta(program_id, "w"),
        _meta(buffer, "w"),
        _meta(RENT_ID),
        _meta(CLOCK_ID),
        _meta(SYSTEM_PROGRAM_ID),
        _meta(payer, "s"),
    )
    return _loader(2, accounts, size.to_bytes(8, "little"))


def program_upgrade(
    authority: Address, program_id: Address, buffer: Address
) -> Instruction:
    """Builds an upgrade; what the buffer held goes back to the authority."""
    accounts = (
        _meta(find_program_data_pda(program_id)[0], "w"),
        _meta(program_id, "w"),
        _meta(buffer, "w"),
        _meta(authority, "w"),
        _meta(RENT_ID),
        _meta(CLOCK_ID),
        _meta(authority, "s"),
    )
    return _loader(3, accounts, b"")


def program_extend(authority: Address, program_id: Address, more: int) -> Instruction:
    """Builds what gives a program `more` bytes of room; the authority pays."""
    return _loader(
        9, _extending(authority, program_id, "s"), more.to_bytes(4, "little")
    )


def program_extend_unchecked(
    authority: Address, program_id: Address, more: int
) -> Instruction:
    """Builds the same for clusters that do not ask for the authority yet."""
    return _loader(6, _extending(authority, program_id), more.to_bytes(4, "little"))


def _extending(
    authority: Address, program_id: Address, *flags: str
) -> tuple[AccountMeta, ...]:
    return (
        _meta(find_program_data_pda(program_id)[0], "w"),
        _meta(program_id, "w"),
        *(_meta(authority, one) for one in flags),
        _meta(SYSTEM_PROGRAM_ID),
        _meta(authority, "ws"),
    )
