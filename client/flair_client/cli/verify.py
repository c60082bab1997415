"""`flair verify`: checks a repository's whole history."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.cli.types import BRANCH_NAME
from flair_client.errors import VerificationError
from flair_client.history.checked import InvalidCommit
from flair_client.history.verify import CommitReport
from flair_client.porcelain.refs import Tag, known_tags
from flair_client.porcelain.verify import Verified, VerifiedBranch, verify
from flair_client.repo_address import RepoAddress


@command(
    "verify",
    result=Verified,
    examples=(
        "flair verify",
        "flair verify flair://localnet/CREATOR/heart-risk",
        "flair verify --branch main --since 3f9c2a1",
    ),
)
@click.argument("address", required=False)
@click.option(
    "--branch",
    type=BRANCH_NAME,
    metavar="NAME",
    help="Only this branch; without it all of them.",
)
@click.option(
    "--since",
    metavar="REF",
    help="A commit that you trust: what lies before it is not looked at.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Also end with 5 where a wrong commit lies behind a repair.",
)
def verify_command(
    app: App,
    address: str | None,
    *,
    branch: str | None,
    since: str | None,
    strict: bool,
) -> None:
    """Checks a repository's whole history.

    ADDRESS is flair://… or CREATOR/NAME; without it the workspace's repository. All
    that is needed is an RPC and a store, and neither is trusted: every block is
    compared with its digest, every commit with its signature, every account with the
    events that fold to the history root, and each merge and revert is made again.
    Ends with exit code 5, and the first thing that is wrong, where a head is not valid.
    Wrong commits that a later one left behind are told, and end with 5 only with
    --strict: the head is sound.
    """
    repo = app.repo_address(address)
    ctx = app.context(network=repo.network)
    found = verify(
        ctx,
        repo,
        branch=branch or repo.ref,
        since=since,
        tags=_tags(app, repo),
        on_commit=lambda report: app.out.line(commit_line(report)),
    )
    app.out.result(found, lambda: verified_text(found))
    for one in found.branches:
        if one.fault is not None:
            where, _, reason = one.fault.partition(": ")
            raise VerificationError(where, reason)
        if one.invalid:
            app.out.warn(_repaired_text(one))
            if strict:
                raise VerificationError(one.invalid[0].where, one.invalid[0].reason)


def _tags(app: App, repo: RepoAddress) -> dict[str, Tag]:
    """The user's own names for commits, in a workspace of that repository."""
    if app.settings.text("workspace.repo") != str(repo.at(None)):
        return {}
    return known_tags(app.workspace())


def _repaired_text(branch: VerifiedBranch) -> str:
    wrong = ", ".join(one.commit_id.short for one in branch.invalid)
    repairs = [one.commit_id.short for one in branch.commits if one.n_repaired]
    return (
        f"branch {branch.branch!r} holds commits that are not valid: {wrong}; "
        f"it was repaired by {', '.join(repairs)}"
    )


def commit_line(report: CommitReport | InvalidCommit) -> str:
    """Shows one commit and what was found, in at most 80 columns."""
    if isinstance(report, InvalidCommit):
        line = (
            f"BAD {report.branch} {report.head_seq}  {report.commit_id.short}  "
            f"{report.kind.value}: {report.reason}"
        )
        return printable(line, 80)
    updates = f", {report.n_updates} updates" if report.n_updates else ""
    if report.n_updates == 1:
        updates = ", 1 update"
    if report.n_models:
        updates = f", {report.n_models} models"
    if report.n_repaired:
        updates = f", leaves {report.n_repaired} behind"
    line = (
        f"ok  {report.branch} {report.head_seq}  {report.commit_id.short}  "
        f"{report.kind.value}: {report.check}{updates}"
    )
    return printable(line, 80)


def verified_text(found: Verified) -> str:
    """Shows a verdict to people."""
    rows: list[tuple[str, object]] = [
        ("repository", found.repo),
        ("cluster", found.genesis_hash + ("" if found.pinned else " (not pinned)")),
        ("program", found.program_id),
        ("events", found.n_events),
        ("history root", found.history_root),
    ]
    verdicts: list[tuple[str, object]] = []
    for one in found.branches:
        if one.head is None:
            verdict = "no commit yet"
        elif one.fault is None:
            since = "" if one.since is None else f" since {one.since.short}"
            wrong = f", {len(one.invalid)} before it not" if one.invalid else ""
            n_checked = f"{len(one.commits)} checked{since}"
            verdict = f"{one.head.short} is valid{wrong}, {n_checked}"
        else:
            last = "nothing" if one.valid_head is None else one.valid_head.short
            verdict = f"{one.head.short} is NOT valid, {last} is the last that is"
        verdicts.append((f"branch {one.branch}", verdict))
    return f"{fields(rows)}\n\n{fields(verdicts)}"
