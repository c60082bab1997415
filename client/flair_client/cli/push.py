"""`flair push`: sends the commit to the store and the chain."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.types import counted, time_text
from flair_client.objects import CommitKind
from flair_client.porcelain.push import push
from flair_client.porcelain.pushed import Pushed, PushOutcome


@command(
    "push",
    result=Pushed,
    examples=("flair push", "flair push --dry-run", "flair push --json"),
)
@click.option(
    "-n",
    "--dry-run",
    is_flag=True,
    help="List every block that would leave, with its size, and the hosts.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a round ends by it.")
def push_command(app: App, *, dry_run: bool, yes: bool) -> None:
    """Sends the commit to the store and the chain.

    Blocks go to the store first, then the update to the chain; where no round is in
    progress one is opened. A snapshot or a merge of models moves the branch instead.
    Where the policy wants updates revealed after the close, values stay here until a
    second push after it. Cut off on the way, the same command goes on where it
    stopped, and nothing is sent twice.
    """
    workspace = app.workspace()
    ctx = app.context(signer=True, network=workspace.repo().network)

    def approve(plan: Pushed) -> None:
        app.confirm(
            f"Round {plan.ends_round} of {plan.branch!r} is in progress and ends "
            "without a merge of its updates. Push?",
            flag="--yes",
            given=yes,
        )

    pushed = push(ctx, workspace, dry_run=dry_run, approve=approve)
    sentence = _sentence(pushed)
    if pushed.outcome in (PushOutcome.REJECTED, PushOutcome.ENDED):
        app.out.result(pushed, sentence, exit_code=1, message=sentence)
        app.out.note("next: `flair pull`, then train and commit again")
        return
    is_plan = pushed.outcome is PushOutcome.PLANNED
    app.out.result(pushed, lambda: _plan(pushed) if is_plan else sentence)
    if dry_run:
        app.out.note(f"nothing was sent; {sentence}" if is_plan else "nothing was sent")
    elif pushed.n_blocks:
        app.out.note(
            f"{counted(pushed.n_blocks, 'block')} sent, {pushed.n_bytes} bytes"
        )


def _plan(pushed: Pushed) -> str:
    rows = [
        (
            printable(one.what),
            one.size,
            one.cid,
            "held" if pushed.holds_values and one.holds_values else "",
        )
        for one in pushed.blocks
    ]
    lines = [table(("WHAT", "BYTES", "BLOCK", ""), rows)]
    lines.append(f"{len(rows)} blocks, {sum(one.size for one in pushed.blocks)} bytes")
    if pushed.holds_values:
        lines.append("held blocks stay here until the round is closed")
    lines += [f"{one.what} go to {one.host}" for one in pushed.destinations]
    return "\n".join(lines)


def _sentence(pushed: Pushed) -> str:  # noqa: PLR0911 - one for each outcome
    short = pushed.commit.short
    if pushed.kind is not CommitKind.UPDATE:
        ends = ""
        if pushed.ends_round is not None:
            ends = f"; round {pushed.ends_round} ends without a merge"
        if pushed.outcome is PushOutcome.PLANNED:
            return f"{pushed.branch} would move to {short}{ends}"
        return f"{pushed.branch} is at {short}{ends}"
    where = f"round {pushed.round_index} of {pushed.branch}"
    match pushed.outcome:
        case PushOutcome.PLANNED:
            return f"{short} would go into {where} with weight {pushed.weight}"
        case PushOutcome.HELD:
            until = time_text(pushed.held_until or 0)
            return (
                f"{short} is in {where} with weight {pushed.weight}; its values stay "
                f"here until the round is closed (deadline {until}): "
                "run `flair push` again then"
            )
        case PushOutcome.MERGED:
            merge = "" if pushed.merge is None else f" {pushed.merge.short}"
            return f"{short} was accepted in {where} and is part of the merge{merge}"
        case PushOutcome.REJECTED:
            return f"{short} was left out of {where} by the owner"
        case PushOutcome.ENDED:
            return f"{where} ended without a merge; {short} is part of none"
        case _:
            return f"{short} is in {where} with weight {pushed.weight}"
