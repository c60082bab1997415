"""`flair fsck`: checks the blocks of the workspace."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.errors import WorkspaceDamaged
from flair_client.porcelain.fsck import Checked, fsck
from flair_client.porcelain.fsck_files import Fault

_MAX_SHOWN = 20


@command(
    "fsck",
    result=Checked,
    examples=("flair fsck", "flair fsck --repair", "flair fsck --json"),
)
@click.option(
    "--repair",
    is_flag=True,
    help="Fetch broken and missing blocks again; put damaged files aside.",
)
def fsck_command(app: App, *, repair: bool) -> None:
    """Checks the blocks of the workspace.

    Compares every block with its digest, looks for everything that HEAD, the branches
    and a commit that was not pushed need, and reads the workspace's own files. Ends
    with exit code 5 where something is wrong and stays so. The chain is not asked; the
    shared store only for repairs.
    """
    workspace = app.workspace()
    network = workspace.repo().network if workspace.is_bound else None
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
