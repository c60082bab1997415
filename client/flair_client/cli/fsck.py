"""`flair fsck`: checks the blocks of the workspace."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.errors import UsageError, WorkspaceDamaged
from flair_client.porcelain.fsck import Checked, fsck
from flair_client.porcelain.fsck_files import Fault
from flair_client.porcelain.fsck_remote import (
    HeadPlace,
    HeadPlaces,
    RemoteChecked,
    fsck_remote,
)

_MAX_SHOWN = 20


@command(
    "fsck",
    result=Checked | RemoteChecked,
    examples=(
        "flair fsck",
        "flair fsck --repair",
        "flair fsck --remote",
        "flair fsck --json",
    ),
)
@click.option(
    "--repair",
    is_flag=True,
    help="Fetch broken and missing blocks again; put damaged files aside.",
)
@click.option(
    "--remote",
    is_flag=True,
    help="Tell which heads can be had where, instead of checking what is here.",
)
def fsck_command(app: App, *, repair: bool, remote: bool) -> None:
    """Checks the blocks of the workspace.

    Compares every block with its digest, looks for everything that HEAD, the branches
    and a commit that was not pushed need, and reads the workspace's own files. Ends
    with exit code 5 where something is wrong and stays so. The chain is not asked; the
    shared store only for repairs.

    With --remote the network's store and every gateway are asked for each block of each
    head and its history. Ends with 5 where nobody else has a head whole.
    """
    if repair and remote:
        raise UsageError("--repair mends what is here, --remote only looks elsewhere")
    workspace = app.workspace()
    network = workspace.repo().network if workspace.is_bound else None
    if remote:
        _tell_remote(app, fsck_remote(app.context(network=network), workspace))
        return
    found = fsck(app.context(network=network), workspace, repair=repair)
    app.out.result(found, lambda: checked_text(found))
    if found.weights_differ:
        app.out.warn(
            "weights.safetensors is not the model at HEAD; "
            "flair export HEAD -o weights.safetensors --force writes it again"
        )
    if found.left:
        first = found.left[0]
        count = len(found.left)
        raise WorkspaceDamaged(
            f"{count} {'thing is' if count == 1 else 'things are'} wrong, the first: "
            f"{printable(first.what)}: {first.kind}: {printable(first.reason)}"
        )


def _tell_remote(app: App, found: RemoteChecked) -> None:
    app.out.result(found, lambda: remote_text(found))
    if found.nowhere:
        first = found.nowhere[0]
        raise WorkspaceDamaged(
            f"nobody else has all of branch {first.branch!r} at {first.commit.short}"
        )


def remote_text(found: RemoteChecked) -> str:
    """Shows to people which heads are where."""
    rows = []
    for head in found.heads:
        name = f"{head.branch} {head.commit.short}"
        if head.error is not None:
            rows.append((name, "anywhere", printable(head.error)))
        rows += [(name, one.place, _place_text(head, one)) for one in head.places]
    return table(("HEAD", "PLACE", "BLOCKS"), rows)


def _place_text(head: HeadPlaces, place: HeadPlace) -> str:
    if place.error is not None:
        return printable(place.error)
    if place.has_all:
        return f"all {head.n_blocks}"
    first = printable(str(place.first_missing))
    return f"{place.n_missing} of {head.n_blocks} missing, the first: {first}"


def checked_text(found: Checked) -> str:
    """Shows what was found to people."""
    repaired = len(found.faults) - len(found.left)
    head = fields(
        (
            ("blocks", f"{found.n_blocks}, {found.n_bytes} bytes"),
            ("commits", found.n_commits),
            ("kept aside", f"{found.n_kept_aside} corrupt blocks"),
            ("wrong", f"{len(found.faults)}, {repaired} of them repaired"),
        )
    )
    lines = [_fault_line(fault) for fault in found.faults[:_MAX_SHOWN]]
    if len(found.faults) > _MAX_SHOWN:
        lines.append(f"… and {len(found.faults) - _MAX_SHOWN} more; --json lists them")
    return "\n".join((head, *lines))


def _fault_line(fault: Fault) -> str:
    word = "repaired" if fault.repaired else str(fault.kind)
    return f"{word}: {printable(fault.what)}: {printable(fault.reason)}"
