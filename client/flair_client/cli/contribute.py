"""`flair contribute`: takes part in rounds unattended."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from flair_client.cli.command import command
from flair_client.cli.commit import asked_privacy
from flair_client.cli.options import map_option, training_options
from flair_client.cli.session import App
from flair_client.cli.train import data_source, map_for
from flair_client.cli.types import (
    DURATION,
    counted,
    local_time_text,
    rough_duration_text,
)
from flair_client.context import wall_clock
from flair_client.errors import UsageError
from flair_client.porcelain.contribute import (
    Contributed,
    ContributePlan,
    Ending,
    Listener,
    RoundTaken,
    contribute,
)
from flair_client.porcelain.pushed import PushOutcome


@command(
    "contribute",
    result=Contributed,
    examples=(
        "flair contribute --data icu --watch",
        "flair contribute --data patients.csv --rounds 20",
        "flair contribute --data icu --rounds 20 --epsilon 0.5",
        "flair contribute --data icu --once --json",
    ),
)
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="A data source, or a CSV, Parquet or .npz file; without it the setting "
    "train.data.",
)
@click.option(
    "--rounds",
    "n_rounds",
    type=click.IntRange(min=1),
    metavar="N",
    help="End after so many rounds, however they end.",
)
@click.option("--watch", is_flag=True, help="Go on until it is stopped.")
@click.option("--once", is_flag=True, help="Do what can be done now, and end.")
@click.option(
    "--open-rounds",
    is_flag=True,
    help="Open a round where none is in progress, and pay for it.",
)
@click.option(
    "--interval",
    type=DURATION,
    default="5s",
    metavar="TIME",
    help="About how often to look; 5s without it.",
)
@click.option(
    "-m",
    "--message",
    metavar="TEXT",
    help="Of the commits; public; without it `round N`.",
)
@map_option
@training_options
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    help="Where the recipe's code trains; auto is the fastest that is there.",
)
@click.option(
    "--no-sandbox",
    is_flag=True,
    help="Run the recipe's code without a sandbox, as if it were your own.",
)
@click.option(
    "--epsilon",
    type=click.FloatRange(min=0, min_open=True),
    metavar="E",
    help="Add noise, so that each update gives away at most this much; without it the "
    "setting privacy.epsilon.",
)
@click.option(
    "--delta",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="D",
    help="Chance that it gives away more; without it privacy.delta, or 1e-6.",
)
def contribute_command(
    app: App,
    *,
    data: str | None,
    n_rounds: int | None,
    watch: bool,
    once: bool,
    open_rounds: bool,
    interval: int,
    message: str | None,
    pairs: tuple[str, ...],
    map_file: Path | None,
    seed: int | None,
    allow_one_class: bool,
    device: str,
    no_sandbox: bool,
    epsilon: float | None,
    delta: float | None,
) -> None:
    """Takes part in rounds unattended: waits, trains, pushes, evaluates.

    Waits for rounds, pulls, trains on your data, commits, pushes, waits for the merge
    and measures the new model on your data; the figures go to .flair/metrics.jsonl and
    are never sent. It trusts nothing by itself: where recipe, policy or owner change it
    ends with 1. Outages of the network are waited out. Killed at any point, the same
    command goes on: no update is made twice, none is lost. Ctrl-C and SIGTERM end it
    after the step in hand.
    """
    if [n_rounds is not None, watch, once].count(True) != 1:
        raise UsageError("one of --rounds, --watch and --once says how long")
    workspace = app.workspace()
    source = data_source(app, workspace.folder, data)
    plan = ContributePlan(
        data=source,
        column_map=map_for(app, workspace.folder, source, pairs, map_file),
        seed=seed,
        allow_one_class=allow_one_class,
        device=device,
        sandbox=not no_sandbox,
        message=message,
        privacy=asked_privacy(app, epsilon, delta),
        n_rounds=n_rounds,
        open_rounds=open_rounds,
        once=once,
        interval_s=max(interval, 1),
    )
    ctx = app.context(signer=True, network=workspace.repo().network)
    if no_sandbox:
        app.out.warn("code that the recipe brings runs without a sandbox")
    with _asked_to_stop(app) as asked:
        listener = Listener(
            note=app.out.note,
            wait=lambda why, until: app.out.note(f"{why}{_until(until)}"),
            warn=app.out.warn,
            round_over=lambda over: _tell(app, over),
            is_asked_to_stop=lambda: bool(asked),
        )
        result = contribute(ctx, workspace, plan, listener)
    if result.ending is Ending.ASKED and not watch:
        raise KeyboardInterrupt
    over = counted(result.n_rounds, "round is over", "rounds are over")
    app.out.result(result, over + _missed(result))


def _until(until: int) -> str:
    left_s = until - wall_clock()
    if left_s <= 0:
        return f"; that may be ended by anybody since {local_time_text(until)}"
    left = rough_duration_text(left_s)
    return f"; until {local_time_text(until)} at the latest, {left} from now"


def _missed(result: Contributed) -> str:
    return f", {result.n_missed} missed" if result.n_missed else ""


def _tell(app: App, over: RoundTaken) -> None:
    app.out.event("round", over, lambda: _sentence(over))


def _sentence(over: RoundTaken) -> str:
    ended = {
        PushOutcome.MERGED: "merged as " + (over.merge.short if over.merge else "?"),
        PushOutcome.REJECTED: "merged without this contributor's update",
        PushOutcome.ENDED: "ended without a merge",
    }
    figures = ", ".join(
        f"{name} {value:.4f}" for name, value in sorted(over.metrics.items())
    )
    found = f"; here: {figures}" if figures else ""
    return f"round {over.round_index}: {ended[over.outcome]}{found}"


@contextmanager
def _asked_to_stop(app: App) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM asks for the end, a second one forces it."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, signal.SIG_DFL)
        app.out.note("ending after the step in hand; once more ends it at once")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
