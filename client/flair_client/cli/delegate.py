"""`flair delegate`: machine keys that push for a wallet."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import repo_option
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, DURATION, Kind, time_text
from flair_client.ids import Address
from flair_client.porcelain.delegation import (
    Delegated,
    DelegationList,
    DelegationRevoked,
    delegation_create,
    delegation_list,
    delegation_revoke,
    delegation_rotate,
    machine_key_address,
)

_MACHINE_KEY = Kind("key", machine_key_address)
_expires = click.option(
    "--expires",
    "lasts_s",
    type=DURATION,
    required=True,
    metavar="TIME",
    help="How long the key may push, as 90d; at most 366d.",
)
_to = click.option(
    "--to",
    "machine_key",
    type=_MACHINE_KEY,
    required=True,
    metavar="KEY",
    help="The machine key: its address, or its file.",
)


@group(
    "delegate",
    examples=(
        "flair delegate create --to machine.json --expires 90d",
        "flair delegate list",
    ),
)
def delegate_command() -> None:
    """Lets machine keys push for a wallet.

    The wallet stays in its safe: a server pushes with a key of its own, which may do
    nothing else, in one repository, until it expires. Updates and points are the
    wallet's.
    """


@command(
    "create",
    result=Delegated,
    examples=(
        "flair delegate create --to machine.json --expires 90d",
        "flair delegate create --to 7Fq2…mW3a --expires 30d --repo 9xQe…VkjF/heart",
    ),
)
@_to
@_expires
@repo_option
def create(app: App, *, machine_key: Address, lasts_s: int, repo: str | None) -> None:
    """Lets a machine key push for the wallet in use; once more lets it for longer.

    On the machine itself, in its clone: `flair config set --local core.wallet` with the
    key's file, and `contribute.on_behalf_of` with the wallet's address.
    """
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    made = delegation_create(ctx, address, machine_key, lasts_s=lasts_s)
    app.out.result(
        made,
        lambda: (
            f"{machine_key} may push for {made.wallet} "
            f"until {time_text(made.expires_at)}"
        ),
    )
    app.out.note(
        "in the machine's clone: "
        f"flair config set --local contribute.on_behalf_of {made.wallet}"
    )


@command(
    "rotate",
    result=Delegated,
    examples=("flair delegate rotate --from 7Fq2…mW3a --to new.json --expires 90d",),
)
@click.option(
    "--from",
    "old_key",
    type=_MACHINE_KEY,
    required=True,
    metavar="KEY",
    help="The machine key that it replaces: its address, or its file.",
)
@_to
@_expires
@repo_option
def rotate(
    app: App,
    *,
    old_key: Address,
    machine_key: Address,
    lasts_s: int,
    repo: str | None,
) -> None:
    """Puts a new machine key in the place of an old one, at once."""
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    made = delegation_rotate(ctx, address, old_key, machine_key, lasts_s=lasts_s)
    app.out.result(
        made,
        lambda: (
            f"{machine_key} may push for {made.wallet} "
            f"until {time_text(made.expires_at)}"
            + ("" if made.replaced is None else f", {made.replaced} no longer")
        ),
    )


@command(
    "revoke",
    result=DelegationRevoked,
    examples=(
        "flair delegate revoke 7Fq2…mW3a",
        "flair delegate revoke 7Fq2…mW3a --of 9xQe…VkjF",
    ),
)
@click.argument("machine_key", type=_MACHINE_KEY, metavar="KEY")
@click.option(
    "--of",
    "delegator",
    type=ADDRESS,
    metavar="WALLET",
    help="Whose delegation; without it that of the wallet in use.",
)
@repo_option
def revoke(
    app: App, machine_key: Address, *, delegator: Address | None, repo: str | None
) -> None:
    """Takes a delegation back: the wallet, the key itself, anyone once it expired."""
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    gone = delegation_revoke(ctx, address, machine_key, wallet=delegator)
    app.out.result(
        gone, lambda: f"{gone.machine_key} may no longer push for {gone.wallet}"
    )


@command("list", result=DelegationList, examples=("flair delegate list --repo heart",))
@repo_option
def list_(app: App, *, repo: str | None) -> None:
    """Lists the machine keys of a repository, by wallet."""
    address = app.repo_address(repo)
    found = delegation_list(app.context(network=address.network), address)
    rows = [
        (
            item.wallet,
            item.machine_key,
            time_text(item.expires_at),
            "yes" if item.holds else "no",
        )
        for item in found.delegations
    ]
    header = ("WALLET", "MACHINE KEY", "EXPIRES", "HOLDS")
    app.out.result(found, lambda: table(header, rows) if rows else "no delegations")


for _verb in (create, list_, revoke, rotate):
    delegate_command.add_command(_verb)
