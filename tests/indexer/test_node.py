"""A node over real sockets that stalls, refuses and repeats itself."""

import contextlib
import json
import socket
import threading

import pytest
from indexer_world import Clock, copy_tables

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.transport import Patience
from flair_client.errors import RpcUnavailable
from flair_indexer.db import open_database
from flair_indexer.decode import signature_text
from flair_indexer.run import Indexer, backfill
from flair_indexer.scripted import GENESIS_HASH, ScriptedChain
from flair_indexer.scripted import ScriptedSource as Script
from flair_indexer.scripted_rounds import RoundScript
from flair_indexer.source import RpcSource


class Node:
    """Answers as a node does, from a scripted chain; may misbehave before that.

    `faults`: each taken by the next connection: bytes instead of an answer, or None for
    a connection that stays silent.
    """

    def __init__(self, chain):
        self.script = Script(chain)
        self.faults = []
        self.held = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                body = read_body(connection)
                if self.faults:
                    fault = self.faults.pop(0)
                    if fault is None:
                        self.held.append(connection)
                        continue
                    connection.sendall(fault)
                else:
                    connection.sendall(framed(self.answer(json.loads(body))))
                connection.close()

    def answer(self, asked):
        if isinstance(asked, list):
            return [self.one(one) for one in asked]
        return self.one(asked)

    def one(self, asked):
        result = self.result(asked["method"], asked["params"])
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    def result(self, method, params):
        match method:
            case "getGenesisHash":
                return GENESIS_HASH
            case "getSlot":
                return self.script.slot(params[0]["commitment"])
            case "getTransaction":
                return self.script.transactions([params[0]])[0]
            case "getSignaturesForAddress":
                return self.listed(params[1])
            case "getSignatureStatuses":
                return self.with_context(
                    [
                        one
                        and {
                            "slot": one.slot,
                            "err": None,
                            "confirmationStatus": level(one.is_final),
                        }
                        for one in self.script.statuses(params[0])
                    ]
                )
            case "getAccountInfo":
                return self.with_context(None)
        raise AssertionError(method)

    def listed(self, options):
        page = self.script.signatures(
            PROGRAM_ID,
            before=options.get("before"),
            until=options.get("until"),
            limit=options["limit"],
        )
        return [
            {
                "signature": one.signature,
                "slot": one.slot,
                "err": None,
                "confirmationStatus": level(one.is_final),
            }
            for one in page
        ]

    def with_context(self, value):
        return {"context": {"slot": self.script.chain.slot}, "value": value}

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.held:
            connection.close()


def level(is_final):
    return "finalized" if is_final else "confirmed"


def framed(answer):
    body = json.dumps(answer).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def read_body(connection):
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65_536)
    head, _, body = text.partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return body


@pytest.fixture
def node():
    chain = ScriptedChain()
    repo = chain.repo("heart")
    script = RoundScript(chain, repo, repo.creator)
    script.begin()
    script.play(3)
    made = Node(chain)
    yield made
    made.close()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def indexer(node, slept, tmp_path):
    url = f"sqlite:///{tmp_path / 'i.sqlite'}"
    copy_tables(url)
    patience = Patience(timeout_s=0.3, attempts=3, backoff_s=0.0)
    rpc = Rpc(node.url, patience=patience, sleep=slept.append)
    made = Indexer(
        open_database(url), RpcSource(rpc, PROGRAM_ID), PROGRAM_ID, clock=Clock()
    )
    yield made
    made.end()
    made.database.close()
    made.source.close()


# A repository, a branch and its root; a round of three updates.
N_EVENTS = 3 + 8
TOO_MANY = b"HTTP/1.1 429 Too Many\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n"


def count(indexer):
    from flair_indexer import queries

    return queries.progress(indexer.database).n_events


def test_a_node_that_has_had_enough_is_left_alone(node, indexer, slept):
    node.faults += [TOO_MANY, TOO_MANY]

    backfill(indexer)

    assert count(indexer) == N_EVENTS
    assert slept == [2.0, 2.0]


def test_a_node_that_stalls_is_asked_again(node, indexer):
    node.faults += [None]

    backfill(indexer)

    assert count(indexer) == N_EVENTS


@pytest.mark.parametrize("n_before", range(8))
def test_a_node_that_goes_away_at_any_question_costs_a_look(node, indexer, n_before):
    answered = []
    answer = node.answer

    def then_away(asked):
        answered.append(asked)
        if len(answered) == n_before + 1:
            node.faults += [b""] * 3
        return answer(asked)

    node.answer = then_away
    for _ in range(2):
        with contextlib.suppress(RpcUnavailable):
            backfill(indexer)
    backfill(indexer)

    assert count(indexer) == N_EVENTS


def test_a_node_that_answers_with_another_transaction_is_not_believed(node, indexer):
    other = signature_text(bytes(64))
    result = node.result

    def swapped(method, params):
        found = result(method, params)
        if method == "getTransaction":
            found["transaction"]["signatures"] = [other]
        return found

    node.result = swapped

    with pytest.raises(RpcUnavailable, match="another transaction"):
        backfill(indexer)
    node.result = result
    backfill(indexer)
    assert count(indexer) == N_EVENTS


@pytest.mark.parametrize(
    "entry",
    [
        {"signature": "0OIl", "slot": 1},
        {"signature": "1" * 64, "slot": -1},
        {"signature": 7, "slot": 1},
        {"slot": 1},
        7,
    ],
)
def test_a_listing_that_is_none_is_no_answer(node, indexer, entry):
    result = node.result
    node.result = lambda method, params: (
        [entry] if method == "getSignaturesForAddress" else result(method, params)
    )

    with pytest.raises(RpcUnavailable, match="no valid"):
        indexer.step()
