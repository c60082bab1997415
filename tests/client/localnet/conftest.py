"""A localnet without a server, whose wall clock only the test moves on."""

import json

import pytest

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transactions import sign_transaction
from flair_client.localnet.run import open_node
from flair_client.localnet.server import answer_body

SOL = 10**9


class Wall:
    """Milliseconds since 1970, as the test says."""

    def __init__(self):
        self.ms = 1_700_000_000_000

    def __call__(self):
        return self.ms


class Asker:
    """Asks a node as the server does, from bytes to bytes."""

    def __init__(self, node, wall):
        self.node, self.wall = node, wall

    def body(self, method, *params):
        question = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = answer_body(self.node, json.dumps(question).encode())
        assert answer["id"] == 7
        assert answer["jsonrpc"] == "2.0"
        return answer

    def __call__(self, method, *params):
        return self.body(method, *params)["result"]

    def error(self, method, *params):
        return self.body(method, *params)["error"]

    def blockhash(self):
        return self("getLatestBlockhash")["value"]["blockhash"]

    def sign(self, *instructions, signers, blockhash=None):
        return sign_transaction(instructions, signers, blockhash or self.blockhash())

    def fund(self, signer, lamports=10 * SOL):
        return self("requestAirdrop", str(signer.address), lamports)


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def open_asker(tmp_path, wall):
    """Opens the folder's chain for the length of a `with` block."""
    import contextlib

    @contextlib.contextmanager
    def opened(folder=tmp_path / "net", **settings):
        with open_node(folder, wall_ms=wall, **settings) as node:
            yield Asker(node, wall)

    return opened


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """A chain that all tests of a module share, with an account of some money."""
    wall = Wall()
    with open_node(tmp_path_factory.mktemp("net"), wall_ms=wall) as node:
        yield Asker(node, wall)


@pytest.fixture(scope="module")
def rich(ask):
    signer = KeypairSigner(b"\x21" * 32)
    ask.fund(signer)
    return signer


@pytest.fixture(scope="session")
def program_id():
    return str(PROGRAM_ID)
