"""`flair role`: grants and revokes roles."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

import click

from flair_client.chain.accounts import Scope
from flair_client.cli.command import command, group
from flair_client.cli.options import repo_option
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, BRANCH_NAME, DURATION, time_text
from flair_client.ids import Address
from flair_client.porcelain.role import (
    RoleGranted,
    RoleList,
    RoleRevoked,
    role_grant,
    role_list,
    role_revoke,
)

_WORDS = tuple(str(member.name).lower() for member in Scope)
_only_branch = click.option(
    "--branch",
    type=BRANCH_NAME,
    metavar="NAME",
    help="Only on this branch; without it in the whole repository.",
)


@group("role", examples=("flair role grant ADDRESS contribute", "flair role list"))
def role_command() -> None:
    """Grants and revokes roles.

    contribute: push updates where the policy says "invited". merge: propose merges.
    attest: vouch for merges. administer: make policies and branches, grant roles.
    """


@command(
    "grant",
    result=RoleGranted,
    examples=(
        "flair role grant 9xQe…VkjF contribute --expires 90d",
        "flair role grant 9xQe…VkjF contribute merge --branch main",
    ),
)
@click.argument("grantee", type=ADDRESS, metavar="ADDRESS")
@click.argument(
    "scopes",
    nargs=-1,
    required=True,
    type=click.Choice(_WORDS),
    metavar="[contribute|merge|attest|administer]...",
)
@repo_option
@_only_branch
@click.option(
    "--expires",
    "lasts_s",
    type=DURATION,
    metavar="TIME",
    help="How long it holds, as 30d or 12h; without it for ever.",
)
def grant(
    app: App,
    grantee: Address,
    scopes: Sequence[str],
    *,
    repo: str | None,
    branch: str | None,
    lasts_s: int | None,
) -> None:
    """Gives a wallet a role.

    Where the wallet has asked to join, its request is answered and closed with it.
    """
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    made = role_grant(
        ctx, address, grantee, scope_of(scopes), branch=branch, lasts_s=lasts_s
    )
    app.out.result(
        made,
        lambda: (
            f"{grantee} may {scope_text(made.scope)} on {branch or 'every branch'}"
            f"{until_text(made.expires_at)}"
        ),
    )
    if made.answers_request:
        app.out.note("the wallet's request to join is answered with it")


@command("revoke", result=RoleRevoked, examples=("flair role revoke 9xQe…VkjF",))
@click.argument("grantee", type=ADDRESS, metavar="ADDRESS")
@repo_option
@_only_branch
def revoke(app: App, grantee: Address, *, repo: str | None, branch: str | None) -> None:
    """Takes a wallet's role back."""
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    gone = role_revoke(ctx, address, grantee, branch=branch)
    app.out.result(gone, lambda: f"{grantee} may no longer {scope_text(gone.scope)}")


@command("list", result=RoleList, examples=("flair role list --repo heart",))
@repo_option
def list_(app: App, *, repo: str | None) -> None:
    """Lists the roles of a repository."""
    address = app.repo_address(repo)
    found = role_list(app.context(network=address.network), address)
    rows = [
        (
            item.grantee,
            item.branch or "*",
            scope_text(item.scope),
            "-" if item.expires_at is None else time_text(item.expires_at),
            "yes" if item.holds else "no",
        )
        for item in found.roles
    ]

    def text() -> str:
        owner = f"owner {found.authority}"
        header = ("GRANTEE", "BRANCH", "MAY", "EXPIRES", "HOLDS")
        return f"{owner}\n{table(header, rows)}" if rows else owner

    app.out.result(found, text)


def scope_of(words: Sequence[str]) -> Scope:
    """Gives the scope that some words name together."""
    return reduce(or_, (Scope[word.upper()] for word in words))


def scope_text(scope: Scope) -> str:
    """Shows what a role allows, as `contribute, merge`."""
    return ", ".join(str(item.name).lower() for item in Scope if item in scope)


def until_text(expires_at: int | None) -> str:
    """Shows until when, as a part of a sentence."""
    return "" if expires_at is None else f" until {time_text(expires_at)}"


for _verb in (grant, revoke, list_):
    role_command.add_command(_verb)
