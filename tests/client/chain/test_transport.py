"""Requests over real sockets: late, cut off, and past a proxy."""

import contextlib
import json
import socket
import ssl
import threading

import pytest

from flair_client.chain.transport import Patience, Transport
from flair_client.errors import RpcRefused, RpcUnavailable

EMPTY = b"content-length: 0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class Server:
    """Answers each connection with the next of some bytes; None: never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.answers = []
        self.requests = []
        self.held = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.requests.append(_read_request(connection))
                answer = self.answers.pop(0)
                if answer is None:
                    self.held.append(connection)
                    continue
                connection.sendall(answer)
                connection.close()

    def close(self):
        # A thread that waits in accept() wakes up by a shutdown, not by a close.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.held:
            connection.close()


def _read_request(connection):
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
    return json.loads(body)


def good(request_id, result=12):
    body = json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode()
    return HEAD + b"content-length: %d\r\n\r\n%s" % (len(body), body)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def transport(server, clock):
    made = Transport(
        server.url,
        patience=Patience(timeout_s=1.0, attempts=2, backoff_s=0.1),
        sleep=clock.sleep,
    )
    yield made
    made.close()


@pytest.mark.parametrize(
    "fault",
    [
        None,
        b"",
        b"HTTP/1.1 200",
        HEAD + b"content-length: 900\r\n\r\n" + b'{"jsonrpc":',
        HEAD + b'transfer-encoding: chunked\r\n\r\n5\r\n{"id',
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 429 Too Many\r\nretry-after: 0\r\n" + EMPTY,
        b"HTTP/1.1 503 Busy\r\n" + EMPTY,
    ],
    ids=["late", "gone", "cut-head", "cut-body", "cut-chunk", "other", "429", "503"],
)
def test_a_faulty_connection_is_made_anew(server, transport, clock, fault):
    server.answers = [fault, good(2)]

    assert transport.ask("getSlot", []) == 12
    assert [one["method"] for one in server.requests] == ["getSlot"] * 2
    assert clock.slept == [0.1]


def test_a_server_that_never_answers_is_given_up(server, transport):
    server.answers = [None, None]

    with pytest.raises(RpcUnavailable, match="did not answer in time"):
        transport.ask("getSlot", [])


def test_a_port_where_nobody_listens_is_told(server, clock):
    with (
        contextlib.closing(
            Transport(
                "http://127.0.0.1:9",
                patience=Patience(attempts=2),
                sleep=clock.sleep,
            )
        ) as lost,
        pytest.raises(RpcUnavailable, match="cannot be reached"),
    ):
        lost.ask("getSlot", [])


def test_a_redirect_is_not_followed(server, transport):
    server.answers = [
        b"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:9/\r\n" + EMPTY
    ]

    with pytest.raises(RpcUnavailable, match="status 307"):
        transport.ask("getSlot", [])


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_this_machine_is_asked_past_any_proxy(server, monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answers = [good(1)]

    with contextlib.closing(Transport(server.url, patience=Patience())) as direct:
        assert direct.ask("getSlot", []) == 12


def test_others_are_asked_through_the_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers = [good(1)]

    with contextlib.closing(
        Transport("http://rpc.example", patience=Patience())
    ) as through:
        assert through.ask("getSlot", []) == 12


def test_certificates_are_checked_where_there_is_tls():
    with contextlib.closing(
        Transport("https://rpc.example", patience=Patience())
    ) as secure:
        context = secure._http._transport._pool._ssl_context

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def _batch_answer(body):
    return HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


def test_a_batch_is_matched_by_number_whatever_its_order(server, transport):
    answers = [{"jsonrpc": "2.0", "id": n, "result": n * 10} for n in (2, 1)]
    server.answers.append(_batch_answer(json.dumps(answers).encode()))

    assert transport.ask_many("getSlot", [[], []]) == [10, 20]


@pytest.mark.parametrize(
    "answers",
    [
        [{"id": 1, "result": 1}],
        [{"id": 1, "result": 1}, {"id": 1, "result": 1}],
        [{"id": 1, "result": 1}, {"id": 9, "result": 1}],
        [{"id": 1, "result": 1}, 7],
        {"id": 1, "result": 1},
        7,
    ],
)
def test_a_batch_with_other_answers_is_no_answer(server, transport, answers):
    server.answers += [_batch_answer(json.dumps(answers).encode())] * 2

    with pytest.raises(RpcUnavailable):
        transport.ask_many("getSlot", [[], []])


@pytest.mark.parametrize("is_whole", [True, False])
def test_an_error_in_a_batch_is_raised(server, transport, is_whole):
    error = {"jsonrpc": "2.0", "error": {"code": -32600, "message": "no batches"}}
    answers = [{"id": 1, "result": 1}, {**error, "id": 2}]
    body = {**error, "id": None} if is_whole else answers
    server.answers.append(_batch_answer(json.dumps(body).encode()))

    with pytest.raises(RpcRefused, match="no batches"):
        transport.ask_many("getSlot", [[], []])
