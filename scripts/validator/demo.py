"""The demo, with a validator where its localnet would be."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import config_create
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import load_wallet
from flair_client.demo import run as demo
from flair_client.ids import Address, Digest
from flair_client.localnet import Localnet
from validator import nodes

_LAMPORTS = 10**9


def run_demo(binary: Path, folder: Path, *, verbose: bool) -> dict[str, Any]:
    """Runs the demo on a validator; gives what came out."""

    @contextlib.contextmanager
    def start(data_dir: Path) -> Iterator[Localnet]:
        with nodes.run_validator(binary, folder / "validator") as chain:
            set_up(chain)
            yield Localnet(chain.url, chain.genesis_hash, os.getpid(), data_dir)

    # The demo's only way to a chain; everything else in it is as for its users.
    demo.start_localnet = start  # type: ignore[assignment, attr-defined]
    begun = time.monotonic()
    plan = demo.DemoPlan("breast-cancer", None, folder / "demo")
    outcome = demo.run_demo(plan, _say if verbose else _keep_quiet)
    return {
        "head": outcome.head,
        "federated_auc": outcome.federated[-1].auc,
        "seconds": round(time.monotonic() - begun, 1),
    }


def set_up(chain: nodes.Chain) -> None:
    """Makes the program's Config, as its upgrade authority."""
    if chain.upgrade_authority is None:
        return
    authority = load_wallet(chain.upgrade_authority)
    with contextlib.closing(ChainClient(Rpc(chain.url))) as client:
        client.wait_for(client.rpc.request_airdrop(authority.address, _LAMPORTS))
        instruction = config_create(
            admin=authority.address,
            treasury=authority.address,
            genesis_tag=Digest(Address.parse(chain.genesis_hash).raw),
            fee_bps=0,
        )
        client.send([instruction], [authority])


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _keep_quiet(_line: str) -> None:
    pass
