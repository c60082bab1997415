"""`flair gc`: removes blocks that nothing names."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.porcelain.gc import DEFAULT_DAYS, Cleared, Removed, gc

_COLUMNS = 80
_MAX_SHOWN = 20


@command(
    "gc",
    result=Cleared,
    examples=(
        "flair gc --dry-run",
        "flair gc --prune-before 0",
        "flair gc --store --prune-before 30",
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would go.")
@click.option(
    "--prune-before",
    "days",
    type=click.FloatRange(min=0, max=36_500),
    default=DEFAULT_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Blocks that were used since then stay.",
)
@click.option(
    "--store",
    "shared",
    is_flag=True,
    help="The network's folder instead of the workspace's own blocks.",
)
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Go on where an object is missing that something names.",
)
def gc_command(
    app: App, *, dry_run: bool, days: float, shared: bool, force: bool
) -> None:
    """Removes blocks that nothing names.

    A block stays that HEAD, a branch, a tag, a commit in progress, an event or an
    account of the chain names, with everything behind it; and one that somebody wrote
    or relied on lately. What goes: commits that were made anew before they were pushed,
    what killed commands left, and what was fetched to be looked at once.
    """
    is_here = not shared or app.settings.workspace is not None
    workspace = app.workspace() if is_here else None
    is_bound = workspace is not None and workspace.is_bound
    network = workspace.repo().network if workspace is not None and is_bound else None
    found = gc(
        app.context(network=network),
        workspace,
        shared=shared,
        days=days,
        dry_run=dry_run,
        force=force,
    )
    app.out.result(found, lambda: cleared_text(found))


def cleared_text(found: Cleared) -> str:
    """Shows what went and what stayed, in 80 columns."""
    word = "would go" if found.dry_run else "removed"
    commits = [one for one in found.removed if one.what not in ("object", "block")]
    rows: list[tuple[str, object]] = [
        (word, _amount(len(found.removed), found.n_bytes)),
        ("kept", _amount(found.n_kept, found.n_kept_bytes)),
    ]
    if found.n_young:
        rows.append(
            ("too young", f"{_amount(found.n_young, found.n_young_bytes)} of these")
        )
    if found.n_foreign:
        rows.append(
            ("foreign", f"{found.n_foreign} commits of another network, all kept")
        )
    lines = [_line(one) for one in commits[:_MAX_SHOWN]]
    if len(commits) > _MAX_SHOWN:
        lines.append(f"… and {len(commits) - _MAX_SHOWN} more; --json lists them")
    return "\n".join((fields(rows), *lines))


def _amount(n_blocks: int, n_bytes: int) -> str:
    return f"{n_blocks} block{'' if n_blocks == 1 else 's'}, {n_bytes} bytes"


def _line(one: Removed) -> str:
    return printable(f"{one.size:>9}  {one.what}", _COLUMNS)
