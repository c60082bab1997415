"""Sessions in the server's memory, bounded; the cookie holds a random name and no more.

A restart signs everybody out. Nonces live here too: each belongs to one session and is
taken out with the first answer, right or wrong.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flair_client.ids import Address
from flair_web.session.message import Challenge

IDLE_S: Final = 12 * 3600
ABSOLUTE_S: Final = 7 * 24 * 3600
_MAX_STRANGERS: Final = 20_000
_MAX_SIGNED_IN: Final = 20_000


@dataclass
class Session:
    """One browser.

    Attributes:
        name: in the cookie.
        csrf: what every POST has to bring along.
        wallet: whose address was proven; None where nobody signed in.
        challenge: that waits for an answer.
        begun_at, seen_at: seconds since 1970.
    """

    name: str
    csrf: str
    begun_at: int
    seen_at: int
    wallet: Address | None = None
    challenge: Challenge | None = field(default=None, repr=False)


class Sessions:
    """All sessions; those who signed in are never pushed out by those who did not."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._strangers: OrderedDict[str, Session] = OrderedDict()
        self._signed_in: OrderedDict[str, Session] = OrderedDict()

    def find(self, name: str | None) -> Session | None:
        """Gives the session of this name, if there is one and it has not ended."""
        if not name:
            return None
        with self._lock:
            for table in (self._signed_in, self._strangers):
                found = table.get(name)
                if found is None:
                    continue
                now = self._now()
                if now - found.seen_at > IDLE_S or now - found.begun_at > ABSOLUTE_S:
                    del table[name]
                    return None
                found.seen_at = now
                table.move_to_end(name)
                return found
        return None

    def begin(self) -> Session:
        """Makes a session of somebody who has not signed in."""
        with self._lock:
            made = self._make()
            _keep(self._strangers, made, _MAX_STRANGERS)
            return made

    def ask(self, session: Session, challenge: Challenge) -> None:
        """Keeps the one challenge that the session may answer."""
        with self._lock:
            session.challenge = challenge

    def take_challenge(self, session: Session) -> Challenge | None:
        """Gives the session's challenge for the first and last time."""
        with self._lock:
            found, session.challenge = session.challenge, None
            return found

    def sign_in(self, session: Session, wallet: Address) -> Session:
        """Ends the session and begins another one, under a new name, for the wallet.

        Whoever planted the old name in the browser knows nothing of the new one.
        """
        with self._lock:
            self._forget(session)
            made = self._make()
            made.wallet = wallet
            _keep(self._signed_in, made, _MAX_SIGNED_IN)
            return made

    def end(self, session: Session) -> None:
        """Ends a session."""
        with self._lock:
            self._forget(session)

    def _make(self) -> Session:
        now = self._now()
        return Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now, now)

    def _forget(self, session: Session) -> None:
        self._strangers.pop(session.name, None)
        self._signed_in.pop(session.name, None)


def _keep(table: OrderedDict[str, Session], made: Session, limit: int) -> None:
    table[made.name] = made
    while len(table) > limit:
        table.popitem(last=False)
