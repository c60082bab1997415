"""`flair indexer`: mirrors the chain into SQL, once or all the time."""

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click
from prometheus_client import start_http_server

from flair_client.cli.command import command, group
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.types import time_text
from flair_client.context import Context
from flair_client.errors import ChainError, UsageError
from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.cars import CarPublisher
from flair_indexer.checking import Checker
from flair_indexer.cursor import forget_all
from flair_indexer.db import Database, open_database, shown_url
from flair_indexer.digest import whole_digest
from flair_indexer.doors import open_aside, open_wakeup
from flair_indexer.heads import HeadChecker
from flair_indexer.logs import write_json
from flair_indexer.memory import collected_seldom
from flair_indexer.results import (
    IndexerMigrated,
    IndexerRebuilt,
    IndexerRun,
    IndexerStatus,
)
from flair_indexer.run import Indexer, backfill, run_until_stopped
from flair_indexer.schema import check_schema, current_revision, migrate
from flair_indexer.settings import DATABASE_SETTING, DATABASE_VARIABLE, Options
from flair_indexer.source import RpcSource


@group("indexer", examples=("flair indexer run", "flair indexer status --json"))
def indexer() -> None:
    """Mirrors the chain into SQL and proves that nothing is missing.

    The database can be dropped at any time: the chain and the store have everything.
    """


_DATABASE = click.option(
    "--database",
    metavar="URL",
    envvar=DATABASE_VARIABLE,
    help="sqlite:////FILE or postgresql://USER@HOST/NAME; without it the setting "
    "indexer.database, or a file in Flair's folder.",
)


def _work_options(function: Any) -> Any:
    for option in (
        click.option(
            "--metrics-port",
            type=click.IntRange(1, 65535),
            metavar="PORT",
            help="Answer Prometheus on this port of 127.0.0.1.",
        ),
        click.option(
            "--cars",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Publish the events of each repository as DIR/REPOSITORY/events.car.",
        ),
        click.option(
            "--no-objects",
            is_flag=True,
            help="Mirror the chain alone: fetch no commits and check no heads.",
        ),
        click.option(
            "--log-json", is_flag=True, help="Log entries as JSON lines on stderr."
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(1, 100),
            default=100,
            metavar="N",
            help="Transactions in one request; 1 for an RPC that takes no batches.",
        ),
        _DATABASE,
    ):
        function = option(function)
    return function


@command(
    "run",
    result=IndexerRun,
    examples=(
        "flair indexer run",
        "flair indexer run --network devnet --database postgresql://flair@db/flair",
    ),
)
@click.option(
    "--tick",
    type=click.FloatRange(0.01, 3600),
    default=0.2,
    metavar="SECONDS",
    help="Pause between two looks; 0.2 without it.",
)
@_work_options
def run(app: App, *, tick: float, **work: Any) -> None:
    """Mirrors the chain as it grows, until Ctrl-C.

    The unit of work in hand is finished before it ends. Killed at any point, it goes on
    where it was.
    """
    with _opened(app, tick_s=tick, **work) as (opened, checker):
        wakeup = open_wakeup(app.context(), app.settings, app.out.warn)
        with _stopping(app, opened, wakeup.stop):
            app.out.note(f"mirrors into {_name(opened.database)}; Ctrl-C ends it")
            if checker is not None:
                checker.start()
            try:
                run_until_stopped(opened, wakeup, app.out.warn)
            finally:
                if checker is not None:
                    checker.stop()
                opened.end()
                wakeup.close()
        _show_run(app, opened)


@command("backfill", result=IndexerRun, examples=("flair indexer backfill",))
@_work_options
def backfill_(app: App, **work: Any) -> None:
    """Mirrors what is there now, compares it with the accounts, and ends."""
    with _opened(app, **work) as (opened, checker), _stopping(app, opened):
        _all_of_it(opened, checker)
        _show_run(app, opened)


def _all_of_it(opened: Indexer, checker: Checker | None) -> None:
    backfill(opened)
    opened.reconcile_now()
    if checker is not None:
        checker.step()


def _show_run(app: App, opened: Indexer) -> None:
    # Ended before it began there may be no tables yet.
    is_made = current_revision(opened.database) is not None
    progress = queries.progress(opened.database) if is_made else None
    found = IndexerRun(
        _name(opened.database),
        opened.metrics.total("transactions"),
        opened.metrics.total("events"),
        progress,
    )
    is_wrong = progress is not None and bool(progress.different)
    app.out.result(
        found,
        f"{found.n_events} events from {found.n_transactions} transactions",
        exit_code=5 if is_wrong else 0,
        message="repositories differ from their accounts" if is_wrong else None,
    )


@command("rebuild", result=IndexerRebuilt, examples=("flair indexer rebuild",))
@_work_options
def rebuild(app: App, **work: Any) -> None:
    """Forgets everything and mirrors the chain from its first transaction.

    What follows from the chain comes out the same, byte for byte, where the chain has
    not gone on meanwhile. A rebuild that was interrupted goes on with `run`.
    """
    with _opened(app, **work) as (opened, checker), _stopping(app, opened):
        lock = opened.database.lock()
        try:
            migrate(opened.database)
            with opened.database.unit() as connection:
                before = whole_digest(connection)
                forget_all(connection)
        finally:
            lock.release()
        _all_of_it(opened, checker)
        with opened.database.reading() as connection:
            after = whole_digest(connection)
        progress = queries.progress(opened.database)
        found = IndexerRebuilt(
            _name(opened.database),
            0 if progress is None else progress.n_events,
            before == after,
            before,
            after,
        )
        word = "the same" if found.identical else "other"
        app.out.result(found, f"{found.n_events} events, {word} bytes than before")


