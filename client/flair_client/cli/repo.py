"""`flair repo`: makes and shows repositories."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, REPO_NAME, time_text
from flair_client.ids import Address
from flair_client.porcelain.branch import Branch
from flair_client.porcelain.repo import (
    RepoCreated,
    RepoList,
    RepoShown,
    repo_create,
    repo_list,
    repo_show,
)


@group("repo", examples=("flair repo create heart", "flair repo show"))
def repo_command() -> None:
    """Makes and shows repositories."""


@command(
    "create",
    result=RepoCreated,
    examples=("flair repo create heart", "flair repo create heart --json"),
)
@click.argument("name", type=REPO_NAME)
@click.option(
    "--points-per-merge",
    type=click.IntRange(0, 2**64 - 1),
    default=1_000_000,
    metavar="N",
    help="Points that a merge shares out among its contributors; 1000000 without it.",
)
def create(app: App, name: str, *, points_per_merge: int) -> None:
    """Makes a repository that belongs to the wallet in use."""
    made = repo_create(
        app.context(signer=True), name, points_per_merge=points_per_merge
    )
    app.out.result(made, lambda: str(made.repo))


@command(
    "show",
    result=RepoShown,
    examples=("flair repo show", "flair repo show flair://devnet/9xQe…VkjF/heart"),
)
@click.argument("repo", required=False)
def show(app: App, repo: str | None) -> None:
    """Shows a repository: owner, branches, history root."""
    address = app.repo_address(repo)
    found = repo_show(app.context(network=address.network), address)

    def text() -> str:
        head = fields(
            (
                ("repository", found.repo),
                ("account", found.account),
                ("owner", found.authority),
                ("creator", found.creator),
                ("made", time_text(found.created_at)),
                ("policies", found.policy_count),
                ("events", found.event_seq),
                ("history root", found.history_root),
                ("points", f"{found.points_total} ({found.points_per_merge} a merge)"),
            )
        )
        lines = [branch_text(branch) for branch in found.branches]
        return "\n".join((head, *lines))

    app.out.result(found, text)


def branch_text(branch: Branch) -> str:
    """Shows a branch in one line."""
    head = "no root yet" if branch.head is None else branch.head.short
    state = "in progress" if branch.round_live else "next"
    lock = ", protected" if branch.protected else ""
    return f"branch {branch.name}: {head}, round {branch.round_index} {state}{lock}"


@command(
    "list",
    result=RepoList,
    examples=("flair repo list", "flair repo list --creator 9xQe…VkjF"),
)
@click.option(
    "--creator", type=ADDRESS, metavar="ADDRESS", help="Only those of this wallet."
)
def list_(app: App, *, creator: Address | None) -> None:
    """Lists the repositories of a network."""
    found = repo_list(app.context(), creator)
    rows = [(row.repo, row.event_seq, time_text(row.created_at)) for row in found.repos]
    header = ("REPOSITORY", "EVENTS", "MADE")
    app.out.result(found, lambda: table(header, rows) if rows else "")
    if not rows:
        app.out.note(f"no repositories on {found.network!r}")


for _verb in (create, show, list_):
    repo_command.add_command(_verb)
