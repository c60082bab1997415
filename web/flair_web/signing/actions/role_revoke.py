"""Takes a role back."""

from flair_client.porcelain.role import role_revoke
from flair_web.signing.action import ON_BRANCH, REPO, Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo, grantee = form.repo(ctx), form.address("grantee")
    made = instructions_of(
        lambda: role_revoke(ctx, repo, grantee, branch=form.maybe("branch"))
    )
    return Planned(
        made, (f"{grantee} loses the role. Its rent goes to whoever paid it.",)
    )


ACTION = Action(
    name="role_revoke",
    title="Revoke a role",
    button="Revoke role",
    does="Takes a wallet's role back.",
    needs=(
        "Your wallet owns the repository or holds the role 'administer'.",
        "The wallet has a role for this place.",
    ),
    refusals={
        "RoleMissing": "Ask the owner for the role 'administer'.",
        "AccountMissing": "The wallet has no role here.",
    },
    end="The role no longer holds.",
    fields=(REPO, Field("grantee", "Wallet"), ON_BRANCH),
    plan=_plan,
)
