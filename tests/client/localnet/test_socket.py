"""Who may open a WebSocket to a localnet, and what a connection may not do."""

import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from flair_client.localnet import start_localnet

PAGE = "http://page.example"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with start_localnet(tmp_path_factory.mktemp("net"), origins=[PAGE]) as net:
        yield net.url.replace("http://", "ws://")


def opened(url, **settings):
    return connect(url, proxy=None, open_timeout=30, **settings)


def test_a_web_page_that_was_allowed_may_subscribe(url):
    with opened(url, origin=PAGE) as opening:
        opening.send(
            '{"jsonrpc":"2.0","id":1,"method":"logsSubscribe","params":["all"]}'
        )
        assert type(json.loads(opening.recv(timeout=30))["result"]) is int


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}]
)
def test_other_web_pages_may_not(url, headers):
    with pytest.raises(InvalidStatus, match="403"):
        opened(url, **headers)


def test_another_name_of_this_machine_is_refused(url):
    port = url.rpartition(":")[2]

    near = socket.create_connection(("127.0.0.1", int(port)))
    with pytest.raises(InvalidStatus, match="403"):
        opened(f"ws://evil.example:{port}/", sock=near)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"x"', b"\xff", "[" * 10_000])
def test_what_is_no_request_is_told_so(url, text):
    with opened(url) as opening:
        opening.send(text)
        assert json.loads(opening.recv(timeout=30))["error"]["code"] == -32700


def test_a_message_that_is_too_long_ends_the_connection(url):
    with opened(url) as opening:
        opening.send("x" * 300_000)
        with pytest.raises(ConnectionClosed):
            opening.recv(timeout=30)


def test_subscriptions_are_counted(url):
    asked = '{"jsonrpc":"2.0","id":1,"method":"logsSubscribe","params":["all"]}'
    with opened(url) as opening:
        for _ in range(1000):
            opening.send(asked)
            assert "result" in json.loads(opening.recv(timeout=30))
        opening.send(asked)
        error = json.loads(opening.recv(timeout=30))["error"]
    assert error["message"] == "too many subscriptions"
