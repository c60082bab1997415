"""`flair branch`: makes and shows branches."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import repo_option
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.cli.types import BRANCH_NAME
from flair_client.porcelain.branch import (
    BranchCreated,
    BranchList,
    branch_create,
    branch_list,
)


@group("branch", examples=("flair branch list", "flair branch create trial"))
def branch_command() -> None:
    """Makes and shows branches."""


@command("list", result=BranchList, examples=("flair branch list",))
@repo_option
def list_(app: App, *, repo: str | None) -> None:
    """Lists the branches of a repository."""
    address = app.repo_address(repo)
    found = branch_list(app.context(network=address.network), address)
    rows = [
        (
            item.name,
            "-" if item.head is None else item.head.short,
            item.head_seq,
            f"{item.round_index} {'live' if item.round_live else 'next'}",
            item.policy_index,
            "protected" if item.protected else "",
        )
        for item in found.branches
    ]
    header = ("BRANCH", "HEAD", "MOVES", "ROUND", "POLICY", "")
    app.out.result(found, lambda: table(header, rows) if rows else "")
    if not rows:
        app.out.note("no branches yet")


@command(
    "create",
    result=BranchCreated,
    examples=(
        "flair branch create trial",
        "flair branch create release --protected --policy 1",
    ),
)
@click.argument("name", type=BRANCH_NAME)
@repo_option
@click.option(
    "--policy",
    "policy_index",
    type=click.IntRange(min=0),
    metavar="N",
    help="Rules of its first round; without it the newest policy.",
)
@click.option("--protected", is_flag=True, help="Only the owner may move it.")
@click.option(
    "--statistics",
    is_flag=True,
    help="Begin with round 0, which collects statistics before training.",
)
def create(
    app: App,
    name: str,
    *,
    repo: str | None,
    policy_index: int | None,
    protected: bool,
    statistics: bool,
) -> None:
    """Makes a branch; it has no head until a root commit is pushed."""
    address = app.repo_address(repo)
    made = branch_create(
        app.context(signer=True, network=address.network),
        address,
        name,
        policy_index=policy_index,
        protected=protected,
        first_round=0 if statistics else 1,
    )
    app.out.result(made, lambda: f"branch {name} of {address}")


for _verb in (list_, create):
    branch_command.add_command(_verb)
