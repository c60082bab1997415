"""`flair update`: lists, reviews, accepts, rejects and withdraws updates."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import branch_option, repo_option, round_option
from flair_client.cli.session import App
from flair_client.cli.train import data_source, map_for
from flair_client.cli.update_text import review_text, reviews_text
from flair_client.context import Context
from flair_client.errors import IdentifierInvalid, Refused
from flair_client.ids import Address
from flair_client.porcelain.scoring import Scorer
from flair_client.porcelain.update import (
    RejectReason,
    UpdateMoved,
    UpdateRow,
    UpdateShown,
    update_list,
    update_reject,
    update_withdraw,
)
from flair_client.porcelain.update_review import (
    Review,
    accept_update,
    find_update,
    review_updates,
)
from flair_client.repo_address import RepoAddress

_REASONS = tuple(member.name.lower() for member in RejectReason)
_data_option = click.option(
    "--data",
    metavar="NAME|FILE",
    help="Rows of your own to score on: a data source, or a file.",
)


@group(
    "update",
    examples=(
        "flair update list",
        "flair update show 3f9c2a1b --data held-out.csv",
        "flair update withdraw",
    ),
)
def update_command() -> None:
    """Lists, reviews, accepts, rejects and withdraws updates."""


@command(
    "list",
    result=Review,
    examples=(
        "flair update list",
        "flair update list --compare",
        "flair update list --data held-out.csv",
    ),
)
@click.option(
    "--compare",
    is_flag=True,
    help="Read every value: check updates as a merge would, compare directions.",
)
@_data_option
@repo_option
@branch_option
@round_option
def list_(
    app: App,
    *,
    compare: bool,
    data: str | None,
    repo: str | None,
    branch: str | None,
    round_index: int | None,
) -> None:
    """Lists the updates of a round in the order in which they are summed.

    With how long each is by the policy's bound, and what became of its contributor's
    earlier ones. With --data also the score of the head with all of it, and of the
    merge of all others without it.
    """
    found = _review(app, repo, branch, round_index, compare=compare, data=data)
    app.out.result(found, lambda: reviews_text(found) if found.updates else "")
    if not found.updates:
        app.out.note(f"round {found.round_index} of {found.branch} has no updates")


@command(
    "show",
    result=Review,
    examples=(
        "flair update show 3f9c2a1b",
        "flair update show 9xQe…VkjF --data held-out.csv",
    ),
)
@click.argument("update", metavar="ID")
@_data_option
@repo_option
@branch_option
@round_option
def show(
    app: App,
    update: str,
    *,
    data: str | None,
    repo: str | None,
    branch: str | None,
    round_index: int | None,
) -> None:
    """Shows what an update of a round does, before it counts.

    ID is the contributor's address, or six or more digits of the update's id. Every
    value of the round's updates is read: the update is checked as a merge would check
    it and compared with the others.
    """
    found = _review(
        app, repo, branch, round_index, compare=True, data=data, only=update
    )
    app.out.result(found, lambda: review_text(found, found.updates[0]))


def _review(
    app: App,
    repo: str | None,
    branch: str | None,
    index: int | None,
    *,
    compare: bool,
    data: str | None,
    only: str | None = None,
) -> Review:
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    # Another repository's blocks and trust are not those of the workspace one is in.
    is_here = repo is None and app.settings.workspace is not None
    workspace = app.workspace() if is_here else None
    with ExitStack() as stack:
        scorer = None
        if data is not None:
            folder = app.settings.workspace or Path.cwd()
            source = data_source(app, folder, data)
            mapped = map_for(app, folder, source, (), None)
            scorer = Scorer(ctx, source.with_map(mapped), workspace)
            if workspace is not None:
                stack.enter_context(workspace.lock())
        return review_updates(
            ctx,
            address,
            name,
            index=index,
            only=only,
            compare=compare,
            scorer=scorer,
            workspace=workspace,
        )


@command("accept", result=UpdateShown, examples=("flair update accept 3f9c2a1b",))
@click.argument("update", metavar="ID")
@branch_option
@round_option
def accept(
    app: App, update: str, *, branch: str | None, round_index: int | None
) -> None:
    """Notes in this workspace that you looked at an update and let it count.

    Nothing is sent: a round counts every update that is not rejected. `flair update
    list` shows what you have looked at.
    """
    workspace = app.workspace()
    address = app.repo_address(None)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    listed = update_list(ctx, address, name, round_index)
    row = find_update(listed.updates, update)
    if row.reject_reason is not None:
        raise Refused(f"update {row.commit_id.short} was rejected: {row.reject_reason}")
    with workspace.lock():
        accept_update(workspace, row)
    app.out.result(
        UpdateShown(address, name, listed.round_index, row),
        lambda: f"update {row.commit_id.short} of {row.contributor} is accepted here",
    )


@command(
    "reject",
    result=UpdateMoved,
    examples=("flair update reject 3f9c2a1b --reason outlier",),
)
@click.argument("update", metavar="ID")
@click.option(
    "--reason",
    required=True,
    type=click.Choice(_REASONS),
    help="Public, and part of the history.",
)
@repo_option
@branch_option
def reject(
    app: App, update: str, *, reason: str, repo: str | None, branch: str | None
) -> None:
    """Leaves an update out of the live round, with a public reason; owner only."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    code = RejectReason[reason.upper()]
    contributor = _contributor(ctx, address, name, update)
    done = update_reject(ctx, address, name, contributor, code)
    app.out.result(
        done,
        lambda: f"update {done.commit_id.short} of {contributor} is rejected: {reason}",
    )


def _contributor(ctx: Context, repo: RepoAddress, branch: str, text: str) -> Address:
    """Whose update is meant, by address or by digits of its id."""
    try:
        return Address.parse(text)
    except IdentifierInvalid:
        rows: Sequence[UpdateRow] = update_list(ctx, repo, branch).updates
        return find_update(rows, text).contributor


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


for _verb in (list_, show, accept, reject, withdraw):
    update_command.add_command(_verb)
