"""Runs a small HTTP service in this process until it is told to stop."""

import signal
import socket
import threading
from types import FrameType
from typing import TYPE_CHECKING

from flair_client.errors import UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette


def listen(host: str, port: int) -> socket.socket:
    """Takes a port; 0 takes a free one.

    Raises:
        UsageError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named; else each
    # answer waits 40 ms for the acknowledgement of its own header.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as exc:
        listener.close()
        raise UsageError(
            f"port {port} at {host} cannot be used: {exc.strerror}"
        ) from exc
    return listener


def url_of(host: str, listener: socket.socket) -> str:
    """Gives the URL at which a listener answers."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def serve(app: "Starlette", listener: socket.socket) -> None:
    """Answers until the process gets SIGTERM or SIGINT."""
    import uvicorn

    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    server = uvicorn.Server(config)

    # One that comes before uvicorn listens for signals is not lost. uvicorn ends in
    # good order and then raises its own once more; this process still has files to
    # close.
    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    held = {
        one: signal.signal(one, end)
        for one in (signal.SIGTERM, signal.SIGINT)
        if threading.current_thread() is threading.main_thread()
    }
    try:
        server.run(sockets=[listener])
    finally:
        for one, handler in held.items():
            signal.signal(one, handler)
