"""Clears an update of a finished round away; rent and deposit go back."""

from flair_client.chain import instructions
from flair_client.chain.accounts import RoundState
from flair_client.chain.pdas import find_update_pda
from flair_client.errors import AccountMissing
from flair_web.signing.action import (
    BRANCH,
    CONTRIBUTOR,
    REPO,
    ROUND,
    Action,
    Form,
    Planned,
)
from flair_web.signing.actions.rounds import round_of
from flair_web.signing.planning import PlanningContext


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    target, contributor = round_of(ctx, form), form.address("contributor")
    update = ctx.chain.update(target.address, contributor)
    if update is None:
        where = find_update_pda(target.address, contributor, ctx.program_id)[0]
        raise AccountMissing(where, "update", f"of {contributor} in this round")
    is_merged = target.account.state is RoundState.MERGED
    build = instructions.update_settle if is_merged else instructions.update_expire
    made = build(
        actor=ctx.wallet.address,
        repo=target.branch.repo.address,
        branch=target.branch.address,
        round_index=target.account.round_index,
        contributor=contributor,
        rent_payer=update.rent_payer,
        round_payer=target.account.payer,
        program_id=ctx.program_id,
    )
    credited = f"{contributor} is credited for the merge. " if is_merged else ""
    return Planned(
        (made,),
        (f"{credited}Rent and deposit go back to {update.rent_payer}.",),
    )


ACTION = Action(
    name="update_settle",
    title="Settle an update",
    button="Settle",
    does="Credits an update whose round is over, and gives rent and deposit back.",
    needs=("The round is merged, aborted, or ended by another move of the head.",),
    refusals={
        "RoundNotMerged": "Wait until the round is over.",
        "RoundInProgress": "Wait until the round is over.",
        "AccountMissing": "It is settled already.",
    },
    end="The update's account is closed; the commit stays in the history.",
    fields=(REPO, BRANCH, ROUND, CONTRIBUTOR),
    plan=_plan,
)
