"""The loop: list, fetch, write, audit, compare; and what happens when that fails.

Whatever is away, RPC, database or disk, is waited for. Killed between any two lines,
the next run goes on where the last unit of work ended.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from flair_client.errors import (
    ChainError,
    ClusterMismatch,
    DatabaseUnavailable,
    FlairError,
    StoreFull,
)
from flair_client.ids import Address
from flair_indexer.aside import Aside
from flair_indexer.cursor import Owner, must_cursor, take_over
from flair_indexer.db import Database, Lock
from flair_indexer.drain import (
    Drained,
    complete_slot,
    is_more_waiting,
    next_waiting,
    write,
)
from flair_indexer.fetching import Fetched, Waiting, fetch
from flair_indexer.finality import Audit, audit
from flair_indexer.listing import Listing, Window, list_new
from flair_indexer.metrics import Metrics
from flair_indexer.reconcile import Reconciled, reconcile
from flair_indexer.schema import migrate
from flair_indexer.settings import Options
from flair_indexer.source import Source
from flair_indexer.wakeup import Wakeup

_log = logging.getLogger(__name__)
# Between these an indexer may be killed; each name is what comes next.
PHASES: Final = (
    "begin",
    "list",
    "fetch",
    "write",
    "end of unit",
    "written",
    "audit",
    "reconcile",
    "done",
)


class FileReplaced(FlairError):
    """The database's file was deleted or replaced while it was open."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one look did."""

    listing: Listing
    n_transactions: int = 0
    n_events: int = 0
    n_missing: int = 0
    audit: Audit = field(default_factory=Audit)
    reconciled: Reconciled | None = None


