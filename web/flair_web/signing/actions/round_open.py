"""Opens a branch's next round."""

from flair_client.porcelain.round import round_open
from flair_web.signing.action import BRANCH, REPO, ROUND, Action, Form, Planned
from flair_web.signing.actions.rounds import require_round
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    place = require_round(ctx, form)
    made = instructions_of(lambda: round_open(ctx, form.repo(ctx), form.text("branch")))
    params = place.policy(place.account.policy_index).params
    hours = params.round_length_s / 3600
    return Planned(
        made,
        (
            (
                f"Round {form.text('round')} takes updates for {hours:g} hours, on "
                f"{place.account.head_commit.short}."
            ),
        ),
        {"round": "when the round is over and its last update is settled"},
    )


ACTION = Action(
    name="round_open",
    title="Open a round",
    button="Open round",
    does="Lets contributors push updates for the branch's head.",
    needs=("The branch has a commit, and no round is in progress.",),
    refusals={
        "RoundInProgress": "A round is open already.",
        "HeadUnset": "Push a first commit before.",
        "StaleBase": "Look at the branch again.",
    },
    end="The round is open until its deadline.",
    fields=(REPO, BRANCH, ROUND),
    plan=_plan,
)
