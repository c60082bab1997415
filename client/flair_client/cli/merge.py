"""`flair merge`: merges models into one, by a method."""

from collections.abc import Sequence

import click

from flair_client.cli.command import command
from flair_client.cli.diff import changes_table
from flair_client.cli.output import fields, table
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.errors import UsageError
from flair_client.history.diff import Change
from flair_client.merging import METHODS
from flair_client.porcelain.merge import (
    MergeAsked,
    MergedModels,
    NamedModel,
    merge,
)


@command(
    "merge",
    result=MergedModels,
    examples=(
        "flair merge north south east --method linear --weights 2,1,1",
        "flair merge tuned --method slerp --param t=0.3",
        "flair merge north south --method ties --param density=0.2 --dry-run",
        "flair merge HEAD ../fork@main --method dare_ties --param density=0.5 --seed 7",
        "flair merge flair://localnet/CREATOR/my-fork --method linear -m 'half each'",
    ),
)
@click.argument("refs", metavar="REF...", nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(list(METHODS)),
    help="How the models are merged; must be given.",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of the method: t, density, lambda, normalize, rescale.",
)
@click.option(
    "--weights",
    metavar="W,W,…",
    help="Weight of each model, in the order named; without it 1 each.",
)
@click.option(
    "--base",
    metavar="REF",
    help="What changes are counted from; without it the nearest common ancestor.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Which values DARE drops; without it 0.",
)
@click.option("-m", "--message", metavar="TEXT", help="Why; shown in the log.")
@click.option(
    "-n", "--dry-run", is_flag=True, help="Only show what each tensor would change."
)
def merge_command(
    app: App,
    refs: Sequence[str],
    *,
    method: str | None,
    params: Sequence[str],
    weights: str | None,
    base: str | None,
    seed: int | None,
    message: str | None,
    dry_run: bool,
) -> None:
    """Merges models into one, by a method.

    Each REF is a branch, a tag, HEAD, digits of a commit, or one of them with ~N; or
    the address of another repository, or the path of another workspace (with a / in
    it), with or without @REF. One alone is merged with HEAD. Methods: linear, slerp
    (two models; t goes from the first, 0, to the second, 1), task_arithmetic, ties,
    dare_linear, dare_ties. All but the first two add up changes from a base.

    The result is the next commit of the branch, signed and kept here, with the models
    as its parents and everything that it takes to make it again, byte for byte. It
    needs the owner's wallet, or the role administer; a dry run needs neither.
    """
    if method is None:
        raise UsageError(f"name a method with --method: {', '.join(METHODS)}")
    workspace = app.workspace()
    asked = MergeAsked(
        method,
        [_named(app, one) for one in refs],
        _parsed(params),
        () if weights is None else tuple(weights.split(",")),
        None if base is None else _named(app, base),
        seed,
        message,
    )
    ctx = app.context(signer=not dry_run, network=workspace.repo().network)
    done = merge(ctx, workspace, asked, dry_run=dry_run)
    app.out.result(done, lambda: merge_text(done))
    for one in done.models:
        if not one.verified:
            app.out.note(f"{one.name} was not verified on this machine")
    if done.commit is not None:
        app.out.note(
            f"next: `flair evaluate {done.commit}` measures it, `flair push` moves "
            f"{done.branch} to it"
        )


def _named(app: App, text: str) -> NamedModel:
    return NamedModel(text, *open_reading(app, text))


def _parsed(params: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in params:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise UsageError(f"--param {one!r} is not KEY=VALUE")
        if name in found:
            raise UsageError(f"parameter {name!r} is given twice")
        found[name] = value
    return found


def merge_text(done: MergedModels) -> str:
    """Shows a merge, or what it would be, to people, in 80 columns."""
    params = ", ".join(f"{name} {value}" for name, value in done.params.items())
    head = "would move" if done.commit is None else done.commit
    change = done.change
    parts = [
        fields(
            (
                ("method", done.method),
                ("params", params or None),
                ("base", None if done.base is None else done.base.short),
                ("message", printable(done.message, 64)),
                (f"{done.branch} is at", done.head.short),
                ("merge", head),
                ("changes", f"{change.n_changed} of {change.n_tensors} tensors"),
                ("length", f"{change.l2:.6g}, one value at most {change.max_abs:.6g}"),
                ("sends", f"{done.n_bytes} bytes" if done.commit else None),
            )
        ),
        table(
            ("model", "commit", "weight"),
            [
                (printable(one.name, 40), one.commit.short, one.weight)
                for one in done.models
            ],
        ),
    ]
    changed = [one for one in done.tensors if one.change is not Change.SAME]
    if changed:
        parts.append(changes_table(changed))
    return "\n\n".join(parts)
