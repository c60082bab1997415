"""What wakes an indexer: notifications, ticks, and WebSockets that are lost."""

import contextlib
import json
import queue
import socket
import threading

import pytest
from websockets.sync.server import serve

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import repo_create
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.localnet import start_localnet
from flair_indexer.notified import Notified, Socket

LONG_S = 600.0
WAIT_S = 60.0
GOOD = '{"jsonrpc":"2.0","id":1,"result":7}'


class WebSockets:
    """A server; each connection is handled by the next of some functions."""

    def __init__(self, *handlers):
        self.handlers = list(handlers)
        self.asked = queue.Queue()
        self.server = serve(self.handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def handle(self, connection):
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        with contextlib.suppress(Exception):
            self.asked.put(json.loads(connection.recv()))
            handler(connection)

    def close(self):
        self.server.shutdown()
        self.thread.join()


@pytest.fixture
def heard():
    return queue.Queue()


@pytest.fixture
def open_with(heard):
    """Gives a wake-up by a server whose connections are handled so."""
    with contextlib.ExitStack() as stack:

        def make(*handlers, url=None):
            if url is None:
                server = WebSockets(*handlers)
                stack.callback(server.close)
                url = server.url
            made = Notified(Socket(url, PROGRAM_ID), heard.put, pause_s=0.0)
            made.server = None if not handlers else server
            stack.callback(made.close)
            return made

        yield make


def returns(wakeup, timeout_s=LONG_S):
    """Whether a wait ends by itself before its time."""
    thread = threading.Thread(target=wakeup.wait, args=(timeout_s,), daemon=True)
    thread.start()
    thread.join(WAIT_S)
    return not thread.is_alive()


def holding(*messages):
    """Subscribes, says these, and keeps the connection until it is closed."""

    def handle(connection):
        connection.send(GOOD)
        for one in messages:
            connection.send(one)
        for _ in connection:
            pass

    return handle


def test_the_program_s_transactions_are_subscribed_to(open_with):
    wakeup = open_with(holding())

    asked = wakeup.server.asked.get(timeout=WAIT_S)

    assert asked["method"] == "logsSubscribe"
    assert asked["params"] == [
        {"mentions": [str(PROGRAM_ID)]},
        {"commitment": "confirmed"},
    ]


def test_a_notification_ends_a_pause(open_with):
    begin = threading.Event()

    def handle(connection):
        connection.send(GOOD)
        begin.wait(WAIT_S)
        connection.send("{}")
        for _ in connection:
            pass

    wakeup = open_with(handle)
    # Once for what came before it was subscribed.
    assert returns(wakeup)

    begin.set()

    assert returns(wakeup)


@pytest.mark.parametrize("messages", [["?"], ["{}"] * 50, [b"\xff\0"]])
def test_what_it_says_does_not_matter(open_with, heard, messages):
    assert returns(open_with(holding(*messages)))
    assert heard.empty()


def test_a_lost_notification_costs_a_tick(open_with):
    wakeup = open_with(holding())
    assert returns(wakeup)

    assert returns(wakeup, 0.01)


def test_where_nobody_listens_it_is_said_once(open_with, heard):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    wakeup = open_with(url=f"ws://127.0.0.1:{port}/?key=secret")

    said = heard.get(timeout=WAIT_S)

    assert "no WebSocket at 127.0.0.1: " in said
    assert said.endswith("looks at every tick")
    assert "secret" not in said
    assert returns(wakeup, 0.01)
    assert heard.empty()


@pytest.mark.parametrize(
    "answer",
    [
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}',
        "[]",
        "?",
        '{"result":true}',
    ],
)
def test_a_node_that_does_not_subscribe_is_told_and_asked_again(
    open_with, heard, answer
):
    wakeup = open_with(lambda connection: connection.send(answer))

    for _ in range(3):
        wakeup.server.asked.get(timeout=WAIT_S)

    assert "no WebSocket at" in heard.get(timeout=WAIT_S)
    assert heard.empty()


def test_one_that_is_lost_is_said_and_so_is_that_it_is_back(open_with, heard):
    def leave(connection):
        connection.send(GOOD)

    wakeup = open_with(leave, holding())

    assert "it was closed" in heard.get(timeout=WAIT_S)
    assert heard.get(timeout=WAIT_S) == "the WebSocket at 127.0.0.1 is back"
    assert returns(wakeup)


def test_a_stop_ends_every_wait(open_with):
    wakeup = open_with(holding())

    wakeup.stop()

    assert returns(wakeup)
    assert returns(wakeup)


def test_a_chain_wakes_it_by_a_transaction_of_the_program(open_with, tmp_path):
    with (
        start_localnet(tmp_path / "net") as net,
        contextlib.closing(ChainClient(Rpc(net.url))) as client,
    ):
        owner = KeypairSigner.generate()
        client.wait_for(client.rpc.request_airdrop(owner.address, 10**9))
        wakeup = open_with(url=net.url.replace("http", "ws", 1))
        assert returns(wakeup)

        client.send(
            [
                repo_create(
                    payer=owner.address,
                    creator=owner.address,
                    name="heart",
                    points_per_merge=1,
                )
            ],
            [owner],
        )

        assert returns(wakeup)
        wakeup.close()
