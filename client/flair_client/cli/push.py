"""`flair push`: sends the commit to the store and the chain."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.porcelain.push import Pushed, push


@command(
    "push",
    result=Pushed,
    examples=("flair push", "flair push --dry-run", "flair push --json"),
)
@click.option(
    "--dry-run", is_flag=True, help="List what would leave the machine; send nothing."
)
def push_command(app: App, *, dry_run: bool) -> None:
    """Sends the commit to the store and the chain.

    Blocks go to the store first, then the update to the chain; where no round is in
    progress one is opened. Cut off on the way, the same command goes on where it
    stopped, and nothing is sent twice.
    """
    workspace = app.workspace()
    ctx = app.context(signer=True, network=workspace.repo().network)
    pushed = push(ctx, workspace, dry_run=dry_run)

    def text() -> str:
        if not dry_run:
            return (
                f"{pushed.commit.short} is in round {pushed.round_index} of "
                f"{pushed.branch} with weight {pushed.weight}"
            )
        return table(("WHAT", "BLOCK"), [(one.what, one.cid) for one in pushed.blocks])

    app.out.result(pushed, text)
    if dry_run:
        app.out.note("nothing was sent")
    else:
        app.out.note(f"{pushed.n_blocks} blocks sent, {pushed.n_bytes} bytes")