@dataclass(slots=True)
class Indexer:
    """Mirrors one program of one cluster into one database.

    Attributes:
        aside: fetches in another process where much is waiting.
        on_phase: called before each phase; tests end the process there.
        clock: seconds since 1970.
    """

    database: Database
    source: Source
    program_id: Address
    options: Options = field(default_factory=Options)
    metrics: Metrics = field(default_factory=Metrics)
    aside: Aside | None = None
    on_phase: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.time
    stopped: bool = False
    _window: Window = field(default_factory=Window)
    _lock: Lock | None = None
    _owner: Owner | None = None
    _reconciled_at: float | None = None

    def begin(self) -> None:
        """Takes the database: lock, tables, cursor. Does nothing where it has it.

        Raises:
            DatabaseTaken: another indexer writes it.
            DatabaseOfOther: it mirrors another cluster or program.
            DatabaseUnavailable, DatabaseDamaged, RpcUnavailable: it cannot begin.
        """
        if self._lock is not None and not self._lock.is_held():
            self.end()
        if self.database.is_replaced() and self._lock is not None:
            _log.warning("database_file_replaced")
            self.end()
            self.database.close()
        if self._owner is not None:
            return
        self.on_phase("begin")
        lock = self.database.lock()
        try:
            migrate(self.database)
            genesis_hash = self.source.genesis_hash()
            self._owner = take_over(self.database, genesis_hash, self.program_id)
        except BaseException:
            lock.release()
            raise
        self._lock = lock
        self._window = Window()
        self._reconciled_at = None

    def end(self) -> None:
        """Gives the database back."""
        if self.aside is not None:
            self.aside.close()
        lock, self._lock, self._owner = self._lock, None, None
        if lock is not None:
            lock.release()

    def step(self) -> Step:
        """Looks once: everything that is listed by now is dealt with.

        Raises:
            FlairError: what was written so far is kept; the next step goes on.
        """
        self.begin()
        owner = self._must_owner()
        self.on_phase("list")
        listing = list_new(
            self.database,
            self.source,
            owner,
            self._window,
            page_size=self.options.page_size,
            on_page=self._prepare,
        )
        done = self._drain(owner)
        self.on_phase("audit")
        audited = audit(
            self.database, self.source, owner, self._window, listing.final_slot
        )
        if audited.n_dropped:
            _log.warning("slots_dropped", extra={"n_dropped": audited.n_dropped})
        self._note_complete(owner, listing)
        self._window.forget_below(listing.final_slot)
        found = self._reconcile(owner)
        self.on_phase("done")
        step = Step(listing, *done, audited, found)
        self.metrics.note(step)
        return step

    def current_owner(self) -> Owner | None:
        """Gives whoever writes now; None where this indexer does not."""
        return self._owner

    def _must_owner(self) -> Owner:
        if self._owner is None:
            raise RuntimeError("begin() was not called")
        return self._owner

    def _prepare(self, n_new: int) -> None:
        if self.aside is not None and n_new >= self.options.aside_above:
            # While the rest is listed it gets ready.
            self.aside.begin()

    def _drain(self, owner: Owner) -> tuple[int, int, int]:
        n_transactions = n_events = n_missing = 0
        above = self.options.aside_above
        is_much = self.aside is not None and is_more_waiting(self.database, above)
        aside = self.aside if is_much else None
        with ThreadPoolExecutor(1, "flair-indexer-fetch") as pool:
            coming = self._coming(pool, aside, above=-1)
            while coming is not None:
                fetched = coming.result()
                # While these are written the next ones are fetched.
                coming = self._coming(pool, aside, above=fetched.waiting[-1].slot)
                drained = self._write(owner, fetched)
                n_transactions += drained.n_transactions
                n_events += drained.n_events
                n_missing += drained.n_missing
        if self.aside is not None:
            self.aside.close()
        return n_transactions, n_events, n_missing

    def _fetch(self, waiting: Sequence[Waiting]) -> Fetched:
        return fetch(self.source, waiting, self.program_id)

    def _coming(
        self,
        pool: Executor,
        aside: Aside | None,
        *,
        above: int,
    ) -> "Future[Fetched] | None":
        if self.stopped:
            return None
        # The first one of a look is short: after a restart it goes on at once.
        first = self.options.first_unit_size if above < 0 else self.options.unit_size
        size = min(first, self.options.unit_size)
        waiting = next_waiting(self.database, size, self.clock(), above=above)
        if not waiting:
            return None
        self.on_phase("fetch")
        # Until it is ready the work goes on without it.
        is_ready = aside is not None and aside.is_ready()
        return pool.submit(aside.fetch if aside and is_ready else self._fetch, waiting)

    def _write(self, owner: Owner, fetched: Fetched) -> Drained:
        self.on_phase("write")
        drained = write(
            self.database,
            owner,
            self._window,
            fetched,
            options=self.options,
            now=self.clock(),
            before_end=lambda: self.on_phase("end of unit"),
        )
        self.on_phase("written")
        self._tell(drained)
        return drained

    def _tell(self, drained: Drained) -> None:
        self.metrics.note_drained(drained)
        for letter in drained.letters:
            _log.warning(
                "dead_letter",
                extra={
                    "signature": letter.signature,
                    "reason": letter.reason,
                    "detail": letter.detail,
                },
            )
        if drained.n_transactions:
            _log.debug(
                "unit_written",
                extra={
                    "n_transactions": drained.n_transactions,
                    "n_events": drained.n_events,
                },
            )

    def _note_complete(self, owner: Owner, listing: Listing) -> None:
        with self.database.unit() as connection:
            cursor = must_cursor(connection)
            newest = max(listing.newest_slot, cursor.until_slot, listing.final_slot)
            reached = complete_slot(connection, newest)
            if reached > cursor.complete_slot:
                owner.keep(connection, complete_slot=reached)

    def _reconcile(self, owner: Owner) -> Reconciled | None:
        now = self.clock()
        last = self._reconciled_at
        if last is not None and now - last < self.options.reconcile_s:
            return None
        self.on_phase("reconcile")
        found = reconcile(self.database, self.source, owner, int(now))
        self._reconciled_at = now
        for repo in found.different:
            _log.warning("repository_differs", extra={"repo": str(Address(repo))})
        return found

    def reconcile_now(self) -> Reconciled:
        """Compares with the accounts whatever time it is."""
        self.begin()
        self._reconciled_at = None
        found = self._reconcile(self._must_owner())
        if found is None:
            raise RuntimeError("the comparison was due")
        return found


def backfill(indexer: Indexer, *, looks: int = 100) -> Step:
    """Looks until nothing is left that is not here, and compares with the accounts.

    Args:
        indexer: to work with.
        looks: at most so many; a chain may be faster than this machine.
    """
    step = indexer.step()
    for _ in range(looks):
        if indexer.stopped or not step.n_transactions:
            break
        step = indexer.step()
    return step


def run_until_stopped(
    indexer: Indexer, wakeup: Wakeup, tell: Callable[[str], None]
) -> None:
    """Looks again and again; waits for what is away.

    Args:
        indexer: to work with; `stopped` ends it after the unit in hand. It keeps the
            database until its `end`.
        wakeup: ends the pauses.
        tell: says a sentence to people, each once.

    Raises:
        ClusterMismatch, DatabaseTaken, DatabaseOfOther, DatabaseDamaged: waiting would
            not help.
    """
    pause, said = indexer.options.retry_s, ""
    while not indexer.stopped:
        try:
            indexer.step()
        except ClusterMismatch:
            raise
        except (ChainError, DatabaseUnavailable, StoreFull) as exc:
            indexer.metrics.failures.labels(type(exc).__name__).inc()
            _log.warning("look_failed", extra={"reason": str(exc), "again_s": pause})
            if str(exc) != said:
                said = str(exc)
                tell(f"{said}; trying again")
            wakeup.wait(pause)
            pause = min(2 * pause, indexer.options.retry_limit_s)
            continue
        if said:
            said = ""
            tell("goes on")
        pause = indexer.options.retry_s
        wakeup.wait(indexer.options.tick_s)
