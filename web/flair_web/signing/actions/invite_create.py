"""Makes an invite. Its secret is made in the browser and never comes here."""

from flair_client.chain import instructions
from flair_client.chain.accounts import Scope
from flair_client.porcelain.target import find_repo
from flair_web.signing.action import (
    ON_BRANCH,
    REPO,
    SCOPE_CHOICES,
    Action,
    Field,
    Form,
    Planned,
)
from flair_web.signing.planning import PlanningContext


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    target = find_repo(ctx, form.repo(ctx))
    branch = form.maybe("branch")
    place = None if branch is None else target.branch(branch).address
    wallet, uses = ctx.wallet.address, form.whole("uses", 1, 1000)
    scope = form.scope()
    made = instructions.invite_create(
        payer=wallet,
        actor=wallet,
        repo=target.address,
        invite_key=form.address("key"),
        scope=scope,
        expires_at=ctx.now() + form.days_s("days"),
        uses=uses,
        branch=place,
        role=target.right(Scope.ADMINISTER, place),
        program_id=ctx.program_id,
    )
    where = "the whole repository" if branch is None else f"branch {branch}"
    return Planned(
        (made,),
        (
            f"{uses} wallets can take the role {form.text('scope')} for {where}.",
            "Whoever has the link can: give it to those alone whom you mean.",
        ),
        {"invite": "at the last use, or when it is revoked"},
    )


ACTION = Action(
    name="invite_create",
    title="Invite by a link",
    button="Create invite",
    does="Makes a link with which others take a role themselves.",
    needs=("Your wallet owns the repository or holds the role 'administer'.",),
    refusals={
        "RoleMissing": "Ask the owner for the role 'administer'.",
        "InviteUses": "An invite is for 1 to 1,000 wallets.",
    },
    end="The page shows the link once, when the transaction is confirmed.",
    fields=(
        REPO,
        Field("scope", "Right", "choice", SCOPE_CHOICES, "contribute"),
        Field("uses", "For how many wallets", "number", default="1"),
        Field("days", "Can be used for", "number", default="14", hint="days"),
        ON_BRANCH,
        # The page makes the key pair, and sends this half of it.
        Field("key", "Key of the invite", "hidden"),
    ),
    plan=_plan,
)
