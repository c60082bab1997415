"""The demo's chain: a localnet, or a real node that has the program deployed to it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet, load_wallet
from flair_client.context import Context
from flair_client.demo.sites import wallet_path
from flair_client.localnet import start_localnet
from flair_client.localnet.run import read_program
from flair_client.localnet.validator import PROGRAM, Genesis, Validator, run_validator
from flair_client.porcelain.program import program_init
from flair_client.porcelain.program_deploy import program_deploy
from flair_client.settings import LOCALNET, NetworkProfile
from flair_client.store.memory import MemoryStore

VALIDATOR: Final = "test-validator"
UPGRADE_AUTHORITY: Final = "upgrade-authority"
_LAMPORTS: Final = 10**10


@dataclass(frozen=True, slots=True)
class DemoChain:
    """A chain that answers and has the program on it.

    Attributes:
        name: of its network profile.
        url: of its RPC.
        genesis_hash: in base58.
        folder: what it keeps.
        ws_url: of its WebSocket, where that is not at the RPC's own URL.
    """

    name: str
    url: str
    genesis_hash: str
    folder: Path
    ws_url: str | None = None


@contextmanager
def start_chain(
    folder: Path, validator: Path | None, tell: Callable[[str], None]
) -> Iterator[DemoChain]:
    """Runs the demo's chain for the length of a `with` block.

    Args:
        folder: the demo's.
        validator: the program of a real node; without it a localnet runs.
        tell: hears a line whenever something was done.

    Raises:
        ChainError: it does not start.
        VerificationError: the program on chain is not the one that was sent.
    """
    if validator is None:
        with start_localnet(folder / LOCALNET) as net:
            tell(f"localnet at {net.url}")
            yield DemoChain(LOCALNET, net.url, net.genesis_hash, net.data_dir)
        return
    code = read_program()
    wallet = wallet_path(folder, UPGRADE_AUTHORITY)
    create_wallet(wallet)
    with run_validator(
        validator, folder / "validator", _reserve(folder, wallet, code)
    ) as node:
        tell(f"{PROGRAM} {node.version} at {node.url}")
        _deploy(node, wallet, code, tell)
        yield DemoChain(
            VALIDATOR, node.url, node.genesis_hash, node.folder, node.ws_url
        )


def _reserve(folder: Path, wallet: Path, code: bytes) -> Genesis:
    """Gives a genesis in which the program's address is taken by something else.

    Whoever has the key of an address may deploy to it, and nobody here has it: so the
    address is taken from the first slot on, and what comes there is an upgrade. A node
    starts with programs only that it can load; a byte behind one makes it another.
    """
    other = folder / "reserved.so"
    other.write_bytes(code + b"\1")
    return Genesis(other, wallet)


def _deploy(
    node: Validator, wallet: Path, code: bytes, tell: Callable[[str], None]
) -> None:
    """Puts the program on chain and sets it up, as its upgrade authority."""
    network = NetworkProfile(
        VALIDATOR, node.url, node.genesis_hash, PROGRAM_ID, "memory:"
    )
    rpc = Rpc(node.url, genesis_hash=node.genesis_hash)
    with closing(ChainClient(rpc, PROGRAM_ID)) as chain:
        authority = load_wallet(wallet)
        ctx = Context(network, chain, MemoryStore(), authority)
        chain.wait_for(rpc.request_airdrop(authority.address, _LAMPORTS))
        done = program_deploy(ctx, code)
        tell(f"program {done.program_id}: {done.size:,} bytes by the loader")
        tell(f"sha-256 {done.digest} on chain; upgrade authority {done.authority}")
        program_init(ctx)
