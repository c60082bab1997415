"""Takes the role that an invite offers. The secret of the link stays in the browser."""

from flair_client.chain import instructions
from flair_client.errors import InviteGone
from flair_client.ids import ZERO_ADDRESS
from flair_client.porcelain.auditing import scope_words
from flair_client.porcelain.target import find_repo
from flair_web.signing.action import REPO, Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    target = find_repo(ctx, form.repo(ctx))
    key, wallet = form.address("key"), ctx.wallet.address
    invite = ctx.chain.invite(target.address, key)
    if invite is None:
        raise InviteGone("the invite is used up, revoked, or was never made")
    made = instructions.invite_redeem(
        payer=wallet,
        grantee=wallet,
        repo=target.address,
        invite_key=key,
        invite_payer=invite.rent_payer,
        branch=None if invite.branch == ZERO_ADDRESS else invite.branch,
        program_id=ctx.program_id,
    )
    words = ", ".join(scope_words(invite.scope))
    return Planned(
        (made,),
        (f"Your wallet takes the role {words}.",),
        {"new_role": "when the role is revoked"},
    )


ACTION = Action(
    name="invite_redeem",
    title="Join by an invite",
    button="Join",
    does="Takes the role that a link offers.",
    needs=("The invite has uses left, has not expired, and was not revoked.",),
    refusals={
        "InviteGone": "Ask whoever sent the link for a new one.",
        "InviteExpired": "Ask whoever sent the link for a new one.",
        "RoleVoid": "The owner changed since; ask the new one for an invite.",
        "AccountAlreadyInUse": "Your wallet has this role already.",
    },
    end="Your wallet holds the role; `flair clone` brings the model.",
    # The page reads repository and key out of the link.
    fields=(
        REPO,
        Field("key", "Key of the invite", "hidden"),
    ),
    plan=_plan,
)
