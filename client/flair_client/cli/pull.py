"""`flair pull`: verifies what is new and moves to the head."""

import click

from flair_client.cli.command import command
from flair_client.cli.form import fetched_text, form_option
from flair_client.cli.session import App
from flair_client.cli.types import BRANCH_NAME, counted
from flair_client.porcelain.pull import Pulled, pull


@command(
    "pull",
    result=Pulled,
    examples=("flair pull", "flair pull --branch trial", "flair pull --json"),
)
@click.option(
    "--branch",
    type=BRANCH_NAME,
    metavar="NAME",
    help="Be on this branch from now on; without it the workspace's.",
)
@form_option
def pull_command(app: App, *, branch: str | None, light: bool | None) -> None:
    """Verifies what is new and moves to the head.

    Writes the weights of the newest valid commit to weights.safetensors and its recipe
    beside them. Where the head is invalid the workspace stays at the last valid commit,
    the command says why, and ends with 5.
    """
    workspace = app.workspace()
    ctx = app.context(network=workspace.repo().network)
    pulled = pull(ctx, workspace, branch, light=light)
    if app.settings.is_on("car.keep"):
        from flair_client.porcelain.kept_cars import keep_cars

        keep_cars(ctx, workspace)

    def text() -> str:
        if pulled.before == pulled.commit:
            return f"{pulled.branch} is at {pulled.commit.short}, nothing new"
        before = "nothing" if pulled.before is None else pulled.before.short
        return f"{pulled.branch}: {before} -> {pulled.commit.short}"

    if pulled.fault is None:
        app.out.result(pulled, text)
    else:
        app.out.result(pulled, text, exit_code=5, message=pulled.fault)
        app.out.warn(
            f"the head of {pulled.branch!r} is invalid: {pulled.fault}; "
            f"the workspace stays at {pulled.commit.short}, the last valid commit"
        )
    if pulled.n_verified:
        app.out.note(f"{counted(pulled.n_verified, 'new commit')} verified")
    if pulled.fetched.n_blocks:
        app.out.note(fetched_text(pulled.fetched))
    app.out.note(f"next: round {pulled.round_index}")
