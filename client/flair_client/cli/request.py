"""`flair request`: wallets that ask to join."""

from dataclasses import replace

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import repo_option
from flair_client.cli.role import scope_text
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.types import ADDRESS, time_text
from flair_client.ids import Address
from flair_client.invite_link import check_sponsor_url
from flair_client.porcelain.join import (
    JoinRequest,
    JoinRequestList,
    RequestClosed,
    join_request_close,
    join_request_list,
)


@group("request", examples=("flair request list", "flair request close 9xQe…VkjF"))
def request_command() -> None:
    """Shows and closes requests to join.

    `flair role grant` answers a request with a role and closes it.
    """


@command("list", result=JoinRequestList, examples=("flair request list --repo heart",))
@repo_option
def list_(app: App, *, repo: str | None) -> None:
    """Lists the requests that wait for an answer, oldest first."""
    address = app.repo_address(repo)
    found = join_request_list(app.context(network=address.network), address)
    app.out.result(
        found, lambda: "\n".join(map(_text, found.requests)) or "no requests"
    )


@command(
    "close",
    result=RequestClosed,
    examples=("flair request close 9xQe…VkjF", "flair request close --repo heart"),
)
@click.argument("applicant", type=ADDRESS, metavar="[WALLET]", required=False)
@click.option(
    "--sponsor",
    metavar="URL",
    help="Who pays for withdrawing; without it the setting sponsor.url.",
)
@repo_option
def close(
    app: App, applicant: Address | None, *, sponsor: str | None, repo: str | None
) -> None:
    """Declines a request; without WALLET your own is withdrawn."""
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    if sponsor is not None:
        ctx = replace(ctx, sponsor_url=check_sponsor_url(sponsor))
    gone = join_request_close(ctx, address, applicant)
    app.out.result(gone, lambda: f"the request of {gone.wallet} is closed")


def _text(one: JoinRequest) -> str:
    line = (
        f"{one.wallet}  to {scope_text(one.scope)} on {one.branch or 'every branch'}, "
        f"{time_text(one.requested_at)}"
    )
    if one.note is not None:
        line += f"\n    {printable(one.note, 300)}"
    elif one.note_problem is not None:
        line += f"\n    (the note cannot be shown: {printable(one.note_problem, 100)})"
    return line


for _verb in (list_, close):
    request_command.add_command(_verb)
