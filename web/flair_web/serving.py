"""Serves the application by waitress, here or in a thread, until it is told to stop."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from flask import Flask
from waitress.server import create_server

_IDENTITY = "flair"


def _server(app: Flask, listener: socket.socket, threads: int) -> Any:
    return create_server(
        app, sockets=[listener], threads=threads, ident=_IDENTITY, channel_timeout=60
    )


def serve(app: Flask, listener: socket.socket, *, threads: int) -> None:
    """Answers until Ctrl-C or SIGTERM; requests in hand are finished.

    Args:
        app: the site.
        listener: it is closed at the end.
        threads: requests at once.
    """
    server = _server(app, listener, threads)

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit

    before = signal.signal(signal.SIGTERM, end)
    try:
        # It takes Ctrl-C and SystemExit for the end by itself.
        server.run()
    finally:
        signal.signal(signal.SIGTERM, before)
        server.close()


@contextlib.contextmanager
def served(app: Flask, listener: socket.socket, *, threads: int = 4) -> Iterator[None]:
    """Answers in a thread as long as the context lasts."""
    server = _server(app, listener, threads)
    worker = threading.Thread(target=server.run, name="flair web", daemon=True)
    worker.start()
    try:
        yield
    finally:
        server.close()
        server.task_dispatcher.shutdown()
        worker.join(timeout=10)
