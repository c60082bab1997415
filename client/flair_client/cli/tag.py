"""`flair tag`: gives commits names of one's own."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.types import TAG_NAME, time_text
from flair_client.errors import UsageError
from flair_client.porcelain.tag import Tagged, tag_delete, tag_list, tag_set

_MESSAGE = 32


@command(
    "tag",
    result=Tagged,
    examples=(
        "flair tag",
        "flair tag ward-3-study -m 'the one that was validated'",
        "flair tag before-scanner main~2",
        "flair tag -d before-scanner",
    ),
)
@click.argument("name", required=False, type=TAG_NAME)
@click.argument("ref", required=False)
@click.option("-l", "--list", "listed", is_flag=True, help="List the tags.")
@click.option("-d", "--delete", metavar="NAME", help="Forget this tag.")
@click.option("-m", "--message", metavar="TEXT", help="What to say about the commit.")
@click.option("-f", "--force", is_flag=True, help="Move a tag that exists.")
def tag_command(
    app: App,
    name: str | None,
    ref: str | None,
    *,
    listed: bool,
    delete: str | None,
    message: str | None,
    force: bool,
) -> None:
    """Gives commits names of your own.

    A tag stands for its commit wherever a REF does: in log, show, diff, export, verify
    and revert. It stays in this workspace and does not move by itself. REF is HEAD
    without it. Without NAME the tags are listed.
    """
    workspace = app.workspace()
    if delete is not None:
        if name is not None or listed or message is not None or force:
            raise UsageError("-d takes the name of one tag and nothing else")
        gone = tag_delete(workspace, delete)
        app.out.result(gone, f"tag {delete} is gone")
        return
    if name is None or listed:
        if name is not None or message is not None or force:
            raise UsageError("-l takes no name and nothing else")
        _list(app, tag_list(workspace))
        return
    network = workspace.repo().network if workspace.is_bound else None
    made = tag_set(
        app.context(network=network),
        workspace,
        name,
        ref,
        message=message or "",
        replace=force,
    )
    if made.made is not None:
        app.out.result(made, f"tag {name} is commit {made.made.commit.short}")


def _list(app: App, found: Tagged) -> None:
    rows = [
        (tag.name, tag.commit.short, time_text(tag.time), _message(tag.message))
        for tag in found.tags
    ]
    header = ("TAG", "COMMIT", "MADE", "MESSAGE")
    app.out.result(found, lambda: table(header, rows) if rows else "")
    if not rows:
        app.out.note("no tags yet")
    for name in found.hidden:
        app.out.warn(f"a branch named {name!r} hides the tag: rename the tag")


def _message(text: str) -> str:
    return printable(text, _MESSAGE)
