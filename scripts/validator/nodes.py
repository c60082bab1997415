"""Starts what answers as a chain: `solana-test-validator`, or the localnet."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.chain.transport import Patience
from flair_client.errors import ChainError
from flair_client.localnet import start_localnet

BINARY = "solana-test-validator"
SETTING = "FLAIR_TEST_VALIDATOR"
START_S = 120
# Above the cluster's own, so that no transaction of the line is forgotten.
LEDGER_SHREDS = 1_000_000


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
    """Gives the validator that the environment names or that is on the path."""
    found = os.environ.get(SETTING) or shutil.which(BINARY)
    return Path(found) if found else None


@contextlib.contextmanager
def run_validator(binary: Path, folder: Path) -> Iterator[Chain]:
    """Runs a validator with Flair's program on it for the length of a `with` block."""
    folder.mkdir(parents=True)
    authority = folder / "upgrade-authority.json"
    create_wallet(authority)
    port = _free_ports()
    command = [str(binary), "--bind-address", "127.0.0.1", "--quiet", "--reset"]
    command += ["--ledger", str(folder / "ledger")]
    command += ["--limit-ledger-size", str(LEDGER_SHREDS)]
    command += ["--rpc-port", str(port), "--faucet-port", str(port + 2)]
    command += ["--gossip-port", str(port + 3)]
    command += ["--dynamic-port-range", f"{port + 4}-{port + 64}"]
    with _packaged_program() as program:
        command += ["--upgradeable-program", str(PROGRAM_ID), str(program)]
        command.append(str(authority))
        log = (folder / "validator.log").open("w")
        begun = time.monotonic()
        with log, subprocess.Popen(command, stdout=log, stderr=log) as child:
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(url, child, folder / "validator.log")
                yield _describe("test-validator", url, authority, begun)
            finally:
                child.terminate()
                try:
                    child.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    child.kill()


@contextlib.contextmanager
def run_localnet(folder: Path) -> Iterator[Chain]:
    """Runs a localnet for the length of a `with` block."""
    begun = time.monotonic()
    with start_localnet(folder / "chain") as net:
        yield _describe("localnet", net.url, None, begun)


def _packaged_program() -> contextlib.AbstractContextManager[Path]:
    from importlib.resources import as_file

    return as_file(files("flair_client.chain").joinpath("flair.so"))


def _free_ports() -> int:
    """Gives a port from which on 64 are free, as far as a look can tell."""
    for base in range(21_000, 32_000, 100):
        with contextlib.ExitStack() as held:
            try:
                for port in (base, base + 1, base + 2, base + 3, base + 4, base + 5):
                    one = held.enter_context(socket.socket())
                    one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise ChainError("no free ports")


def _wait(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    rpc = Rpc(url, patience=Patience(timeout_s=5, attempts=1))
    ends = time.monotonic() + START_S
    with contextlib.closing(rpc):
        while time.monotonic() < ends:
            if child.poll() is not None:
                raise ChainError(f"{BINARY} ended: {log.read_text()[-500:]}")
            with contextlib.suppress(ChainError):
                # The first blocks are there, not only the server.
                if rpc.get_health() and rpc.get_block_height() > 0:
                    return
            time.sleep(0.2)
    raise ChainError(f"{BINARY} did not answer within {START_S} s")


def _describe(name: str, url: str, authority: Path | None, begun: float) -> Chain:
    with contextlib.closing(Rpc(url)) as rpc:
        return Chain(
            name=name,
            url=url,
            genesis_hash=rpc.get_genesis_hash(),
            version=rpc.get_version(),
            upgrade_authority=authority,
            seconds_to_start=time.monotonic() - begun,
        )
