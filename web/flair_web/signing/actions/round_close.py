"""Closes a round for updates."""

from flair_client.porcelain.round import round_close
from flair_web.signing.action import BRANCH, REPO, ROUND, Action, Form, Planned
from flair_web.signing.actions.rounds import require_round
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    require_round(ctx, form)
    made = instructions_of(
        lambda: round_close(ctx, form.repo(ctx), form.text("branch"))
    )
    return Planned(
        made, (f"Round {form.text('round')} takes no more updates from then on.",)
    )


ACTION = Action(
    name="round_close",
    title="Close a round",
    button="Close round",
    does="Ends the time for updates, so that they can be merged.",
    needs=(
        (
            "The round has its maximum of updates; or its deadline has passed and it "
            "has enough of them."
        ),
    ),
    refusals={
        "RoundNotReady": "Wait for more updates, or for the deadline.",
        "RoundClosed": "It is closed already.",
        "StaleBase": "Look at the branch again.",
    },
    end="The round is closed; the aggregator merges it, or anybody.",
    fields=(REPO, BRANCH, ROUND),
    plan=_plan,
)
