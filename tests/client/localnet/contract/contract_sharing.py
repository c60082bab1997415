"""One validator for all processes of a test run."""

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from filelock import FileLock

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import config_create
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet, load_wallet
from flair_client.ids import Address, Digest
from flair_client.localnet.validator import Genesis, run_validator

_WAIT_S = 600


@dataclass(frozen=True)
class Shared:
    """A node, and the wallet that may upgrade the program on it."""

    url: str
    authority: Path


@contextlib.contextmanager
def share(binary, tmp_path_factory):
    """The first process that asks starts the node, and ends it after the last.

    A process may come to these tests when all others are through: it is a first one.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = (
        tmp_path_factory.mktemp("validator")
        if run is None
        else Path(tempfile.gettempdir()) / f"flair-contract-{run}"
    )
    folder.mkdir(exist_ok=True, mode=0o700)
    lock, state = FileLock(folder / "lock"), folder / "state.json"
    with contextlib.ExitStack() as held:
        with lock:
            found = json.loads(state.read_text()) if state.exists() else None
            started = found is None
            if started:
                own = Path(tempfile.mkdtemp(dir=folder, prefix="node-"))
                found = _start(held, binary, own)
            _write(state, found, found["users"] + 1)
        try:
            yield Shared(found["url"], Path(found["authority"]))
        finally:
            with lock:
                found = json.loads(state.read_text())
                _write(state, found, found["users"] - 1)
            if started:
                _wait_alone(lock, state)


def _start(held, binary, folder):
    authority = folder / "authority.json"
    create_wallet(authority)
    program = held.enter_context(
        as_file(files("flair_client.chain").joinpath("flair.so"))
    )
    node = held.enter_context(
        run_validator(binary, folder / "ledger", Genesis(program, authority))
    )
    _set_up(node, load_wallet(authority))
    found = {"url": node.url, "authority": str(authority)}
    return {**found, "users": 0}


def _set_up(node, authority):
    """Makes the program's Config, as its upgrade authority."""
    with contextlib.closing(ChainClient(Rpc(node.url))) as client:
        client.wait_for(client.rpc.request_airdrop(authority.address, 10**9))
        genesis_tag = Digest(Address.parse(node.genesis_hash).raw)
        admin = authority.address
        client.send(
            [config_create(admin=admin, treasury=admin, genesis_tag=genesis_tag)],
            [authority],
        )


def _write(state, found, n_users):
    state.write_text(json.dumps({**found, "users": n_users}))


def _wait_alone(lock, state):
    ends = time.monotonic() + _WAIT_S
    while time.monotonic() < ends:
        with lock:
            if json.loads(state.read_text())["users"] == 0:
                # Whoever asks later starts another one.
                state.unlink()
                return
        time.sleep(0.1)
