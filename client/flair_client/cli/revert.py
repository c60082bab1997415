"""`flair revert`: undoes a merge, one contributor's part, or all since a commit."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.types import ADDRESS
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.porcelain.revert import Reverted, revert


@command(
    "revert",
    result=Reverted,
    examples=(
        "flair revert HEAD",
        "flair revert 3f9c2a1b0d44 -m 'site 3 had its labels swapped' --yes",
        "flair revert --contributor ADDRESS --dry-run",
        "flair revert --contributor ADDRESS --replay",
        "flair revert --since v1",
    ),
)
@click.argument("commit", required=False)
@click.option(
    "--contributor",
    type=ADDRESS,
    metavar="ADDRESS",
    help="Only this contributor's term; without COMMIT in the newest merge with one.",
)
@click.option(
    "--subtract",
    is_flag=True,
    help="Subtract exactly what was added; so it is without --replay and --since.",
)
@click.option(
    "--replay",
    is_flag=True,
    help="Make that merge and all later ones again without the contributor; without "
    "COMMIT from its first one on.",
)
@click.option(
    "--since",
    metavar="COMMIT",
    help="Keep this commit and take back everything after it: its state as a whole.",
)
@click.option("-m", "--message", metavar="TEXT", help="Why; shown in the log.")
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would change.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def revert_command(
    app: App,
    commit: str | None,
    *,
    contributor: Address | None,
    subtract: bool,
    replay: bool,
    since: str | None,
    message: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Undoes a merge, one contributor's part, or all since a commit.

    A new commit takes exactly back what the merge COMMIT, or one contributor's term of
    it, added; later merges stay. It needs the owner's wallet, or the role administer.
    A round that is in progress ends without a merge. This is not unlearning: what
    later updates learned from the old weights remains in them, and whoever has the old
    weights keeps them.

    With --replay no term is subtracted: the merge and all after it are made again, by
    their own policies, without any update of the contributor. That works for every
    strategy, as long as enough updates remain for it.

    With --since nothing is computed: the branch has the state of an earlier commit
    again, frozen tensors too. What lies between is left behind, and so is what had been
    taken back there. Going back to a later commit brings it in again.

    Where the head is not valid, COMMIT is the first wrong commit, which `flair verify`
    names: the branch gets the weights of its last valid commit back.
    """
    ways = [subtract, replay, since is not None]
    if sum(ways) > 1 or (since is not None and commit is not None):
        raise UsageError(
            "one way at a time: COMMIT with --subtract or --replay, or --since COMMIT"
        )
    workspace = app.workspace()

    def approve(plan: Reverted) -> None:
        if not yes:
            app.out.note(revert_text(plan))
        app.confirm("Revert?", flag="--yes", given=yes)

    done = revert(
        app.context(signer=True, network=app.repo_address(None).network),
        workspace,
        since or commit,
        contributor=contributor,
        replay=replay,
        since=since is not None,
        message=message,
        dry_run=dry_run,
        approve=approve,
    )
    app.out.result(done, lambda: revert_text(done))
    if done.commit is not None:
        app.out.note("this is not unlearning: see `flair revert --help`")


def revert_text(done: Reverted) -> str:
    """Shows a revert, or the plan of one, to people."""
    what = f"merge {done.reverts.short}"
    if done.n_repaired:
        what = f"{done.reverts.short} and what follows it, which is not valid"
    if done.contributor is not None and done.update is not None:
        what = f"update {done.update.short} of {what}"
    again = None
    if done.n_left_behind:
        plural = "" if done.n_left_behind == 1 else "s"
        kept = done.reverts.short
        what = f"{done.n_left_behind} commit{plural}: all since {kept}"
    if done.n_replayed:
        what += ", and every later one of the contributor"
        plural = "" if done.n_replayed == 1 else "s"
        again = f"{done.n_replayed} merge{plural}, without the contributor"
    ends = None
    if done.ends_round is not None:
        ends = f"round {done.ends_round}, without a merge"
    change = done.change
    head = "would move" if done.commit is None else done.commit.short
    return fields(
        (
            ("takes back", what),
            ("made again", again),
            ("contributor", done.contributor),
            ("message", printable(done.message, 64)),
            (f"{done.branch} was at", done.before.short),
            (f"{done.branch} is at", head),
            ("changes", f"{change.n_changed} of {change.n_tensors} tensors"),
            ("length", f"{change.l2:.6g}, one value at most {change.max_abs:.6g}"),
            ("ends", ends),
        )
    )
