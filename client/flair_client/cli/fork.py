"""`flair fork`: a repository of one's own that begins with another's head."""

from typing import Any

import click

from flair_client.cli.command import command
from flair_client.cli.options import policy_options, policy_overrides
from flair_client.cli.session import App
from flair_client.cli.types import REPO_NAME
from flair_client.porcelain.fork import Forked, fork


@command(
    "fork",
    result=Forked,
    examples=(
        "flair fork flair://devnet/9xQe…VkjF/heart",
        "flair fork 9xQe…VkjF/heart heart-north --open --min-updates 3",
        "flair fork flair://localnet/9xQe…VkjF/heart@trial trial",
    ),
)
@click.argument("address")
@click.argument("name", type=REPO_NAME, required=False)
@click.option(
    "--points-per-merge",
    type=click.IntRange(0, 2**64 - 1),
    default=1_000_000,
    metavar="N",
    help="Points that a merge shares out among its contributors; 1000000 without it.",
)
@policy_options
def fork_command(
    app: App, address: str, name: str | None, *, points_per_merge: int, **flags: Any
) -> None:
    """Makes a repository of your own from another's head.

    The other's history is verified first. Its weights and recipe become the root of the
    new repository as they are: every block is shared. The root tells which commit it
    comes from; flags change the policy, which is otherwise the other's. Killed on the
    way, the same command goes on where it stopped.
    """
    upstream = app.repo_address(address)
    ctx = app.context(signer=True, network=upstream.network, new_workspace=True)
    made = fork(
        ctx,
        upstream,
        name,
        points_per_merge=points_per_merge,
        policy=policy_overrides(flags),
        tell=lambda step: app.out.note(f"made {step}"),
    )
    app.out.result(made, lambda: str(made.repo))
    if not made.steps:
        app.out.note("it was forked already; nothing was done")
    app.out.note(f"fork of {made.upstream}; next: flair clone {made.repo}")
