"""`flair aggregator`: merges updates, once or again and again."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from flair_aggregator.budget import Budget
from flair_aggregator.health import Health, telling
from flair_aggregator.outbox import Outbox, open_outbox
from flair_aggregator.run import (
    Stop,
    Voice,
    make_worker,
    run_once,
    run_until_stopped,
)
from flair_aggregator.settings import Options
from flair_aggregator.status import (
    AggregatorStatus,
    BranchStatus,
    branch_statuses,
    last_steps,
)
from flair_aggregator.status_text import status_text
from flair_aggregator.world import StepDone
from flair_client.cli.command import command, group
from flair_client.cli.session import App
from flair_client.cli.types import BRANCH_NAME, DURATION, SOL
from flair_client.context import Context
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.repo_address import RepoAddress
from flair_client.training.data import ColumnMap

if TYPE_CHECKING:
    from flair_indexer.db import Database

OUTBOX_NAME: Final = "outbox.sqlite"


@dataclass(frozen=True, slots=True)
class AggregatorRun:
    """What an aggregator did.

    Attributes:
        wallet: who signed and paid.
        n_steps: everything that was sent, and taken.
        steps: the last hundred, oldest first, refused ones too.
    """

    wallet: Address
    n_steps: int
    steps: tuple[StepDone, ...]


@group(
    "aggregator",
    examples=("flair aggregator run", "flair aggregator status"),
)
def aggregator() -> None:
    """Merges updates: verifies, sums, moves the head.

    Anyone may run one, and several may run at once: the chain takes every step once.
    """


def _place_options(function: Any) -> Any:
    """What it works on, and where it keeps its notes."""
    for option in reversed(
        (
            click.option(
                "--repo",
                "repos",
                multiple=True,
                metavar="REPO",
                help="flair://… address, CREATOR/NAME, or NAME of your own; may be "
                "given several times; without it the workspace's.",
            ),
            click.option(
                "--branch",
                "branches",
                type=BRANCH_NAME,
                multiple=True,
                metavar="NAME",
                help="Branch; may be given several times; without it all.",
            ),
            click.option(
                "--data",
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Where the outbox is kept; without it `aggregator` in Flair's "
                "folder.",
            ),
        )
    ):
        function = option(function)
    return function


def _work_options(function: Any) -> Any:
    """How it works."""
    for option in (
        click.option(
            "--per-day",
            type=SOL,
            metavar="SOL",
            help="Most for fees, and rent until it comes back, within a day (UTC); "
            "without it no limit.",
        ),
        click.option(
            "--indexer",
            metavar="URL",
            help="Database of an indexer of this network, which names what waits: the "
            "RPC need not search for it.",
        ),
        click.option(
            "--reject-flagged",
            is_flag=True,
            help="As the owner, reject what a gate flags: updates far longer than the "
            "others, copies of others, or harmful on held-out rows.",
        ),
        click.option(
            "--held-out-map",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="How the columns of --held-out give the recipe's, as for `flair "
            "train --map`.",
        ),
        click.option(
            "--held-out",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Rows of your own (CSV or Parquet) on which each update is scored.",
        ),
        click.option(
            "--open-rounds",
            is_flag=True,
            help="Open the next round where none is in progress.",
        ),
    ):
        function = option(function)
    return function


@command(
    "run",
    result=AggregatorRun,
    examples=(
        "flair aggregator run",
        "flair aggregator run --repo heart-risk --branch main --interval 10s",
        "flair aggregator run --once",
        "flair aggregator run --repo heart-risk --per-day 0.05 --health-port 8894",
    ),
)
@_place_options
@click.option("--once", is_flag=True, help="Do what can be done now, and end.")
@click.option(
    "--interval",
    type=DURATION,
    default="2s",
    metavar="TIME",
    help="Pause between two looks; 2s without it.",
)
@_work_options
@click.option(
    "--health-port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    help="Answer http://HOST:N/healthz; 0 takes a free port. Without it nothing does.",
)
@click.option(
    "--health-host",
    default="127.0.0.1",
    metavar="HOST",
    help="Address for --health-port; this machine alone without it.",
)
def run(
    app: App,
    *,
    repos: tuple[str, ...],
    branches: tuple[str, ...],
    data: Path | None,
    once: bool,
    interval: int,
    health_port: int | None,
    health_host: str,
    **work: Any,
) -> None:
    """Merges rounds as they come, until Ctrl-C.

    The step in hand is finished before it ends. Killed at any point, it goes on where
    the chain stands.
    """
    if once and health_port is not None:
        raise UsageError("--health-port is for an aggregator that stays")
    where = None if health_port is None else (health_host, health_port)
    indexer = work.pop("indexer")
    options = _options(max(interval, 1), **work)
    task = Task(repos, branches, data, indexer, where)
    _run(app, task, options, once=once)


@command(
    "once",
    result=AggregatorRun,
    examples=("flair aggregator once", "flair aggregator once --repo heart-risk"),
)
@_place_options
@_work_options
def once_(
    app: App,
    *,
    repos: tuple[str, ...],
    branches: tuple[str, ...],
    data: Path | None,
    **work: Any,
) -> None:
    """Does what can be done now, and ends; the same as `run --once`."""
    task = Task(repos, branches, data, work.pop("indexer"))
    _run(app, task, _options(**work), once=True)


def _options(
    interval_s: float = 0.0,
    *,
    open_rounds: bool,
    reject_flagged: bool,
    held_out: Path | None,
    held_out_map: Path | None,
    per_day: int | None,
) -> Options:
    if held_out_map is not None and held_out is None:
        raise UsageError("--held-out-map is for --held-out")
    return Options(
        interval_s=interval_s,
        open_rounds=open_rounds,
        reject_flagged=reject_flagged,
        held_out=held_out,
        held_out_map=ColumnMap.load(held_out_map) if held_out_map else None,
        lamports_per_day=per_day,
    )


@dataclass(frozen=True, slots=True)
class Task:
    """What an aggregator is started for.

    Attributes:
        repos, branches: as they were written.
        data: where the outbox is kept.
        indexer: URL of a database that names what waits.
        health: host and port where it tells how it fares.
    """

    repos: tuple[str, ...]
    branches: tuple[str, ...]
    data: Path | None
    indexer: str | None = None
    health: tuple[str, int] | None = None


def _run(app: App, task: Task, options: Options, *, once: bool) -> None:
    voice = Voice(note=app.out.note, warn=app.out.warn, detail=app.out.detail)
    stop = Stop()
    with ExitStack() as stack:
        outbox = stack.enter_context(_open_outbox(app, task.data))
        stack.enter_context(_stopping(app, stop))
        places = _places(app, task.repos, task.branches)
        contexts: dict[str, Context] = {}
        first = _context(app, contexts, places[0][0], signer=True)
        wallet = first.wallet.address
        budget = Budget(outbox, wallet, first.now, options.lamports_per_day)
        health = Health(wallet, budget, options.interval_s)
        indexer = stack.enter_context(_indexer(task.indexer))
        workers = [
            make_worker(
                _context(app, contexts, address, signer=True),
                address,
                names,
                outbox=outbox,
                options=options,
                voice=voice,
                stop=stop,
                patient=not once,
                indexer=indexer,
                health=health,
            )
            for address, names in places
        ]
        if once:
            run_once(workers)
        else:
            if task.health is not None:
                url = stack.enter_context(telling(health, *task.health))
                app.out.note(f"health at {url}")
            app.out.note(f"aggregator works as {wallet}; Ctrl-C ends it")
            run_until_stopped(
                workers,
                options.interval_s,
                stop,
                looked=lambda: health.looked(first.now()),
            )
    if once and stop.requested:
        raise KeyboardInterrupt
    _show_run(app, wallet, voice, once=once)


@contextmanager
def _indexer(url: str | None) -> "Iterator[Database | None]":
    if url is None:
        yield None
        return
    # Most aggregators have no indexer beside them.
    from flair_indexer.db import open_database

    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


def _show_run(app: App, wallet: Address, voice: Voice, *, once: bool) -> None:
    taken, refused = voice.n_taken, voice.refused if once else None
    app.out.result(
        AggregatorRun(wallet, taken, tuple(voice.steps)),
        f"{taken} steps" if taken != 1 else "1 step",
        exit_code=1 if refused else 0,
        message=f"{refused.step} {refused.outcome}" if refused else None,
    )


@command(
    "status",
    result=AggregatorStatus,
    examples=("flair aggregator status", "flair aggregator status --repo heart-risk"),
)
@_place_options
def status(
    app: App,
    *,
    repos: tuple[str, ...],
    branches: tuple[str, ...],
    data: Path | None,
) -> None:
    """Shows what was done last, live rounds, and what waits and why."""
    contexts: dict[str, Context] = {}
    with ExitStack() as stack:
        outbox = None
        if _outbox_path(app, data).exists():
            outbox = stack.enter_context(_open_outbox(app, data))
        found: list[BranchStatus] = []
        for address, names in _places(app, repos, branches):
            ctx = _context(app, contexts, address, signer=False)
            found += branch_statuses(ctx, address, names, outbox)
        steps = last_steps(found, outbox)
    result = AggregatorStatus(tuple(found), steps)
    app.out.result(result, lambda: status_text(result))


def _outbox_path(app: App, data: Path | None) -> Path:
    folder = data or app.settings.home / "aggregator"
    return folder.absolute() / OUTBOX_NAME


@contextmanager
def _open_outbox(app: App, data: Path | None) -> Iterator[Outbox]:
    outbox = open_outbox(_outbox_path(app, data))
    try:
        yield outbox
    finally:
        outbox.close()


def _places(
    app: App, repos: tuple[str, ...], branches: tuple[str, ...]
) -> list[tuple[RepoAddress, tuple[str, ...] | None]]:
    """The repositories, and of each the branches that are meant."""
    found = []
    for text in repos or (None,):
        address = app.repo_address(text)
        names = branches or ((address.ref,) if address.ref else None)
        found.append((address.at(None), names))
    return found


def _context(
    app: App, opened: dict[str, Context], address: RepoAddress, *, signer: bool
) -> Context:
    """One connection for each network."""
    if address.network not in opened:
        opened[address.network] = app.context(signer=signer, network=address.network)
    return opened[address.network]


@contextmanager
def _stopping(app: App, stop: Stop) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for the end, a second one forces it."""

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.requested = True
        signal.signal(number, signal.SIG_DFL)
        app.out.note("ending after the step in hand; once more ends it at once")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


for _verb in (run, once_, status):
    aggregator.add_command(_verb)
