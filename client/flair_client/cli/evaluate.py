"""`flair evaluate`: measures a model on your own data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.options import code_options, map_options
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.train import data_source, map_for
from flair_client.cli.types import ADDRESS
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.porcelain.evaluate import Evaluated, evaluate, evaluate_reading
from flair_client.porcelain.reading import reading_there


@command(
    "evaluate",
    result=Evaluated,
    examples=(
        "flair evaluate --data icu",
        "flair evaluate HEAD~3 --data held-out.csv",
        "flair evaluate --without ADDRESS --data icu --json",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="A data source, or a CSV, Parquet or .npz file; without it the setting "
    "train.data.",
)
@click.option(
    "--without",
    type=ADDRESS,
    metavar="ADDRESS",
    help="As if nothing of this contributor had ever been merged.",
)
@map_options
@code_options
def evaluate_command(
    app: App,
    ref: str | None,
    *,
    data: str | None,
    without: Address | None,
    pairs: Sequence[str],
    map_file: Path | None,
    device: str,
    no_sandbox: bool,
) -> None:
    """Measures a model on your own data.

    Nothing leaves the machine. REF is a branch, a tag, HEAD, the first six or more
    digits of a commit, or one of them with ~N; or the address of a repository with
    or without @REF. Without it HEAD. An update is measured as its base with all of
    it added. Code that the recipe brings for measuring runs in a sandbox, where you
    accepted it.
    """
    if ref is not None and "/" in ref:
        found = _of_address(
            app, ref, data, without=without, pairs=pairs, map_file=map_file
        )
    else:
        workspace = app.workspace()
        source = data_source(app, workspace.folder, data)
        found = evaluate(
            app.context(network=workspace.repo().network),
            workspace,
            source,
            ref=ref,
            without=without,
            column_map=map_for(app, workspace.folder, source, pairs, map_file),
            device=device,
            sandbox=not no_sandbox,
        )
    message = None
    if not found.metrics:
        message = "the recipe has nothing that could measure its model"
        app.out.note(f"{message}: see [recipe] evaluation")
    app.out.result(
        found,
        lambda: evaluated_text(found) if found.metrics else "",
        exit_code=0 if found.metrics else 1,
        message=message,
    )


def _of_address(
    app: App,
    ref: str,
    data: str | None,
    *,
    without: Address | None,
    pairs: Sequence[str],
    map_file: Path | None,
) -> Evaluated:
    if without is not None:
        raise UsageError("--without needs a clone: go to one")
    address = app.repo_address(ref)
    ctx = app.context(network=address.network)
    source = data_source(app, Path.cwd(), data)
    return evaluate_reading(
        ctx,
        reading_there(ctx, address.at(None)),
        source,
        ref=address.ref,
        column_map=map_for(app, Path.cwd(), source, pairs, map_file),
    )


def evaluated_text(found: Evaluated) -> str:
    """Shows a measurement to people."""
    rows: list[tuple[str, object]] = [("commit", found.commit.short)]
    if found.without is not None:
        n_left_out = len(found.left_out)
        plural = "" if n_left_out == 1 else "s"
        rows += [
            ("without", found.without),
            ("left out", f"{n_left_out} update{plural}, in a replay of all merges"),
        ]
    rows += [("data", printable(found.data, 60)), ("samples", found.num_samples)]
    return fields([*rows, *metric_rows(found.metrics)])


def metric_rows(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """Names and values of metrics, in order of the names."""
    return [
        (printable(name, 40), f"{value:.6g}") for name, value in sorted(metrics.items())
    ]
