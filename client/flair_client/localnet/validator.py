"""A `solana-test-validator` of one's own: finds the program and runs it.

A real node with a chain that begins at its start, on this machine alone, on ports that
nobody else uses.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.transport import Patience
from flair_client.errors import ChainError, ValidatorMissing
from flair_client.own_node import find_program, place_looked_at, stop

PROGRAM: Final = "solana-test-validator"
# Above the cluster's own, so that no transaction is forgotten while it runs.
LEDGER_SHREDS: Final = 1_000_000
_START_S: Final = 120.0
_POLL_S: Final = 0.1
_LAST_WORDS: Final = 600
# Below the ports that systems give out by themselves.
_PORTS: Final = range(20_000, 32_000, 100)
_N_PORTS: Final = 64
# After RPC, WebSocket, faucet and gossip.
_FIRST_DYNAMIC: Final = 4


@dataclass(frozen=True, slots=True)
class Genesis:
    """A program that is there from the first slot.

    Attributes:
        program: the file of its code.
        authority: the wallet file of who may upgrade it.
    """

    program: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Validator:
    """A node that answers.

    Attributes:
        url: of its RPC.
        ws_url: of its WebSocket.
        genesis_hash: of its chain, in base58.
        version: of its software.
        folder: its ledger; beside it the log.
        process: the node.
        seconds_to_start: until it answered.
    """

    url: str
    ws_url: str
    genesis_hash: str
    version: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    seconds_to_start: float


def find_validator(named: str | None = None) -> Path | None:
    """Gives the program, as `find_program`."""
    return find_program(PROGRAM, named)


def require_validator(named: str | None = None) -> Path:
    """Gives the program, as `find_validator`.

    Raises:
        ValidatorMissing: it is not there.
    """
    found = find_validator(named)
    if found is None:
        where = place_looked_at(PROGRAM, named)
        raise ValidatorMissing(f"this needs a real node, and there is no {where}")
    return found


@contextlib.contextmanager
def run_validator(
    binary: Path, folder: Path, genesis: Genesis | None = None
) -> Iterator[Validator]:
    """Runs a node with a new chain for the length of a `with` block.

    Args:
        binary: the program.
        folder: takes the ledger; what an earlier run left there goes.
        genesis: puts Flair's program on the chain from the start; without it nobody
            has deployed it yet.

    Raises:
        ChainError: it does not start; carries its last words.
    """
    log = folder.with_name(f"{folder.name}.log")
    folder.parent.mkdir(parents=True, exist_ok=True)
    port = free_ports()
    begun = time.monotonic()
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 (a program that the user named, no shell)
            _command(binary, folder, port, genesis),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield _wait_for(process, folder, log, port, begun)
        finally:
            stop(process)


def _command(
    binary: Path, folder: Path, port: int, genesis: Genesis | None
) -> list[str]:
    last = port + _N_PORTS
    command = [str(binary), "--bind-address", "127.0.0.1", "--quiet", "--reset"]
    command += ["--ledger", str(folder), "--limit-ledger-size", str(LEDGER_SHREDS)]
    # The WebSocket takes the port after the RPC's.
    command += ["--rpc-port", str(port), "--faucet-port", str(port + 2)]
    command += ["--gossip-port", str(port + 3)]
    command += ["--dynamic-port-range", f"{port + _FIRST_DYNAMIC}-{last}"]
    if genesis is not None:
        command += ["--upgradeable-program", str(PROGRAM_ID)]
        command += [str(genesis.program), str(genesis.authority)]
    return command


def free_ports() -> int:
    """Gives a port from which on 64 are free, as far as a look can tell.

    Raises:
        ChainError: there are none.
    """
    # Two that start at the same time look in different places first.
    skipped = os.getpid() % len(_PORTS)
    order: list[int] = [*_PORTS[skipped:], *_PORTS[:skipped]]
    for base in order:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(base, base + _N_PORTS):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    one = held.enter_context(socket.socket(socket.AF_INET, kind))
                    one.bind(("127.0.0.1", port))
            return base
    raise ChainError("no free ports")


def _wait_for(
    process: "subprocess.Popen[bytes]", folder: Path, log: Path, port: int, begun: float
) -> Validator:
    url = f"http://127.0.0.1:{port}"
    rpc = Rpc(url, patience=Patience(timeout_s=5, attempts=1))
    ends = begun + _START_S
    with contextlib.closing(rpc):
        while time.monotonic() < ends:
            if process.poll() is not None:
                raise ChainError(f"{PROGRAM} ended: {_last_words(log)}")
            with contextlib.suppress(ChainError):
                # The first blocks are there, not only the server.
                if rpc.get_health() and rpc.get_block_height() > 0:
                    return Validator(
                        url=url,
                        ws_url=f"ws://127.0.0.1:{port + 1}",
                        genesis_hash=rpc.get_genesis_hash(),
                        version=rpc.get_version(),
                        folder=folder,
                        process=process,
                        seconds_to_start=time.monotonic() - begun,
                    )
            time.sleep(_POLL_S)
    raise ChainError(f"{PROGRAM} did not answer within {_START_S:g} s")


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-_LAST_WORDS:]
