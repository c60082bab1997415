"""Starts what answers as a chain: `solana-test-validator`, or the localnet."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.localnet import start_localnet
from flair_client.localnet import validator as real
from flair_client.localnet.validator import Genesis

BINARY = real.PROGRAM
SETTING = "FLAIR_TEST_VALIDATOR"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that answers.

    Attributes:
        name: of the profile.
        url: of its RPC.
        genesis_hash: in base58.
        version: of the node's software.
        upgrade_authority: wallet that may set the program up; None: it is set up.
        seconds_to_start: until it answered.
    """

    name: str
    url: str
    genesis_hash: str
    version: str
    upgrade_authority: Path | None
    seconds_to_start: float


def find_validator() -> Path | None:
    """Gives the validator that the environment names, on the path, or installed."""
    return real.find_validator(os.environ.get(SETTING))


@contextlib.contextmanager
def run_validator(binary: Path, folder: Path) -> Iterator[Chain]:
    """Runs a validator with Flair's program on it for the length of a `with` block."""
    folder.mkdir(parents=True)
    authority = folder / "upgrade-authority.json"
    create_wallet(authority)
    with (
        as_file(files("flair_client.chain").joinpath("flair.so")) as program,
        real.run_validator(
            binary, folder / "ledger", Genesis(program, authority)
        ) as node,
    ):
        yield Chain(
            name="test-validator",
            url=node.url,
            genesis_hash=node.genesis_hash,
            version=node.version,
            upgrade_authority=authority,
            seconds_to_start=node.seconds_to_start,
        )


@contextlib.contextmanager
def run_localnet(folder: Path) -> Iterator[Chain]:
    """Runs a localnet for the length of a `with` block."""
    begun = time.monotonic()
    with (
        start_localnet(folder / "chain") as net,
        contextlib.closing(Rpc(net.url)) as rpc,
    ):
        yield Chain(
            name="localnet",
            url=net.url,
            genesis_hash=net.genesis_hash,
            version=rpc.get_version(),
            upgrade_authority=None,
            seconds_to_start=time.monotonic() - begun,
        )
