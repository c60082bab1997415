"""A node that answers from a script, and a clock that only sleeping moves on."""

import base64
import json
import sys
from pathlib import Path

import httpx
import pytest

from flair_client.chain.instructions import repo_create
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transport import Patience
from flair_client.ids import Address

sys.path[:0] = [str(Path(__file__).parent)]
GENESIS = str(Address(b"\x31" * 32))
URL = "http://127.0.0.1:8899"


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self):
        self.seconds = 0.0
        self.slept = []

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


class FakeNode:
    """Answers each method by its script: a value, an exception, or a function.

    A tuple is used up one after the other; its last one goes on for ever. A function is
    given the parameters. An httpx.Response is sent as it is; bytes are the body.
    """

    def __init__(self):
        self.script = {"getGenesisHash": GENESIS}
        self.asked = []

    @staticmethod
    def refusal(code, message="no", **more):
        return Refusal(code, message, **more)

    @staticmethod
    def framed(value):
        return {"context": {"slot": 7}, "value": value}

    @staticmethod
    def account(data, owner, /, **changes):
        shown = {
            "data": [base64.b64encode(data).decode(), "base64"],
            "executable": False,
            "lamports": 5,
            "owner": str(owner),
            "rentEpoch": 2**64 - 1,
            "space": len(data),
        }
        return shown | changes

    def count(self, method):
        return sum(one == method for one, _ in self.asked)

    def handle(self, request):
        assert request.headers["content-type"] == "application/json"
        question = json.loads(request.content)
        method, params = question["method"], question["params"]
        nth = self.count(method)
        self.asked.append((method, params))
        planned = self.script[method]
        if isinstance(planned, tuple):
            planned = planned[min(nth, len(planned) - 1)]
        if callable(planned):
            planned = planned(*params)
        if isinstance(planned, Exception):
            raise planned
        if isinstance(planned, httpx.Response):
            return planned
        if isinstance(planned, bytes):
            return _stream(planned)
        key = "error" if isinstance(planned, Refusal) else "result"
        envelope = {"jsonrpc": "2.0", "id": question["id"], key: planned}
        return _stream(json.dumps(envelope).encode())


def _stream(body):
    # As from a socket: in pieces, to be read once.
    size = 1000
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return httpx.Response(200, content=parts)


class Refusal(dict):
    """A JSON-RPC error to answer with."""

    def __init__(self, code, message="no", **more):
        super().__init__(code=code, message=message, **more)


@pytest.fixture
def node():
    return FakeNode()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_rpc(node, clock):
    made = []

    def make(*, http=None, patience=None, **settings):
        rpc = Rpc(
            URL,
            http=http or httpx.MockTransport(node.handle),
            patience=patience or Patience(attempts=3, backoff_s=0.5),
            sleep=clock.sleep,
            **settings,
        )
        made.append(rpc)
        return rpc

    yield make
    for rpc in made:
        rpc.close()


@pytest.fixture
def rpc(make_rpc):
    return make_rpc()


@pytest.fixture
def signer():
    return KeypairSigner(b"\7" * 32)


@pytest.fixture
def instruction(signer):
    """One that a transaction may be made of."""
    return repo_create(
        payer=signer.address, creator=signer.address, name="heart", points_per_merge=1
    )
