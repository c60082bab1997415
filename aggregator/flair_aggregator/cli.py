"""`flair aggregator`: merges updates, once or again and again."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from flair_aggregator.branch import StepDone
from flair_aggregator.outbox import Intent, Outbox, open_outbox
from flair_aggregator.repo import RepoWorker
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
from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import BRANCH_NAME, DURATION, time_text
from flair_client.context import Context
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.repo_address import RepoAddress
from flair_client.training.data import ColumnMap

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
def run(
    app: App,
    *,
    repos: tuple[str, ...],
    branches: tuple[str, ...],
    data: Path | None,
    once: bool,
    interval: int,
    **work: Any,
) -> None:
    """Merges rounds as they come, until Ctrl-C.

    The step in hand is finished before it ends. Killed at any point, it goes on where
    the chain stands.
    """
    _run(app, repos, branches, data, _options(max(interval, 1), **work), once=once)


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
    _run(app, repos, branches, data, _options(**work), once=True)


def _options(
    interval_s: float = 0.0,
    *,
    open_rounds: bool,
    reject_flagged: bool,
    held_out: Path | None,
    held_out_map: Path | None,
) -> Options:
    if held_out_map is not None and held_out is None:
        raise UsageError("--held-out-map is for --held-out")
    return Options(
        interval_s=interval_s,
        open_rounds=open_rounds,
        reject_flagged=reject_flagged,
        held_out=held_out,
        held_out_map=ColumnMap.load(held_out_map) if held_out_map else None,
    )


def _run(
    app: App,
    repos: tuple[str, ...],
    branches: tuple[str, ...],
    data: Path | None,
    options: Options,
    *,
    once: bool,
) -> None:
    voice = Voice(note=app.out.note, warn=app.out.warn, detail=app.out.detail)
    stop = Stop()
    contexts: dict[str, Context] = {}
    workers: list[RepoWorker] = []
    with _open_outbox(app, data) as outbox, _stopping(app, stop):
        for address, names in _places(app, repos, branches):
            ctx = _context(app, contexts, address, signer=True)
            workers.append(
                make_worker(
                    ctx,
                    address,
                    names,
                    outbox=outbox,
                    options=options,
                    voice=voice,
                    stop=stop,
                    patient=not once,
                )
            )
        wallet = workers[0].world.ctx.wallet.address
        if once:
            run_once(workers)
        else:
            app.out.note(f"aggregator works as {wallet}; Ctrl-C ends it")
            run_until_stopped(workers, options.interval_s, stop)
    if once and stop.requested:
        raise KeyboardInterrupt
    _show_run(app, wallet, voice, once=once)


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
    app.out.result(result, lambda: _status_text(result))


def _status_text(result: AggregatorStatus) -> str:
    parts = [_branch_text(one) for one in result.branches]
    if result.steps:
        names = {one.address: one.branch for one in result.branches}
        rows = [_step_row(step, names[step.branch]) for step in result.steps]
        header = ("WHEN", "BRANCH", "ROUND", "STEP", "SUBJECT", "OUTCOME")
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def _branch_text(one: BranchStatus) -> str:
    live = "none"
    if one.round_index is not None:
        live = (
            f"{one.round_index}, {one.state}, {one.n_accepted} updates, "
            f"{one.n_accumulated} added up"
        )
    found = None
    if one.found and one.found_at is not None:
        found = f"{'; '.join(one.found)} ({time_text(one.found_at)})"
    return fields(
        (
            ("branch", f"{one.repo}@{one.branch}"),
            ("round", live),
            ("deadline", None if one.deadline is None else time_text(one.deadline)),
            ("next", ", ".join(one.next_steps) or None),
            ("waits", "; ".join(one.waits) or None),
            ("last look", found),
        )
    )


def _step_row(step: Intent, branch: str) -> tuple[object, ...]:
    return (
        time_text(step.intended_at),
        branch,
        step.round_index,
        step.step,
        step.subject[:16],
        step.outcome or "not known: it was interrupted",
    )


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
