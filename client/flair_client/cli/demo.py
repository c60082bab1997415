"""`flair demo`: four hospitals, one model, from start to report."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.demo.datasets import DATASET_NAMES
from flair_client.demo.pages import require_site, wait_for_ctrl_c
from flair_client.demo.reference import mean_score
from flair_client.demo.report import Outcome, score_rows, write_report
from flair_client.demo.run import HONEST_LINE, DemoPlan, run_demo
from flair_client.errors import UsageError
from flair_client.settings import LOCALNET

# The word for the program, and the name of its network profile.
_REAL_NODE = ("validator", "test-validator")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out.

    Attributes:
        hospitals: how many.
        rounds: of training.
        head: commit at the end, after the revert.
        local_auc: mean over the models of each hospital alone.
        federated_auc: of the shared model after the last round.
        pooled_auc: of the model of all rows in one place.
        verified: whether the whole history was recomputed and found right.
        reverted: the hospital whose last contribution was taken back.
        bytes_moved: to and from the shared store.
        round_seconds: of each round, that of statistics first.
        seconds: from the start of the demo.
        report, figure: files that show it.
    """

    dataset: str
    hospitals: int
    rounds: int
    head: str
    local_auc: float
    federated_auc: float
    pooled_auc: float
    verified: bool
    reverted: str
    bytes_moved: int
    round_seconds: tuple[float, ...]
    seconds: float
    repo: str
    fee_lamports: int
    rent_lamports: int
    report: Path
    figure: Path


@command(
    "demo",
    result=DemoResult,
    examples=(
        "flair demo",
        "flair demo --dataset heart-disease --data ./heart-disease",
        "flair demo --store kubo",
        "flair demo --network validator",
        "flair demo --web",
        "flair demo --json | tail -n 1",
    ),
)
@click.option(
    "--dataset",
    type=click.Choice(DATASET_NAMES),
    default=DATASET_NAMES[0],
    show_default=True,
    help="Which clinical data.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the four UCI files, for heart-disease.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("flair-demo"),
    show_default=True,
    metavar="DIR",
    help="Takes everything that the demo makes; an earlier demo in it goes.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    metavar="N",
    help="Rounds of training.",
)
@click.option(
    "--store",
    type=click.Choice(("folder", "kubo")),
    default="folder",
    show_default=True,
    help="Where blocks are shared: a folder, or an IPFS node that the demo starts.",
)
@click.option(
    "--web",
    is_flag=True,
    help="Leave the site running on the demo's data until Ctrl-C.",
)
@click.option(
    "--web-port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    metavar="N",
    help="Port of the site on this machine; 0 takes a free one.",
)
def demo_command(
    app: App,
    *,
    dataset: str,
    data: Path | None,
    folder: Path,
    rounds: int,
    store: str,
    web: bool,
    web_port: int,
) -> None:
    """Four hospitals, one model, start to report.

    Starts a localnet, an aggregator and four hospitals, each a process with a wallet
    and a workspace of its own. They share means and deviations, train in rounds, the
    owner reverts one contribution, and the whole history is verified.

    With --network validator a solana-test-validator is started instead, and the
    program that came with Flair is deployed to it by the upgradeable loader.
    """
    if web:
        require_site()
    # The data is public and so is everything of this mode; nobody may miss that.
    click.echo(HONEST_LINE, err=app.out.json_mode)
    kubo = _kubo_program(app) if store == "kubo" else None
    plan = DemoPlan(
        dataset, data, folder.absolute(), rounds, kubo, _validator_program(app)
    )
    started = time.monotonic()

    def tell(line: str) -> None:
        app.out.note(f"{time.monotonic() - started:5.1f} s  {line}")

    def show(outcome: Outcome) -> None:
        result = _result(outcome, plan)
        # The object of --json is the last line, when everything has ended.
        shown = web and not app.out.json_mode
        app.out.result(
            result, lambda: _text(outcome, result.report), now=shown, flat=True
        )
        if web:
            for url in wait_for_ctrl_c(plan.folder, web_port):
                tell(f"the site is at {url}; Ctrl-C ends it and everything else")

    with _sigterm_as_ctrl_c():
        run_demo(plan, tell, show)


def _result(outcome: Outcome, plan: DemoPlan) -> DemoResult:
    page, figure = write_report(outcome, plan.folder / "report")
    return DemoResult(
        dataset=plan.dataset,
        hospitals=len(outcome.local),
        rounds=len(outcome.federated),
        head=outcome.head,
        local_auc=mean_score(list(outcome.local.values())).auc,
        federated_auc=outcome.federated[-1].auc,
        pooled_auc=outcome.pooled.auc,
        verified=bool(outcome.verified),
        reverted=outcome.reverted,
        bytes_moved=outcome.bytes_moved,
        round_seconds=tuple(round(one, 1) for one in outcome.round_seconds),
        seconds=round(outcome.seconds, 1),
        repo=outcome.repo,
        fee_lamports=outcome.fee_lamports,
        rent_lamports=outcome.rent_lamports,
        report=page,
        figure=figure,
    )


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Has SIGTERM end all processes that the demo started, as Ctrl-C does."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _kubo_program(app: App) -> Path:
    from flair_client.store.ipfs_daemon import require_kubo

    return require_kubo(app.settings.text("kubo.program"))


def _validator_program(app: App) -> Path | None:
    named = app.asked_network
    if named in (None, LOCALNET):
        return None
    if named not in _REAL_NODE:
        raise UsageError(
            f"the demo runs on a chain of its own: --network {LOCALNET} or "
            f"--network {_REAL_NODE[0]}, not {named!r}"
        )
    from flair_client.localnet.validator import require_validator

    return require_validator(app.settings.text("validator.program"))


def _text(outcome: Outcome, page: Path) -> str:
    scores: list[tuple[Any, ...]] = [
        (name, f"{s.auc:.3f}", f"{s.accuracy:.3f}", f"{s.log_loss:.3f}")
        for name, s in score_rows(outcome)
    ]
    units = [
        (name, calls, most)
        for name, (calls, most) in sorted(outcome.compute_units.items())
    ]
    return "\n".join(
        (
            "",
            table(("MODEL, ON ALL TEST ROWS", "AUC", "ACCURACY", "LOG-LOSS"), scores),
            "",
            table(("INSTRUCTION", "TRANSACTIONS", "MOST COMPUTE UNITS"), units),
            "",
            "rounds took " + ", ".join(f"{one:.1f} s" for one in outcome.round_seconds),
            (
                f"{outcome.bytes_moved:,} bytes moved, {outcome.seconds:.1f} s, "
                f"{outcome.fee_lamports:,} lamports of fees, "
                f"{outcome.rent_lamports:,} of rent"
            ),
            f"head {outcome.head}",
            f"report {page}",
        )
    )
