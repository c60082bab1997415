"""The first start of a localnet, and what every later start checks again.

A genesis hash of its own, a faucet, the program with an upgrade authority, and the
program's Config.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import base58
from solders.hash import Hash
from solders.transaction import VersionedTransaction

from flair_client.chain.accounts import RawAccount
from flair_client.chain.errors import transaction_error
from flair_client.chain.instructions import config_create
from flair_client.chain.pdas import (
    PROGRAM_ID,
    SYSTEM_PROGRAM_ID,
    UPGRADEABLE_LOADER_ID,
    find_config_pda,
    find_program_data_pda,
)
from flair_client.chain.signer import KeypairSigner, create_wallet, load_wallet
from flair_client.chain.transactions import sign_transaction
from flair_client.errors import ChainError
from flair_client.ids import Address, Digest
from flair_client.localnet.bank import LAMPORTS_PER_BYTE, Bank
from flair_client.localnet.clock import Moment
from flair_client.localnet.ledger import Ledger

# A public cluster's genesis hash is a sha256; none begins with this.
GENESIS_PREFIX: Final = b"flair-localnet\0\0"
PUBLIC_GENESIS_HASHES: Final = (
    "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",  # mainnet
    "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",  # devnet
    "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY",  # testnet
)
SOL: Final = 1_000_000_000
_FAUCET_SOL: Final = 500_000_000
_OPERATOR_SOL: Final = 1_000
_ACCOUNT_OVERHEAD: Final = 128
# Kinds of account of the upgradeable loader.
_PROGRAM: Final = (2).to_bytes(4, "little")
_PROGRAM_DATA: Final = (3).to_bytes(4, "little")
_HAS_AUTHORITY: Final = b"\1"


@dataclass(frozen=True, slots=True)
class Wallets:
    """The wallets that belong to a localnet itself."""

    operator: KeypairSigner
    faucet: KeypairSigner


def open_wallets(folder: Path) -> Wallets:
    """Reads the operator's and the faucet's wallet; makes them at the first start.

    Raises:
        WalletError: one cannot be used.
    """
    return Wallets(
        operator=_open_wallet(folder / "operator.json"),
        faucet=_open_wallet(folder / "faucet.json"),
    )


def _open_wallet(path: Path) -> KeypairSigner:
    return load_wallet(path) if path.exists() else create_wallet(path)


def ensure_genesis(ledger: Ledger, wallets: Wallets, now: Moment) -> bytes:
    """Gives the genesis hash; writes the genesis if there is none yet.

    Raises:
        ChainError: the ledger belongs to another kind of chain.
    """
    found = ledger.meta("genesis_hash")
    if found is not None:
        check_genesis(found)
        return found
    genesis_hash = GENESIS_PREFIX + os.urandom(32 - len(GENESIS_PREFIX))
    accounts = {
        wallet.address: RawAccount(
            wallet.address, SYSTEM_PROGRAM_ID, n_sol * SOL, b"", executable=False
        )
        for wallet, n_sol in (
            (wallets.operator, _OPERATOR_SOL),
            (wallets.faucet, _FAUCET_SOL),
        )
    }
    meta = {"genesis_hash": genesis_hash, "genesis_ms": b"%d" % now.unix_ms}
    ledger.begin_chain(meta, accounts)
    return genesis_hash


def check_genesis(genesis_hash: bytes) -> None:
    """Refuses a chain that is not a localnet.

    Raises:
        ChainError: the hash is a public cluster's, or none that a localnet makes.
    """
    text = base58.b58encode(genesis_hash).decode()
    if text in PUBLIC_GENESIS_HASHES:
        raise ChainError(f"a localnet cannot carry the public genesis hash {text}")
    if len(genesis_hash) != 32 or not genesis_hash.startswith(GENESIS_PREFIX):
        raise ChainError(f"{text} is not the genesis hash of a localnet")


def genesis_moment(ledger: Ledger) -> Moment:
    """Gives slot 0 and the time of the first start."""
    return Moment(0, int(ledger.meta("genesis_ms") or b"0"))


def newest_moment(ledger: Ledger) -> Moment:
    """Gives the newest moment on disk: the last transaction's, or the genesis."""
    return ledger.newest() or genesis_moment(ledger)


def ensure_program(ledger: Ledger, elf: bytes, authority: Address, slot: int) -> bool:
    """Puts the program into the ledger if it is not there yet, or another version.

    Tells whether anything was written. Must come before the bank loads the ledger.
    """
    program_data = find_program_data_pda()[0]
    digest = hashlib.sha256(elf).digest()
    if ledger.meta("program_digest") == digest:
        return False
    data = (
        _PROGRAM_DATA
        + slot.to_bytes(8, "little")
        + _HAS_AUTHORITY
        + authority.raw
        + elf
    )
    program = _PROGRAM + program_data.raw
    ledger.write_accounts(
        {
            program_data: _loader_account(program_data, data, executable=False),
            PROGRAM_ID: _loader_account(PROGRAM_ID, program, executable=True),
        },
        {"program_digest": digest},
    )
    return True


def _loader_account(address: Address, data: bytes, *, executable: bool) -> RawAccount:
    lamports = (_ACCOUNT_OVERHEAD + len(data)) * LAMPORTS_PER_BYTE
    return RawAccount(
        address, UPGRADEABLE_LOADER_ID, lamports, data, executable=executable
    )


def ensure_config(bank: Bank, operator: KeypairSigner, genesis_hash: bytes) -> None:
    """Makes the program's Config if there is none yet, by an ordinary transaction.

    Raises:
        ProgramRefused: the program refused; it is not the one expected.
    """
    if bank.account(find_config_pda()[0]) is not None:
        return
    instruction = config_create(
        admin=operator.address,
        treasury=operator.address,
        genesis_tag=Digest(genesis_hash),
    )
    slot = bank.clock.now().slot
    signed = sign_transaction(
        [instruction],
        [operator],
        str(Hash.from_bytes(bank.blockhashes.of_slot(slot))),
    )
    done = bank.process(VersionedTransaction.from_bytes(signed.wire))
    if done.err is not None:
        raise transaction_error(done.err)
