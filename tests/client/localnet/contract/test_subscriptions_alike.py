"""Subscriptions over a WebSocket, asked of the localnet and of a real node alike."""

import json
from itertools import count

import base58
import pytest
from contract_chain import CONFIRMED, SOL, give
from websockets.sync.client import connect

from flair_client.chain.signer import KeypairSigner

WAIT_S = 60


class Socket:
    """A connection that keeps what it is notified of while it waits for answers."""

    def __init__(self, connection):
        self.connection = connection
        self.ids = count(1)
        self.kept = []

    def read(self):
        return json.loads(self.connection.recv(timeout=WAIT_S))

    def body(self, method, *params):
        number = next(self.ids)
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.connection.send(json.dumps(question))
        while (answer := self.read()).get("id") != number:
            self.kept.append(answer)
        return answer

    def ask(self, method, *params):
        answer = self.body(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method, *params):
        return self.body(method, *params)["error"]

    def told(self):
        """The next notification."""
        return self.kept.pop(0) if self.kept else self.read()


def opened(chain):
    return connect(chain.ws_url, proxy=None, open_timeout=WAIT_S)


@pytest.fixture
def socket(chain):
    with opened(chain) as connection:
        yield Socket(connection)


def signature_of(wire):
    return base58.b58encode(wire[1:65]).decode()


def stranger():
    return KeypairSigner.generate().address


def test_a_signature_is_told_once_when_it_is_confirmed(chain, socket, rich):
    wire = chain.sign(rich, give(rich.address, stranger()))
    number = socket.ask("signatureSubscribe", signature_of(wire), CONFIRMED)

    chain.send(wire)
    told = socket.told()

    assert set(told) == {"jsonrpc", "method", "params"}
    assert told["method"] == "signatureNotification"
    assert told["params"]["subscription"] == number
    assert told["params"]["result"]["value"] == {"err": None}
    assert set(told["params"]["result"]["context"]) == {"slot"}
    assert chain.confirm(signature_of(wire))["err"] is None
    # It ended by itself.
    assert socket.error("signatureUnsubscribe", number)["code"] == -32602


def test_a_signature_that_failed_is_told_with_its_error(chain, socket, rich):
    wire = chain.sign(rich, give(rich.address, stranger(), 10**6 * SOL))
    socket.ask("signatureSubscribe", signature_of(wire), CONFIRMED)

    chain.send(wire, skipPreflight=True)
    told = socket.told()

    err = told["params"]["result"]["value"]["err"]
    assert err == {"InstructionError": [0, {"Custom": 1}]}
    assert chain.confirm(signature_of(wire))["err"] == err


def test_a_signature_that_is_confirmed_already_is_told(chain, socket, rich):
    signature = chain.pay(rich, stranger())

    number = socket.ask("signatureSubscribe", signature, CONFIRMED)

    told = socket.told()
    assert told["params"]["subscription"] == number
    assert told["params"]["result"]["value"] == {"err": None}


def test_logs_are_told_of_whoever_is_mentioned(chain, socket, rich):
    wanted = stranger()
    number = socket.ask("logsSubscribe", {"mentions": [str(wanted)]}, CONFIRMED)

    chain.pay(rich, stranger())
    signature = chain.pay(rich, wanted)
    told = socket.told()

    assert told["method"] == "logsNotification"
    assert told["params"]["subscription"] == number
    meta = chain.transaction(signature)["meta"]
    assert told["params"]["result"]["value"] == {
        "signature": signature,
        "err": None,
        "logs": meta["logMessages"],
    }


def test_what_was_unsubscribed_is_told_no_more(chain, socket, rich):
    old, new = stranger(), stranger()
    number = socket.ask("logsSubscribe", {"mentions": [str(old)]}, CONFIRMED)
    assert socket.ask("logsUnsubscribe", number) is True
    other = socket.ask("logsSubscribe", {"mentions": [str(new)]}, CONFIRMED)

    chain.pay(rich, old)
    chain.pay(rich, new)

    assert socket.told()["params"]["subscription"] == other


def test_two_connections_are_told_each_their_own(chain, socket, rich):
    with opened(chain) as connection:
        other = Socket(connection)
        wanted = [stranger(), stranger()]
        for one, address in zip((socket, other), wanted, strict=True):
            one.ask("logsSubscribe", {"mentions": [str(address)]}, CONFIRMED)
        sent = [chain.pay(rich, address) for address in reversed(wanted)]

        found = [one.told()["params"]["result"]["value"] for one in (other, socket)]

    assert [one["signature"] for one in found] == sent


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("signatureSubscribe", ["x"], -32602),
        ("signatureSubscribe", [], -32602),
        ("signatureUnsubscribe", [987_654], -32602),
        ("logsSubscribe", [{"mentions": ["x"]}], -32602),
        ("logsSubscribe", [{"mentions": []}], -32602),
        ("logsSubscribe", [{"mentions": ["1" * 32, "1" * 32]}], -32602),
        ("logsSubscribe", ["some"], -32602),
        ("logsUnsubscribe", [987_654], -32602),
        ("flyToTheMoon", [], -32601),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(socket, method, params, code):
    assert socket.error(method, *params)["code"] == code
