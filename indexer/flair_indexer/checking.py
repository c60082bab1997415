"""Beside the loop, in a thread of its own: blocks, heads and files.

A store that is slow or away delays nothing that comes from the chain.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flair_client.errors import FlairError
from flair_indexer.cars import CarPublisher
from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.heads import HeadChecker
from flair_indexer.objects import fetch_commits
from flair_indexer.settings import Options

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """What one look did."""

    n_commits: int = 0
    n_not_here: int = 0
    n_valid_heads: int = 0
    n_other_heads: int = 0
    n_cars: int = 0


@dataclass(slots=True)
class Checker:
    """Fetches commits, checks heads, publishes files.

    Attributes:
        owner: gives whoever may write at the moment; None where nobody does.
    """

    database: Database
    heads: HeadChecker
    cars: CarPublisher | None
    options: Options
    owner: Callable[[], Owner | None]
    clock: Callable[[], float] = time.time
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def step(self) -> Checked:
        """Looks once.

        Raises:
            FlairError: what was found so far is kept.
        """
        owner = self.owner()
        if owner is None:
            return Checked()
        now = self.clock()
        here, not_here = fetch_commits(
            self.database, self.heads.store, owner, options=self.options, now=now
        )
        valid, other = self.heads.check_due(
            owner, now=now, pause_s=self.options.check_s
        )
        n_cars = 0 if self.cars is None else self.cars.publish_due(now)
        return Checked(here, not_here, valid, other, n_cars)

    def start(self) -> None:
        """Looks again and again, in a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="flair-indexer-checks")
        self._thread.start()

    def stop(self) -> None:
        """Ends it after the look in hand."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        pause = self.options.check_s
        while not self._stopped.is_set():
            try:
                self.step()
                pause = self.options.check_s
            except FlairError as exc:
                _log.warning("check_failed", extra={"reason": str(exc)})
                pause = min(2 * pause, self.options.fetch_limit_s)
            except Exception:  # noqa: BLE001 - the next look may do without it
                _log.exception("check_broken")
                pause = min(2 * pause, self.options.fetch_limit_s)
            self._stopped.wait(pause)
