"""`flair update`: shows, rejects and withdraws updates."""

from collections.abc import Sequence

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import branch_option, repo_option, round_option
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, time_text
from flair_client.ids import Address
from flair_client.porcelain.update import (
    RejectReason,
    UpdateList,
    UpdateMoved,
    UpdateRow,
    UpdateShown,
    update_list,
    update_reject,
    update_show,
    update_withdraw,
)

_REASONS = tuple(member.name.lower() for member in RejectReason)


@group("update", examples=("flair update list", "flair update withdraw"))
def update_command() -> None:
    """Shows, rejects and withdraws updates."""


@command("list", result=UpdateList, examples=("flair update list",))
@repo_option
@branch_option
@round_option
def list_(
    app: App, *, repo: str | None, branch: str | None, round_index: int | None
) -> None:
    """Lists the updates of a round in the order in which they are summed."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    found = update_list(ctx, address, name, round_index)
    app.out.result(found, lambda: updates_table(found.updates) if found.updates else "")
    if not found.updates:
        app.out.note(f"round {found.round_index} of {name} has no updates")


def updates_table(updates: Sequence[UpdateRow]) -> str:
    """Lays out updates for people."""
    rows = [
        (
            item.contributor,
            item.commit_id.short,
            item.weight,
            status_text(item),
            time_text(item.pushed_at),
        )
        for item in updates
    ]
    return table(("CONTRIBUTOR", "COMMIT", "WEIGHT", "STATUS", "PUSHED"), rows)


def status_text(update: UpdateRow) -> str:
    """Shows an update's status with the reason of a rejection."""
    status = update.status.name.lower()
    reason = update.reject_reason
    return status if reason is None else f"{status}: {reason}"


@command("show", result=UpdateShown, examples=("flair update show 9xQe…VkjF",))
@click.argument("contributor", type=ADDRESS, metavar="CONTRIBUTOR")
@repo_option
@branch_option
@round_option
def show(
    app: App,
    contributor: Address,
    *,
    repo: str | None,
    branch: str | None,
    round_index: int | None,
) -> None:
    """Shows a contributor's update of a round."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    found = update_show(ctx, address, name, contributor, round_index)
    item = found.update
    app.out.result(
        found,
        lambda: fields(
            (
                ("contributor", item.contributor),
                ("round", f"{found.round_index} of {found.branch}"),
                ("commit", item.commit_id),
                ("delta", item.payload_digest),
                ("weight", item.weight),
                ("status", status_text(item)),
                ("pushed", time_text(item.pushed_at)),
            )
        ),
    )


@command(
    "reject",
    result=UpdateMoved,
    examples=("flair update reject 9xQe…VkjF --reason outlier",),
)
@click.argument("contributor", type=ADDRESS, metavar="CONTRIBUTOR")
@click.option(
    "--reason",
    required=True,
    type=click.Choice(_REASONS),
    help="Public, and part of the history.",
)
@repo_option
@branch_option
def reject(
    app: App, contributor: Address, *, reason: str, repo: str | None, branch: str | None
) -> None:
    """Leaves an update out of the live round, with a public reason; owner only."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    code = RejectReason[reason.upper()]
    done = update_reject(ctx, address, name, contributor, code)
    app.out.result(
        done,
        lambda: f"update {done.commit_id.short} of {contributor} is rejected: {reason}",
    )


@command("withdraw", result=UpdateMoved, examples=("flair update withdraw",))
@repo_option
@branch_option
def withdraw(app: App, *, repo: str | None, branch: str | None) -> None:
    """Takes your own update out of the open round; rent and deposit come back."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    done = update_withdraw(ctx, address, name)
    app.out.result(
        done,
        lambda: (
            f"update {done.commit_id.short} is out of round {done.round_index} "
            f"of {done.branch}"
        ),
    )


for _verb in (list_, show, reject, withdraw):
    update_command.add_command(_verb)