@command(
    "status",
    result=IndexerStatus,
    examples=("flair indexer status", "flair indexer status --json"),
)
@_DATABASE
def status(app: App, *, database: str | None) -> None:
    """Shows how far the mirror is, what waits, and the last comparison."""
    ctx = app.context()
    opened = _database(app, ctx, database)
    try:
        check_schema(opened)
        progress = queries.progress(opened)
        slot = _chain_slot(ctx)
        lag = None
        if slot is not None and progress is not None:
            lag = max(slot - progress.complete_slot, 0)
        found = IndexerStatus(
            _name(opened), current_revision(opened), slot, lag, progress
        )
    finally:
        opened.close()
    app.out.result(found, lambda: _status_text(found))


def _chain_slot(ctx: Context) -> int | None:
    try:
        return RpcSource(ctx.chain.rpc, ctx.program_id).slot("confirmed")
    except ChainError:
        return None


def _status_text(found: IndexerStatus) -> str:
    at = found.progress
    rows: list[tuple[str, object]] = [("database", found.database)]
    if at is None:
        return fields([*rows, ("state", "no indexer has begun")])
    compared = at.reconciled_at
    return fields(
        [
            *rows,
            ("complete up to slot", at.complete_slot),
            ("final up to slot", at.final_slot),
            ("behind the chain", _slots(found.lag_slots)),
            ("repositories", at.n_repos),
            ("events", f"{at.n_events}, {at.n_not_final} not final yet"),
            ("waiting transactions", at.n_pending),
            ("dead letters", at.n_dead_letters),
            ("last comparison", "never" if compared is None else time_text(compared)),
            ("behind", _addresses(at.behind)),
            ("different", _addresses(at.different)),
            ("missing commits", at.n_missing_commits),
            ("invalid heads", at.n_invalid_heads),
        ]
    )


def _slots(lag: int | None) -> str:
    return "the RPC does not answer" if lag is None else f"{lag} slots"


def _addresses(found: tuple[Address, ...]) -> str | None:
    return ", ".join(map(str, found)) or None


@command("migrate", result=IndexerMigrated, examples=("flair indexer migrate --json",))
@_DATABASE
def migrate_(app: App, *, database: str | None) -> None:
    """Makes the tables, or brings those of an older version up to date."""
    opened = _database(app, app.context(), database)
    try:
        lock = opened.lock()
        try:
            before, after = migrate(opened)
        finally:
            lock.release()
        found = IndexerMigrated(_name(opened), before, after)
    finally:
        opened.close()
    app.out.result(found, f"revision {after}")


def _name(database: Database) -> str:
    return shown_url(database.url)


def _database(app: App, ctx: Context, given: str | None) -> Database:
    url = given or app.settings.text(DATABASE_SETTING)
    if url is None:
        folder = app.settings.home / "indexer"
        url = f"sqlite:///{(folder / ctx.network.name).absolute()}.sqlite"
    return open_database(url)


@contextlib.contextmanager
def _opened(
    app: App,
    *,
    database: str | None,
    batch_size: int,
    log_json: bool,
    metrics_port: int | None,
    no_objects: bool,
    cars: Path | None,
    **options: Any,
) -> Iterator[tuple[Indexer, Checker | None]]:
    ctx = app.context()
    opened = _database(app, ctx, database)
    source = RpcSource(ctx.chain.rpc, ctx.program_id, batch_size=batch_size)
    made = Indexer(
        opened, source, ctx.program_id, Options(batch_size=batch_size, **options)
    )
    made.aside = open_aside(ctx, app.settings, batch_size)
    with contextlib.ExitStack() as stack:
        stack.enter_context(collected_seldom())
        stack.callback(opened.close)
        stack.callback(made.end)
        if log_json:
            handler = write_json(sys.stderr)
            stack.callback(logging.getLogger("flair_indexer").removeHandler, handler)
        if metrics_port is not None:
            _serve_metrics(made, metrics_port, stack)
        checker = None
        if not no_objects:
            checker = _checker(app, made, cars)
        elif cars is not None:
            raise UsageError("--cars needs what --no-objects leaves out")
        yield made, checker


def _checker(app: App, made: Indexer, cars: Path | None) -> Checker:
    # A connection of its own: it works in another thread.
    ctx = app.context()
    return Checker(
        made.database,
        HeadChecker(made.database, ctx.chain, ctx.remote, ctx.network.genesis_hash),
        None if cars is None else CarPublisher(made.database, cars.absolute()),
        made.options,
        made.current_owner,
    )


def _serve_metrics(made: Indexer, port: int, stack: contextlib.ExitStack) -> None:
    try:
        server, thread = start_http_server(
            port, "127.0.0.1", registry=made.metrics.registry
        )
    except OSError as exc:
        raise UsageError(f"port {port} cannot be used: {exc.strerror}") from exc

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    stack.callback(end)


@contextlib.contextmanager
def _stopping(
    app: App, opened: Indexer, wake: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for the end, a second one forces it."""

    def ask(number: int, _frame: FrameType | None) -> None:
        opened.stopped = True
        wake()
        signal.signal(number, signal.SIG_DFL)
        app.out.note("ending after the unit in hand; once more ends it at once")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


for _verb in (run, backfill_, rebuild, status, migrate_):
    indexer.add_command(_verb)
