"""`flair status`: where the workspace stands."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.types import least_to_most, time_text
from flair_client.porcelain.status import (
    ChainStatus,
    PendingStatus,
    RoundStatus,
    Status,
    UpdateStatusHere,
    status,
)


@command(
    "status",
    result=Status,
    examples=("flair status", "flair status --offline", "flair status --json"),
)
@click.option("--offline", is_flag=True, help="Do not ask the chain.")
def status_command(app: App, *, offline: bool) -> None:
    """Shows where the workspace stands.

    Changes nothing, and works without the chain: it says then that it was not reached.
    """
    workspace = app.workspace()
    ctx = None
    if workspace.is_bound:
        # A wallet is looked for in the round, but nothing here needs one.
        has_wallet = app.settings.wallet_path().exists()
        ctx = app.context(
            signer=has_wallet and not offline,
            network=workspace.repo().network,
            hasty=True,
        )
    found = status(ctx, workspace, offline=offline)
    app.out.result(found, lambda: status_text(found))
    if found.unreached is not None:
        app.out.warn(f"the chain was not reached: {found.unreached}")
    if found.next_command is not None:
        app.out.note(f"next: {found.next_command}")


def status_text(found: Status) -> str:
    """Shows a status to people."""
    head = None if found.head is None else found.head.short
    rows: list[tuple[str, object]] = [
        ("workspace", found.folder),
        ("repository", found.repo or "none yet"),
        ("branch", found.branch),
        ("HEAD", head or "nothing is checked out yet"),
    ]
    if found.head is not None:
        rows += [
            ("chain", _chain_text(found)),
            ("round", _round_text(found.chain)),
            ("offered to", None if found.chain is None else found.chain.offered_to),
            ("trust", found.distrust or "recipe, policy and owner are accepted"),
            ("changed", ", ".join(found.changed_files) or None),
            ("update", _update_text(found.update)),
            ("commit", _pending_text(found.pending)),
            ("held back", ", ".join(one.short for one in found.held) or None),
        ]
    return fields(rows)


def _chain_text(found: Status) -> str:
    chain = found.chain
    if chain is None:
        return "not asked" if found.unreached is None else "not reached"
    if chain.head is None:
        return "the branch has no commit yet"
    if chain.head == found.head:
        return "HEAD is the branch's head"
    if chain.n_behind is None:
        return f"the branch's head is {chain.head.short}"
    commits = "commit" if chain.n_behind == 1 else "commits"
    return f"HEAD is {chain.n_behind} {commits} behind {chain.head.short}"


def _round_text(chain: ChainStatus | None) -> str | None:
    if chain is None:
        return None
    live = chain.round
    if live is None:
        return f"none in progress; {chain.next_round_index} is opened by the first push"
    wanted = least_to_most(live.min_updates, live.max_updates)
    limits = f"{live.n_accepted} of {wanted} updates"
    until = f"until {time_text(live.deadline)}"
    return (
        f"{live.round_index}, {live.state.name.lower()} {until}, {limits}{_mine(live)}"
    )


def _mine(live: RoundStatus) -> str:
    if live.waits_for_owner:
        return ", a proposed merge waits for your approval"
    if live.mine is None:
        return ", none of this wallet"
    return f", this wallet's is {live.mine.name.lower()}"


def _update_text(update: UpdateStatusHere | None) -> str:
    if update is None:
        return "nothing was trained here yet"
    if update.stale:
        return f"trained from {update.base.short}, which is not HEAD"
    return f"trained on {update.num_samples} samples"


def _pending_text(pending: PendingStatus | None) -> str:
    if pending is None:
        return "none that was not pushed"
    if pending.kind is None:
        return f"{pending.commit.short}, whose block is damaged or missing"
    where = f", round {pending.round_index}" if pending.round_index is not None else ""
    stale = ", not made on HEAD" if pending.stale else ", not pushed yet"
    return f"{pending.kind} {pending.commit.short}{where}{stale}"
