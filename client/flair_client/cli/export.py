"""`flair export`: the weights of a commit as a file."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.porcelain.export import Exported, export


@command(
    "export",
    result=Exported,
    examples=(
        "flair export",
        "flair export HEAD~1 -o before.safetensors",
        "flair export main -o model.safetensors --force",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; without it NAME-COMMIT.safetensors in the current folder.",
)
@click.option("-f", "--force", is_flag=True, help="Replace FILE where it exists.")
def export_command(
    app: App, ref: str | None, *, output: Path | None, force: bool
) -> None:
    """Writes the weights of a commit as safetensors.

    REF is a branch, HEAD, the first six or more digits of a commit, or one of them with
    ~N; without it HEAD.
    """
    workspace = app.workspace()
    ctx = app.context(network=workspace.repo().network)
    made = export(ctx, workspace, ref, output, replace=force)
    app.out.result(
        made,
        lambda: fields(
            (
                ("commit", f"{made.commit} ({made.kind})"),
                ("file", made.file),
                ("bytes", made.n_bytes),
                ("sha256", made.sha256),
            )
        ),
    )
    if not made.verified:
        app.out.warn("this commit was not verified on this machine; see flair verify")
