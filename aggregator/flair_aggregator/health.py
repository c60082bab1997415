"""What an aggregator tells whoever watches over it: `GET /healthz`, plain HTTP.

200 while it looks at the chain as it should, 503 when it has not managed to for a
while. Nothing in it is secret, and nothing can be asked for by it.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from flair_aggregator.budget import Budget
from flair_aggregator.round import BranchView
from flair_client.errors import UsageError
from flair_client.ids import Address

PATH: Final = "/healthz"
# A look may take long where a big round is merged.
_LATE_S: Final = 300.0


@dataclass(slots=True)
class Health:
    """How an aggregator fares; written by one thread, read by others.

    Attributes:
        wallet: who signs and pays.
        budget: of its fees.
        interval_s: pause between two looks.
        now_s: a clock that never goes back.
        last_look: seconds since 1970 when all was last looked at without a failure.
    """

    wallet: Address
    budget: Budget
    interval_s: float
    now_s: Callable[[], float] = time.monotonic
    last_look: int | None = None
    _last_s: float | None = None
    _begun_s: float = field(init=False)
    _rounds: dict[str, dict[str, Any]] = field(default_factory=dict)
    _trouble: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._begun_s = self.now_s()

    def looked(self, now: int) -> None:
        """Notes that everything was looked at."""
        if not self._trouble:
            self.last_look, self._last_s = now, self.now_s()

    def said(self, topic: str, sentence: str) -> None:
        """Hears what people are told; trouble is what keeps it from looking."""
        if topic.endswith("trouble"):
            if sentence:
                self._trouble = {**self._trouble, topic: sentence}
            else:
                self._trouble = {
                    key: one for key, one in self._trouble.items() if key != topic
                }

    def note_branch(self, name: str, view: BranchView, waits: tuple[str, ...]) -> None:
        """Notes how a branch was found."""
        live = None if view.live is None else view.live.round.value
        self._rounds = {
            **self._rounds,
            name: {
                "round": None if live is None else live.round_index,
                "state": None if live is None else live.state.name.lower(),
                "updates": 0 if live is None else live.n_accepted,
                "deadline": None if live is None else live.deadline,
                "waits": list(waits),
            },
        }

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Gives whether all is well, and what there is to know."""
        since = self._last_s if self._last_s is not None else self._begun_s
        is_late = self.now_s() - since > _LATE_S + 3 * self.interval_s
        is_well = not is_late and not self._trouble
        return is_well, {
            "status": "ok" if is_well else "failing",
            "wallet": str(self.wallet),
            "last_look": self.last_look,
            "trouble": sorted(self._trouble.values()),
            "branches": dict(sorted(self._rounds.items())),
            "lamports_today": self.budget.spent(),
            "lamports_per_day": self.budget.cap,
        }


@contextlib.contextmanager
def telling(health: Health, host: str, port: int) -> Iterator[str]:
    """Answers at `http://HOST:PORT/healthz` within; gives the URL.

    Raises:
        UsageError: the port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        # Whoever is silent does not hold a thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            if self.path != PATH:
                self._say(404, {"status": "there is only /healthz"})
                return
            is_well, found = health.report()
            self._say(200 if is_well else 503, found)

        def _say(self, status: int, found: dict[str, Any]) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as exc:
        raise UsageError(
            f"port {port} at {host} cannot be used: {exc.strerror}"
        ) from exc
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}{PATH}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
