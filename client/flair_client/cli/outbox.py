"""`flair outbox`: what a push sends, its second person, and the audit log."""

import json
from pathlib import Path

import click

from flair_client.audit import AuditLog, read_audit
from flair_client.cli.command import command
from flair_client.cli.jsonable import to_json
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.types import time_text
from flair_client.errors import UsageError
from flair_client.porcelain.approval import Approval, approve_outbox
from flair_client.porcelain.outbox import Outbox, outbox, save_outbox

_MAX_DETAIL = 100


@command(
    "outbox",
    result=Outbox | Approval | AuditLog,
    examples=(
        "flair outbox",
        "flair outbox --save for-it",
        "flair outbox --approve --wallet second",
        "flair outbox --audit verify",
    ),
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the list and the bytes of every block into a new folder.",
)
@click.option(
    "--approve",
    is_flag=True,
    help="Sign exactly this as the second person, with another wallet.",
)
@click.option(
    "--audit",
    type=click.Choice(("show", "verify")),
    help="Show the audit log of this machine, or check it.",
)
def outbox_command(
    app: App, *, save: Path | None, approve: bool, audit: str | None
) -> None:
    """Lists every byte that a push sends.

    Hosts, blocks, every field of the commit, and the transactions as they will be
    signed; nothing is sent. Where a site asks for a second person, that person signs
    this list with --approve, and `flair push` sends nothing else.
    """
    if sum((save is not None, approve, audit is not None)) > 1:
        raise UsageError("--save, --approve and --audit do not go together")
    if audit is not None:
        log = read_audit(app.settings.home)
        app.out.result(log, lambda: _audit_text(log, whole=audit == "show"))
        return
    workspace = app.workspace()
    ctx = app.context(signer=approve, network=workspace.repo().network)
    if approve:
        signed = approve_outbox(ctx, workspace)
        app.out.result(signed, lambda: _approval_text(signed))
        return
    listed = outbox(ctx, workspace)
    if save is not None:
        told = json.dumps(to_json(listed), indent=2, ensure_ascii=False) + "\n"
        save_outbox(ctx, workspace, listed, told, save)
        app.out.note(f"written to {save}")
    app.out.result(listed, lambda: outbox_text(listed))
    app.out.note("nothing was sent")


def outbox_text(listed: Outbox) -> str:
    """Lays the list out for people."""
    lines = [f"{one.what} go to {one.host}" for one in listed.hosts]
    lines.append(f"the chain is that of genesis {listed.genesis_hash or 'not pinned'}")
    lines.append(
        "these hosts see this machine's address, and which accounts and blocks it asks"
    )
    rows = [(printable(one.what), one.size, str(one.cid)) for one in listed.blocks]
    lines += ["", table(("BLOCK", "BYTES", "CID"), rows)]
    lines.append(f"{len(listed.blocks)} blocks, {listed.n_bytes} bytes")
    lines += ["", fields([(name, printable(text)) for name, text in listed.fields])]
    for one in listed.transactions:
        said = [*one.fields.items(), *one.accounts, ("data", one.data)]
        lines += ["", f"transaction {one.instruction}, signed by {listed.author}"]
        lines.append(fields(said))
    for event in listed.events:
        lines += ["", f"then a copy of the chain's event {event.name}: "]
        lines[-1] += f"{event.size} bytes"
    lines += ["", f"outbox {listed.digest}"]
    return "\n".join(lines)


def _approval_text(signed: Approval) -> str:
    return fields(
        (
            ("commit", signed.commit),
            ("outbox", signed.outbox),
            ("approved by", signed.approver),
            ("written", signed.file),
        )
    )


def _audit_text(log: AuditLog, *, whole: bool) -> str:
    lines = []
    if whole:
        for line in log.lines:
            told = json.dumps(to_json(line.details), ensure_ascii=False)
            shown = printable(told, _MAX_DETAIL)
            lines.append(
                f"{line.seq}  {time_text(line.time)}  {line.kind or 'cut off'}  {shown}"
            )
    n_torn = sum(not line.kind for line in log.lines)
    torn = f", {n_torn} of them cut off while they were written" if n_torn else ""
    lines.append(f"{len(log.lines)} lines{torn}, each bound to the one before")
    lines.append(f"last line {log.last_digest}")
    return "\n".join(lines)
