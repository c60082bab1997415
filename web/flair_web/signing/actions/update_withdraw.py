"""Takes one's own update out of an open round."""

from flair_client.porcelain.update import update_withdraw
from flair_web.signing.action import BRANCH, REPO, ROUND, Action, Form, Planned
from flair_web.signing.actions.rounds import require_round
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    require_round(ctx, form)
    made = instructions_of(
        lambda: update_withdraw(ctx, form.repo(ctx), form.text("branch"))
    )
    return Planned(
        made,
        (
            "Your update leaves the round; rent and deposit go to whoever paid them.",
            "Blocks that others have read already stay with them.",
        ),
    )


ACTION = Action(
    name="update_withdraw",
    title="Withdraw your update",
    button="Withdraw update",
    does="Takes your update out of the open round.",
    needs=("The round is open, and your update is in it.",),
    refusals={
        "RoundClosed": "The round is closed: ask the owner to reject the update.",
        "AccountMissing": "Your wallet has no update in this round.",
        "StaleBase": "Look at the round again.",
    },
    end="The update is gone; you may push another one while the round is open.",
    fields=(REPO, BRANCH, ROUND),
    plan=_plan,
)
