"""Strikes an update from a round, with a public reason."""

from flair_client.errors import UsageError
from flair_client.porcelain.update import RejectReason, update_reject
from flair_web.signing.action import (
    BRANCH,
    CONTRIBUTOR,
    REPO,
    ROUND,
    Action,
    Field,
    Form,
    Planned,
)
from flair_web.signing.actions.rounds import require_round
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo, branch = form.repo(ctx), form.text("branch")
    contributor, word = form.address("contributor"), form.text("reason")
    if word.upper() not in RejectReason.__members__:
        raise UsageError(f"{word[:40]!r} is no reason")
    reason = RejectReason[word.upper()]
    require_round(ctx, form)
    made = instructions_of(
        lambda: update_reject(ctx, repo, branch, contributor, reason)
    )
    return Planned(
        made,
        (
            f"The update of {contributor} is left out of the merge.",
            f"Everybody sees the reason: {word}.",
        ),
    )


ACTION = Action(
    name="update_reject",
    title="Reject an update",
    button="Reject",
    does="Leaves an update out of its round's merge, with a public reason.",
    needs=(
        "Your wallet owns the repository.",
        "The update is not added up yet.",
    ),
    refusals={
        "NotAuthority": "Only the owner rejects updates.",
        "UpdateStatus": "It is added up or rejected already.",
        "AccountMissing": "The update is not in the round any more.",
    },
    end="The update is rejected; its contributor gets rent and deposit back later.",
    fields=(
        REPO,
        BRANCH,
        ROUND,
        CONTRIBUTOR,
        Field(
            "reason",
            "Reason",
            "choice",
            tuple((one.name.lower(), one.name.lower()) for one in RejectReason),
            "other",
        ),
    ),
    plan=_plan,
)
