"""`flair round`: opens, closes, aborts and shows rounds."""

from collections.abc import Callable

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import branch_option, repo_option, round_option
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import time_text, votes_text
from flair_client.cli.update_text import updates_table
from flair_client.porcelain.round import (
    Round,
    RoundCleared,
    RoundList,
    RoundMoved,
    RoundShown,
    round_abort,
    round_close,
    round_expire,
    round_list,
    round_open,
    round_show,
)


@group("round", examples=("flair round show", "flair round close"))
def round_command() -> None:
    """Opens, closes, aborts and shows rounds.

    Whoever sees that a round can go on may move it on; none of these needs a role.
    """


@command("show", result=RoundShown, examples=("flair round show", "flair round show 3"))
@click.argument("index", type=click.IntRange(min=0), required=False)
@repo_option
@branch_option
def show(app: App, index: int | None, *, repo: str | None, branch: str | None) -> None:
    """Shows a round and its updates; without INDEX the live or the last one."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    found = round_show(app.context(network=address.network), address, name, index)

    def text() -> str:
        body = round_text(found.round)
        return f"{body}\n\n{updates_table(found.updates)}" if found.updates else body

    app.out.result(found, text)


def round_text(round_: Round) -> str:
    """Shows a round to people."""
    state = round_.state.name.lower() + ("" if round_.live else " (over)")
    closed = round_.closed_at
    limits = f"at least {round_.min_updates}, at most {round_.max_updates}"
    return fields(
        (
            ("round", f"{round_.round_index} of {round_.branch}"),
            ("state", state),
            ("base", round_.base_commit.short),
            ("policy", round_.policy_index),
            ("updates", f"{round_.n_accepted} accepted, {limits}"),
            ("added up", f"{round_.n_accumulated} of {round_.n_accepted}"),
            (
                "a merge needs",
                votes_text(round_.approvals_needed, round_.attestations_needed),
            ),
            ("opened", time_text(round_.opened_at)),
            ("deadline", time_text(round_.deadline)),
            ("closed", None if closed is None else time_text(closed)),
            ("merge", None if round_.merge_commit is None else round_.merge_commit),
        )
    )


@command("list", result=RoundList, examples=("flair round list --limit 5",))
@repo_option
@branch_option
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    metavar="N",
    help="Look at this many of the newest; 20 without it.",
)
def list_(app: App, *, repo: str | None, branch: str | None, limit: int) -> None:
    """Lists rounds that are in progress or not cleared away; merges are in the log."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    found = round_list(ctx, address, name, limit=limit)
    rows = [
        (
            item.round_index,
            item.state.name.lower() + ("" if item.live else " (over)"),
            item.n_accepted,
            time_text(item.deadline),
            item.base_commit.short,
        )
        for item in found.rounds
    ]
    header = ("ROUND", "STATE", "UPDATES", "DEADLINE", "BASE")
    app.out.result(found, lambda: table(header, rows) if rows else "")
    if not rows:
        app.out.note(f"no round; the next one is {found.next_round_index}")


def _move(
    app: App,
    repo: str | None,
    branch: str | None,
    do: Callable[..., RoundMoved],
    *index: int | None,
) -> None:
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    moved = do(ctx, address, name, *index)
    app.out.result(
        moved,
        lambda: (
            f"round {moved.round_index} of {moved.branch} is "
            f"{moved.state.name.lower()} with {moved.n_accepted} updates, "
            f"deadline {time_text(moved.deadline)}"
        ),
    )


@command("open", result=RoundMoved, examples=("flair round open",))
@repo_option
@branch_option
def open_(app: App, *, repo: str | None, branch: str | None) -> None:
    """Opens the next round; `flair push` does it by itself."""
    _move(app, repo, branch, round_open)


@command("close", result=RoundMoved, examples=("flair round close",))
@repo_option
@branch_option
def close(app: App, *, repo: str | None, branch: str | None) -> None:
    """Closes the live round, when it is full or its deadline has passed."""
    _move(app, repo, branch, round_close)


@command("abort", result=RoundMoved, examples=("flair round abort",))
@repo_option
@branch_option
@round_option
def abort(
    app: App, *, repo: str | None, branch: str | None, round_index: int | None
) -> None:
    """Ends a round that can no longer be merged."""
    _move(app, repo, branch, round_abort, round_index)


@command(
    "expire",
    result=RoundCleared,
    examples=("flair round expire", "flair round expire --round 3"),
)
@repo_option
@branch_option
@round_option
def expire(
    app: App, *, repo: str | None, branch: str | None, round_index: int | None
) -> None:
    """Clears away what is left of a round that is over; rent goes back."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    cleared = round_expire(ctx, address, name, round_index)
    app.out.result(
        cleared,
        lambda: (
            f"round {cleared.round_index} of {cleared.branch}: "
            f"{cleared.n_updates} updates, {cleared.n_candidates} candidates and "
            f"{cleared.n_attestations} attestations closed"
        ),
    )


for _verb in (show, list_, open_, close, abort, expire):
    round_command.add_command(_verb)
