"""`flair repo`: makes, shows and hands over repositories."""

import functools
from typing import Any

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import policy_options, policy_overrides
from flair_client.cli.output import fields, table
from flair_client.cli.repo_offer import accept, offer
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, BRANCH_NAME, REPO_NAME, time_text
from flair_client.errors import UsageError
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
from flair_client.porcelain.repo_publish import RepoPublished, repo_publish
from flair_client.repo_address import RepoAddress


@group("repo", examples=("flair repo create heart", "flair repo show"))
def repo_command() -> None:
    """Makes, shows and hands over repositories."""


@command(
    "create",
    result=RepoPublished | RepoCreated,
    examples=(
        "flair repo create heart",
        "flair repo create heart --min-updates 3 --round-length 7d --open",
        "flair repo create heart --bare",
    ),
)
@click.argument("name", type=REPO_NAME)
@click.option(
    "--branch",
    type=BRANCH_NAME,
    default="main",
    show_default=True,
    metavar="NAME",
    help="Name of the first branch.",
)
@click.option("--protected", is_flag=True, help="Only the owner may move the branch.")
@click.option(
    "--points-per-merge",
    type=click.IntRange(0, 2**64 - 1),
    default=1_000_000,
    metavar="N",
    help="Points that a merge shares out among its contributors; 1000000 without it.",
)
@click.option(
    "--bare",
    is_flag=True,
    help="Only the repository: no policy, branch or root commit.",
)
@policy_options
def create(
    app: App,
    name: str,
    *,
    branch: str,
    protected: bool,
    points_per_merge: int,
    bare: bool,
    **flags: Any,
) -> None:
    """Makes a repository and publishes the workspace's model in it.

    In a workspace that `flair init` made this makes the repository, its policy (the
    recipe's [policy] table; flags win), its first branch and the root commit. Killed
    on the way, the same command goes on where it stopped. Outside of a workspace, or
    with `--bare`, it makes the repository alone.
    """
    overrides = policy_overrides(flags)
    if bare or app.settings.workspace is None:
        if overrides or protected:
            raise UsageError(
                "policy and branch are made with the model of a workspace, and "
                + ("--bare makes none" if bare else "this folder is in none")
            )
        made = repo_create(
            app.context(signer=True), name, points_per_merge=points_per_merge
        )
        app.out.result(made, lambda: str(made.repo))
        if not bare:
            app.out.note("no workspace is here: policy, branch and root were not made")
        return
    # Weights and recipes are needed for this alone.
    from flair_client.porcelain.publish import describe_root, publish_root

    ctx = app.context(signer=True)
    folder = app.settings.workspace
    published = repo_publish(
        ctx,
        name,
        describe_root(folder, RepoAddress(ctx.network.name, ctx.wallet.address, name)),
        functools.partial(publish_root, ctx, folder),
        branch=branch,
        points_per_merge=points_per_merge,
        protected=protected,
        policy=overrides,
        tell=lambda step: app.out.note(f"made {step}"),
    )
    app.out.result(published, lambda: str(published.repo))


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
                ("offered to", found.offered_to),
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


for _verb in (create, show, list_, offer, accept):
    repo_command.add_command(_verb)
