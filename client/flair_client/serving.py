"""Runs a small HTTP service in this process until it is told to stop."""

import signal
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from flair_client.errors import UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette


_SOCKET_LIMIT: Final = 256 * 1024


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


def url_of(host: str, listener: socket.socket, *, scheme: str = "http") -> str:
    """Gives the URL at which a listener answers."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{listener.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server proves itself with.

    Attributes:
        chain: PEM file of its certificate and those that vouch for it.
        key: PEM file of the private key, without a password.
    """

    chain: Path
    key: Path

    def check(self) -> None:
        """Loads both once, so that a mistake is told before a port is taken.

        Raises:
            UsageError: they cannot be read, or do not belong together.
        """
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # An empty password: one that is asked for on the terminal stops a service.
            context.load_cert_chain(self.chain, self.key, password="")
        except (OSError, ssl.SSLError) as exc:
            raise UsageError(
                f"certificate {self.chain} with key {self.key} cannot be used: {exc}"
            ) from exc


def serve(
    app: "Starlette",
    listener: socket.socket,
    *,
    certificate: Certificate | None = None,
    most_at_once: int | None = None,
) -> None:
    """Answers until the process gets SIGTERM or SIGINT.

    Args:
        app: answers.
        listener: taken before.
        certificate: for HTTPS; plain HTTP without it.
        most_at_once: requests; more are told to come later (503).
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=most_at_once,
        # Of one message of a WebSocket; by itself 16 MiB.
        ws_max_size=_SOCKET_LIMIT,
        ssl_certfile=None if certificate is None else str(certificate.chain),
        ssl_keyfile=None if certificate is None else str(certificate.key),
    )
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
