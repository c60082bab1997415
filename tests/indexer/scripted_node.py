"""A node over real sockets, that answers from a scripted chain."""

import contextlib
import json
import socket
import threading

from flair_client.chain.pdas import PROGRAM_ID
from flair_indexer.scripted import GENESIS_HASH
from flair_indexer.scripted import ScriptedSource as Script


class Node:
    """Answers as a node does, from a scripted chain; may misbehave before that.

    `faults`: each taken by the next connection: bytes instead of an answer, or None for
    a connection that stays silent.
    """

    def __init__(self, chain):
        self.script = Script(chain)
        self.faults = []
        self.held = []
        self.on_silence = lambda: None
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
                        self.on_silence()
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
