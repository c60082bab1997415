"""Calls of the program: an instruction with its accounts by name, before it is bytes.

Built from the tables of docs/protocol.md, so that a test can exchange one account, one
flag or one argument.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Self

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from program_harness.protocol import INSTRUCTIONS, PROGRAM_ID, discriminator

SYSTEM_ID: Final = Pubkey.default()
LOADER_ID: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
NOBODY_ID: Final = Pubkey.from_bytes(hashlib.sha256(b"nobody's program").digest())


def find_pda(*seeds: bytes | Pubkey, program: Pubkey = PROGRAM_ID) -> Pubkey:
    """Gives the address for these seeds."""
    return _find(tuple(bytes(seed) for seed in seeds), program)[0]


def find_bump(*seeds: bytes | Pubkey) -> int:
    """Gives the bump for these seeds."""
    return _find(tuple(bytes(seed) for seed in seeds), PROGRAM_ID)[1]


@cache
def _find(seeds: tuple[bytes, ...], program: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address(list(seeds), program)


EVENT_AUTHORITY: Final = find_pda(b"__event_authority")
CONFIG: Final = find_pda(b"config")
PROGRAM_DATA: Final = find_pda(PROGRAM_ID, program=LOADER_ID)


@cache
def address_of(name: str) -> Pubkey:
    """Gives the address of a wallet; the same name is the same wallet."""
    return wallet(name).pubkey()


@cache
def wallet(name: str) -> Keypair:
    """Gives the keypair of somebody, always the same for the same name."""
    return Keypair.from_seed(hashlib.sha256(b"wallet " + name.encode()).digest())


@dataclass(frozen=True, slots=True)
class Call:
    """An instruction with its accounts by name, before it becomes bytes.

    Attributes:
        accounts: by name as in the document; None leaves an optional one out.
        signers: keypairs by account name.
        unsigned, read_only: accounts whose flag is taken away.
        more: accounts behind the table's.
        data: replaces the encoded arguments.
    """

    name: str
    accounts: Mapping[str, Pubkey | None]
    arguments: Mapping[str, Any]
    signers: Mapping[str, Keypair]
    more: tuple[AccountMeta, ...] = ()
    unsigned: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()
    data: bytes | None = None
    truncate: int | None = None

    def with_accounts(self, **accounts: Pubkey | None) -> Self:
        """Exchanges accounts; signers of exchanged accounts stay unless named anew."""
        return replace(self, accounts={**self.accounts, **accounts})

    def with_arguments(self, **arguments: Any) -> Self:
        """Exchanges arguments."""
        return replace(self, arguments={**self.arguments, **arguments})

    def signed_by(self, **signers: Keypair) -> Self:
        """Exchanges signers and their accounts."""
        return replace(
            self,
            accounts={
                **self.accounts,
                **{name: key.pubkey() for name, key in signers.items()},
            },
            signers={**self.signers, **signers},
        )

    @property
    def instruction(self) -> Instruction:
        """The bytes and metas."""
        row = INSTRUCTIONS[self.name]
        metas = []
        for name, flags in row.accounts:
            address = self.accounts[name]
            if address is None:
                metas.append(AccountMeta(PROGRAM_ID, False, False))
                continue
            signs = "s" in flags and name not in self.unsigned
            writes = "w" in flags and name not in self.read_only
            metas.append(AccountMeta(address, signs, writes))
        metas += [
            AccountMeta(self.accounts.get(name, address), False, False)
            for name, address in (
                ("event_authority", EVENT_AUTHORITY),
                ("program", PROGRAM_ID),
            )
        ]
        metas = [*metas, *self.more][: self.truncate]
        encoded = (
            row.arguments.encode(self.arguments) if self.data is None else self.data
        )
        return Instruction(
            PROGRAM_ID, discriminator("global", self.name) + encoded, metas
        )

    @property
    def keys(self) -> list[Keypair]:
        """Who signs, without those whose flag was taken away."""
        return [key for name, key in self.signers.items() if name not in self.unsigned]
