"""A wake-up by `logsSubscribe`: the node says that something may have happened.

What it says is not used. A notification that is lost, doubled, late or made up costs a
look or a tick and nothing else. Where no WebSocket can be had, ticks are all there is;
that is said once, and tried again now and then.
"""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from flair_client.chain.transport import OPEN_DOOR, Door, is_inside, trusted
from flair_client.errors import RpcUnavailable
from flair_client.ids import Address

_LEVEL: Final = "confirmed"
_OPEN_S: Final = 20.0
# Between two attempts; doubles.
_PAUSE_S: Final = 1.0
_PAUSE_LIMIT_S: Final = 60.0
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Socket:
    """Where to subscribe, and how to get there.

    Attributes:
        url: ws or wss.
        program_id: whose transactions count.
        door: the way out of this network.
    """

    url: str
    program_id: Address
    door: Door = OPEN_DOOR

    def open(self) -> AbstractContextManager[ClientConnection]:
        """Connects; a connection that falls silent is given up by itself."""
        parts = urlsplit(self.url)
        inside = is_inside(parts.hostname or "")
        believed = trusted(self.door) if parts.scheme == "wss" else True
        return connect(
            self.url,
            open_timeout=_OPEN_S,
            # By itself what the environment says.
            proxy=None if inside else self.door.proxy or True,
            ssl=None if isinstance(believed, bool) else believed,
        )


class Notified:
    """Ends a pause when the node notifies, and after a tick."""

    def __init__(
        self, socket: Socket, tell: Callable[[str], None], *, pause_s: float = _PAUSE_S
    ) -> None:
        """Subscribes in a thread of its own.

        Args:
            socket: where.
            tell: says a sentence to people.
            pause_s: before the second attempt to subscribe.
        """
        self._socket, self._tell, self._first_pause_s = socket, tell, pause_s
        self._sign = threading.Event()
        self._ended = threading.Event()
        self._connection: ClientConnection | None = None
        self._is_told = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Returns after a sign, and no later than `timeout_s`."""
        self._sign.wait(timeout_s)
        if not self._ended.is_set():
            self._sign.clear()

    def stop(self) -> None:
        """Ends a wait and every later one at once."""
        self._ended.set()
        self._sign.set()

    def close(self) -> None:
        """Ends the subscription."""
        self.stop()
        connection = self._connection
        if connection is not None:
            connection.close()
        self._thread.join()

    def _run(self) -> None:
        pause = self._first_pause_s
        while not self._ended.is_set():
            reason = "it was closed"
            try:
                with self._socket.open() as connection:
                    # Whoever closes sees it, or is seen by the next line.
                    self._connection = connection
                    if not self._ended.is_set():
                        self._listen(connection)
            except (OSError, WebSocketException, ValueError, RpcUnavailable) as exc:
                reason = str(exc)[:_SHOWN] or type(exc).__name__
            self._connection = None
            if self._ended.is_set():
                return
            if not self._is_told:
                # It was there until now.
                pause = self._first_pause_s
            self._say_lost(reason)
            self._ended.wait(pause)
            pause = min(2 * pause, _PAUSE_LIMIT_S)

    def _listen(self, connection: ClientConnection) -> None:
        wanted = [
            {"mentions": [str(self._socket.program_id)]},
            {"commitment": _LEVEL},
        ]
        question = {"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe"}
        connection.send(json.dumps(question | {"params": wanted}))
        _check(json.loads(connection.recv(timeout=_OPEN_S)))
        if self._is_told:
            self._is_told = False
            self._tell(f"the WebSocket at {self._where} is back")
        # Something may have happened before.
        self._sign.set()
        with suppress(TimeoutError):
            for _ in connection:
                self._sign.set()

    def _say_lost(self, reason: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell(f"no WebSocket at {self._where}: {reason}; looks at every tick")

    @property
    def _where(self) -> str:
        # What else is in the URL may be a key.
        return str(urlsplit(self._socket.url).hostname)


def _check(answer: Any) -> None:
    if not isinstance(answer, dict) or type(answer.get("result")) is not int:
        raise RpcUnavailable("logsSubscribe: the node does not subscribe")
