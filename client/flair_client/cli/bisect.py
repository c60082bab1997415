"""`flair bisect`: finds the commit after which a metric fell."""

from collections.abc import Sequence
from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.options import code_options, map_options
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.train import data_source, map_for
from flair_client.porcelain.bisect import Bisected, BisectStep, bisect

_SUBJECT = 64


@command(
    "bisect",
    result=Bisected,
    examples=(
        "flair bisect --metric auc --data held-out.csv",
        "flair bisect --metric auc --data held-out.csv --below 0.8",
        "flair bisect v1 main --metric log_loss --data icu",
    ),
)
@click.argument("good", required=False)
@click.argument("bad", required=False)
@click.option("--metric", required=True, metavar="NAME", help="What is to be good.")
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="A data source, or a CSV, Parquet or .npz file; without it the setting "
    "train.data.",
)
@click.option(
    "--below",
    type=float,
    metavar="X",
    help="Below X is bad; above it where a smaller value is better. Without it "
    "halfway between the two ends.",
)
@map_options
@code_options
def bisect_command(
    app: App,
    good: str | None,
    bad: str | None,
    *,
    metric: str,
    data: str | None,
    below: float | None,
    pairs: Sequence[str],
    map_file: Path | None,
    device: str,
    no_sandbox: bool,
) -> None:
    """Finds the commit after which a metric fell.

    Measures commits between GOOD and BAD on your own rows, half of what is left each
    time, asks nothing, and names the first one that is bad with the updates that it
    merged. GOOD is the root and BAD is HEAD where they are not given. What was
    measured on these rows before is not measured again.
    """
    workspace = app.workspace()
    source = data_source(app, workspace.folder, data)
    found = bisect(
        app.context(network=workspace.repo().network),
        workspace,
        source,
        metric,
        good=good,
        bad=bad,
        below=below,
        column_map=map_for(app, workspace.folder, source, pairs, map_file),
        device=device,
        sandbox=not no_sandbox,
        on_step=lambda step: app.out.note(_step_text(step, metric)),
    )
    app.out.result(found, lambda: bisected_text(found))
    if found.next_command is not None:
        app.out.note(f"next: {found.next_command}")


def _step_text(step: BisectStep, metric: str) -> str:
    verdict = "good" if step.is_good else "bad"
    known = ", measured before" if step.is_known else ""
    name = printable(metric, 40)
    return f"{step.commit.short}: {name} {step.value:.6g}, {verdict}{known}"


def bisected_text(found: Bisected) -> str:
    """Shows where a metric fell to people."""
    name = printable(found.metric, 40)
    side = "at most" if found.lower_is_better else "at least"
    head = fields(
        (
            ("metric", f"{name}, good is {side} {found.bound:.6g}"),
            ("good", f"{found.good.short} with {found.good_value:.6g}"),
            ("bad", f"{found.bad.short} with {found.bad_value:.6g}"),
            ("kind", found.kind.value),
            ("message", printable(found.message, _SUBJECT)),
            ("looked at", f"{len(found.steps)} commits"),
        )
    )
    if not found.updates:
        return head
    rows = [(one.commit.short, one.author, one.weight) for one in found.updates]
    return f"{head}\n\n{table(('UPDATE', 'AUTHOR', 'WEIGHT'), rows)}"
