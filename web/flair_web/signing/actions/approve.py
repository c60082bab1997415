"""Approves a proposed merge as the owner, once it came out the same here."""

from flair_client.porcelain.vote import approve
from flair_web.signing.action import (
    BRANCH,
    COMMIT,
    REPO,
    ROUND,
    Action,
    Form,
    Planned,
)
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo, branch, commit = form.repo(ctx), form.text("branch"), form.commit()
    made = instructions_of(lambda: approve(ctx, repo, branch, str(commit)))
    return Planned(
        made,
        (
            f"You approve the merge {commit.short} of round {form.text('round')}.",
            "This site made it again from its updates and got the same.",
        ),
    )


ACTION = Action(
    name="approve",
    title="Approve a merge",
    button="Approve",
    does="Says as the owner that a proposed merge may become the head.",
    needs=(
        "Your wallet owns the repository.",
        "The round is closed and all its updates are added up.",
        "The merge comes out the same when this site makes it again.",
    ),
    refusals={
        "Refused": "Wait until the round is closed and added up; the owner approves.",
        "RefUnknown": "The merge is no candidate any more: look at the round again.",
        "CandidateInvalid": "Do not approve it: reject the update that is wrong, or "
        "wait for another candidate.",
        "UpdatesChanged": "The updates changed since: look at the candidate again.",
        "ApprovedAlready": "You have approved it already.",
    },
    end="The approval is on chain. Anybody may finalise once nothing else is missing.",
    fields=(REPO, BRANCH, ROUND, COMMIT),
    plan=_plan,
    slow=True,
)
