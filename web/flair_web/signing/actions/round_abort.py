"""Ends a round that can no longer be merged."""

from flair_client.porcelain.round import round_abort
from flair_web.signing.action import BRANCH, REPO, ROUND, Action, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    index = form.whole("round")
    made = instructions_of(
        lambda: round_abort(ctx, form.repo(ctx), form.text("branch"), index)
    )
    return Planned(
        made, (f"Round {index} ends without a merge; its updates get rent back.",)
    )


ACTION = Action(
    name="round_abort",
    title="Abort a round",
    button="Abort round",
    does="Ends a round that cannot be merged, so that another one can begin.",
    needs=(
        (
            "Its deadline has passed without enough updates; or it is closed and the "
            "time to merge is over."
        ),
    ),
    refusals={
        "RoundNotAbortable": "It can still be finished: wait.",
        "AccountMissing": "The round is cleared away already.",
    },
    end="The round is over; each update can be settled.",
    fields=(REPO, BRANCH, ROUND),
    plan=_plan,
)
