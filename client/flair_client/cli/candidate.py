"""`flair candidate`: lists, shows and approves proposed merges."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flair_client.cli.candidate_text import (
    candidate_text,
    candidates_text,
    vote_text,
    waits_text,
)
from flair_client.cli.command import command, group
from flair_client.cli.options import branch_option, repo_option
from flair_client.cli.session import App
from flair_client.ids import CommitId
from flair_client.porcelain.candidate import (
    CandidateList,
    CandidateShown,
    candidate_list,
    candidate_show,
    review_of,
)
from flair_client.porcelain.update_review import Review
from flair_client.porcelain.vote import Vote, VoteOutcome, approve

if TYPE_CHECKING:
    from flair_client.context import Context


@group(
    "candidate",
    examples=(
        "flair candidate list",
        "flair candidate show 3f9c2a1b --data held-out.csv",
        "flair candidate approve 3f9c2a1b",
    ),
)
def candidate_command() -> None:
    """Lists, shows and approves proposed merges.

    A candidate is a merge of a round that was proposed and that the branch was not
    moved to yet. Under a policy with `approvals` the owner has to approve it first;
    under one with `attestations` others make it again and sign: `flair attest`.
    """


@command(
    "list",
    result=CandidateList,
    examples=("flair candidate list", "flair candidate list --repo heart --json"),
)
@repo_option
@branch_option
def list_(app: App, *, repo: str | None, branch: str | None) -> None:
    """Lists what was proposed for the round in progress, and what each waits for.

    By the chain alone: nothing is made again.
    """
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    found = candidate_list(ctx, address, name)
    app.out.result(
        found, lambda: candidates_text(found, ctx.now()) if found.candidates else ""
    )
    if not found.candidates:
        app.out.note(
            f"no round of {name} is in progress"
            if found.round_index is None
            else f"no merge of round {found.round_index} of {name} was proposed yet"
        )


@command(
    "show",
    result=CandidateShown,
    examples=(
        "flair candidate show",
        "flair candidate show 3f9c2a1b --data held-out.csv",
    ),
)
@click.argument("candidate", metavar="[ID]", required=False)
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="Rows of your own to score on: a data source, or a file.",
)
@repo_option
@branch_option
def show(
    app: App,
    candidate: str | None,
    *,
    data: str | None,
    repo: str | None,
    branch: str | None,
) -> None:
    """Makes a proposed merge again and shows what it would do.

    ID is six or more digits of its commit's id; not needed where there is one candidate
    only. Shows what it is made of, what changes against the head, and what each update
    does; with --data also scores of the head, of the merge, and of it without each
    update. Exit code 5 where something else comes out than was proposed.
    """
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(network=address.network)
    found = candidate_show(ctx, address, name, candidate, verified=verified(app, repo))
    found = replace(found, review=_review(app, ctx, found, repo, data))
    app.out.result(found, lambda: candidate_text(found, ctx.now()))


@command(
    "approve",
    result=Vote,
    examples=(
        "flair candidate approve",
        "flair candidate approve 3f9c2a1b --dry-run",
        "flair candidate approve 3f9c2a1b --wallet owner --json",
    ),
)
@click.argument("candidate", metavar="[ID]", required=False)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Only make it again; sign and send nothing."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask in a terminal.")
@repo_option
@branch_option
def approve_(
    app: App,
    candidate: str | None,
    *,
    dry_run: bool,
    yes: bool,
    repo: str | None,
    branch: str | None,
) -> None:
    """Approves a proposed merge; owner only.

    The merge is made again from the updates in the store first, and nothing is signed
    where something else comes out (exit code 5). In a terminal it is shown, and you are
    asked. An approval names this commit and these updates and no other; it lapses when
    the owner changes. Whoever runs an aggregator then moves the branch, once the rest
    of the policy is fulfilled.
    """
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    seen: list[Review] = []

    def review(found: CandidateShown) -> CandidateShown:
        if not seen:
            seen.append(_review(app, ctx, found, repo))
        return replace(found, review=seen[0])

    asks = app.is_interactive and not yes

    def agree(found: CandidateShown) -> None:
        found = review(found)
        if asks:
            app.out.note(candidate_text(found, ctx.now()))
            app.confirm("Approve this merge?", flag="--yes", given=False)

    vote = approve(
        *(ctx, address, name, candidate),
        dry_run=dry_run,
        verified=verified(app, repo),
        agree=agree,
    )
    if vote.outcome is not VoteOutcome.KNOWN:
        vote = replace(vote, shown=review(vote.shown))
    show_vote(app, vote, ctx.now(), seen=asks)


def show_vote(app: App, vote: Vote, now: int, *, seen: bool = False) -> None:
    """Tells of a vote and of what is missing then; not again what was shown before."""
    app.out.result(vote, lambda: vote_text(vote, now, seen=seen))
    if vote.outcome is VoteOutcome.PLANNED:
        app.out.note("nothing was signed or sent")
    waits = waits_text(vote.shown, now)
    app.out.note(f"it waits for {waits}" if waits else "nothing keeps it waiting")


def verified(app: App, repo: str | None) -> set[CommitId]:
    """Commits of the workspace's repository that were found right here before."""
    if repo is not None or app.settings.workspace is None:
        return set()
    from flair_client.porcelain.refs import verified_commits

    return verified_commits(app.workspace())


def _review(
    app: App,
    ctx: "Context",
    found: CandidateShown,
    repo: str | None,
    data: str | None = None,
) -> Review:
    """What each update does; the workspace's own trust and data are used inside it."""
    # Another repository's blocks and trust are not those of the workspace one is in.
    is_here = repo is None and app.settings.workspace is not None
    workspace = app.workspace() if is_here else None
    with ExitStack() as stack:
        scorer = None
        if data is not None:
            from flair_client.cli.train import data_source, map_for
            from flair_client.porcelain.scoring import Scorer

            folder = app.settings.workspace or Path.cwd()
            source = data_source(app, folder, data)
            mapped = map_for(app, folder, source, (), None)
            scorer = Scorer(ctx, source.with_map(mapped), workspace)
            if workspace is not None:
                stack.enter_context(workspace.lock())
        return review_of(ctx, found.repo, found, scorer=scorer, workspace=workspace)


for _verb in (list_, show, approve_):
    candidate_command.add_command(_verb)
