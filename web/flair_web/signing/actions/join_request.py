"""Asks the owner for a role."""

from flair_client.porcelain.join import join_request
from flair_web.signing.action import (
    ON_BRANCH,
    REPO,
    SCOPE_CHOICES,
    Action,
    Field,
    Form,
    Planned,
)
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo, note = form.repo(ctx), form.maybe("note")
    lines = ["The owner sees your request with your address."]
    if note is not None:
        lines.append("Everybody can read your note.")
    return Planned(
        instructions_of(
            lambda: join_request(
                *(ctx, repo),
                scope=form.scope(),
                branch=form.maybe("branch"),
                note=note,
            )
        ),
        tuple(lines),
        {"request": "when it is answered, or withdrawn"},
    )


ACTION = Action(
    name="join_request",
    title="Ask to join",
    button="Ask to join",
    does="Asks the owner of a repository for a role.",
    needs=("Your wallet has no request here that waits for an answer.",),
    refusals={"RequestWaits": "Wait for the owner's answer."},
    end="The request waits in the owner's queue.",
    fields=(
        REPO,
        Field("scope", "Right", "choice", SCOPE_CHOICES, "contribute"),
        ON_BRANCH,
        Field(
            "note",
            "Note to the owner",
            "note",
            hint="everybody can read it",
            optional=True,
        ),
    ),
    plan=_plan,
)
