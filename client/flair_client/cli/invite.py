"""`flair invite`: links that let others take a role themselves."""

from collections.abc import Sequence

import click

from flair_client.chain.accounts import Scope
from flair_client.cli.command import command, group
from flair_client.cli.options import repo_option
from flair_client.cli.output import table
from flair_client.cli.role import scope_of, scope_text, until_text
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, BRANCH_NAME, DURATION, time_text
from flair_client.ids import Address
from flair_client.porcelain.invite import (
    Invited,
    InviteList,
    InviteRevoked,
    invite_create,
    invite_list,
    invite_revoke,
)

INVITABLE = tuple(str(one.name).lower() for one in Scope if one is not Scope.ADMINISTER)


@group(
    "invite",
    examples=(
        "flair invite create --scope contribute --expires 30d",
        "flair invite list",
    ),
)
def invite_command() -> None:
    """Makes and revokes links with which others join.

    Whoever has a link may take the role that it offers, with a wallet of their own.
    Only a public key goes on chain; the secret is in the link alone.
    """


@command(
    "create",
    result=Invited,
    examples=(
        "flair invite create --scope contribute --expires 30d",
        "flair invite create --expires 7d --uses 20 --sponsor https://pay.example.org",
    ),
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(INVITABLE),
    default=("contribute",),
    help="What the roles allow; may be repeated. Without it to contribute.",
)
@click.option(
    "--expires",
    "lasts_s",
    type=DURATION,
    required=True,
    metavar="TIME",
    help="How long the link can be used, as 30d or 12h.",
)
@click.option(
    "--uses",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="How many wallets may use it; 1 without it.",
)
@repo_option
@click.option(
    "--branch",
    type=BRANCH_NAME,
    metavar="NAME",
    help="The roles hold on this branch only; without it in the whole repository.",
)
@click.option(
    "--role-expires",
    "role_lasts_s",
    type=DURATION,
    metavar="TIME",
    help="How long the roles hold, from now; without it for ever.",
)
@click.option(
    "--sponsor",
    metavar="URL",
    help="Who pays for those who join; without it the setting sponsor.url.",
)
def create(
    app: App,
    *,
    scopes: Sequence[str],
    lasts_s: int,
    uses: int,
    repo: str | None,
    branch: str | None,
    role_lasts_s: int | None,
    sponsor: str | None,
) -> None:
    """Makes a link and prints it once.

    Send it as you would send a password. It holds the secret, so it cannot be shown
    again; `flair invite revoke` makes it worthless.
    """
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    made = invite_create(
        ctx,
        address,
        scope_of(scopes),
        lasts_s=lasts_s,
        uses=uses,
        branch=branch,
        role_lasts_s=role_lasts_s,
        sponsor_url=sponsor or ctx.sponsor_url,
    )
    app.out.result(made, made.link)
    who = "one wallet" if uses == 1 else f"{uses} wallets"
    app.out.note(
        f"for {who}, to {scope_text(made.scope)} on {branch or 'every branch'}"
        f"{until_text(made.role_expires_at)}; the link works"
        f"{until_text(made.expires_at)}"
    )
    app.out.note(f"it is not shown again; take it back: flair invite revoke {made.key}")


@command("list", result=InviteList, examples=("flair invite list --repo heart",))
@repo_option
def list_(app: App, *, repo: str | None) -> None:
    """Lists the invites that are neither used up nor revoked."""
    address = app.repo_address(repo)
    found = invite_list(app.context(network=address.network), address)
    rows = [
        (
            item.key,
            item.branch or "*",
            scope_text(item.scope),
            item.uses_left,
            time_text(item.expires_at),
            "yes" if item.holds else "no",
        )
        for item in found.invites
    ]
    header = ("KEY", "BRANCH", "MAY", "LEFT", "EXPIRES", "HOLDS")
    app.out.result(found, lambda: table(header, rows) if rows else "no invites")


@command("revoke", result=InviteRevoked, examples=("flair invite revoke 4kQd…9sXy",))
@click.argument("key", type=ADDRESS, metavar="KEY")
@repo_option
def revoke(app: App, key: Address, *, repo: str | None) -> None:
    """Makes a link worthless; roles taken with it stay.

    KEY is the invite's public key, as `flair invite list` shows it.
    """
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    gone = invite_revoke(ctx, address, key)
    app.out.result(gone, lambda: f"invite {key} is revoked, {gone.uses_left} uses left")


for _verb in (create, list_, revoke):
    invite_command.add_command(_verb)
