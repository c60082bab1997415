"""Gives a wallet a role."""

from flair_client.porcelain.role import role_grant
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
    repo, grantee = form.repo(ctx), form.address("grantee")
    days = form.maybe("days")
    branch = form.maybe("branch")
    made = instructions_of(
        lambda: role_grant(
            *(ctx, repo, grantee, form.scope()),
            branch=branch,
            lasts_s=None if days is None else form.days_s("days"),
        )
    )
    where = "the whole repository" if branch is None else f"branch {branch}"
    lines = [f"{grantee} gets the role {form.text('scope')} for {where}."]
    if len(made) > 1:
        lines.append("Its request to join is answered with it.")
    return Planned(made, tuple(lines), {"new_role": "when the role is revoked"})


ACTION = Action(
    name="role_grant",
    title="Grant a role",
    button="Grant role",
    does="Gives a wallet the right to contribute, merge, attest or administer.",
    needs=(
        "Your wallet owns the repository or holds the role 'administer'.",
        "The wallet has no role for the same place.",
    ),
    refusals={
        "RoleMissing": "Ask the owner for the role 'administer'.",
        "NotAuthority": "Only the owner gives the right to administer.",
        "AccountAlreadyInUse": "Revoke the wallet's role here first.",
    },
    end="The role holds from now on; a request of the wallet to join is answered.",
    fields=(
        REPO,
        Field("grantee", "Wallet"),
        Field(
            "scope",
            "Right",
            "choice",
            (*SCOPE_CHOICES, ("administer", "administer: everything but owning")),
            "contribute",
        ),
        ON_BRANCH,
        Field(
            "days",
            "Holds for",
            "number",
            hint="days; empty for ever",
            optional=True,
        ),
    ),
    plan=_plan,
)
