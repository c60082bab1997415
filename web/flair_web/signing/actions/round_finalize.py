"""Merges a closed round: adds up what is missing, and moves the head."""

from typing import Final

from flair_client.chain import instructions
from flair_client.chain.accounts import UpdateStatus
from flair_client.chain.instructions import Instruction
from flair_client.errors import RefUnknown
from flair_client.ids import Address
from flair_client.porcelain.target import RoundTarget
from flair_web.signing.action import (
    BRANCH,
    COMMIT,
    REPO,
    ROUND,
    Action,
    Form,
    Planned,
)
from flair_web.signing.actions.rounds import round_of
from flair_web.signing.planning import PlanningContext

# So many fit beside everything else into 1,232 bytes.
_BATCH: Final = 12


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    live, commit = round_of(ctx, form), form.commit()
    branch = live.branch.account
    candidate = ctx.chain.candidate(live.address, commit)
    if candidate is None:
        raise RefUnknown(f"{commit.short} is no candidate of this round")
    waiting = [
        one.contributor
        for one in ctx.chain.updates(live.address)
        if one.status is UpdateStatus.ACCEPTED
    ]
    steps = [_accumulate(ctx, live, waiting[:_BATCH])] if waiting else []
    if len(waiting) > _BATCH:
        return Planned(
            tuple(steps),
            (
                (
                    f"{_BATCH} of {len(waiting)} updates are added up with this "
                    "transaction; do the same again for the others."
                ),
            ),
        )
    steps.append(
        instructions.merge_finalize(
            actor=ctx.wallet.address,
            repo=live.branch.repo.address,
            branch=live.branch.address,
            policy=live.account.policy,
            round_index=live.account.round_index,
            commit_id=commit,
            candidate_payer=candidate.payer,
            expected_head=branch.head_commit,
            expected_seq=branch.head_seq,
            program_id=ctx.program_id,
        )
    )
    return Planned(
        tuple(steps),
        (
            (
                f"Branch {branch.name} moves from {branch.head_commit.short} to "
                f"{commit.short}."
            ),
        ),
    )


def _accumulate(
    ctx: PlanningContext, live: RoundTarget, contributors: list[Address]
) -> Instruction:
    return instructions.merge_accumulate(
        actor=ctx.wallet.address,
        repo=live.branch.repo.address,
        branch=live.branch.address,
        round_index=live.account.round_index,
        contributors=contributors,
        program_id=ctx.program_id,
    )


ACTION = Action(
    name="round_finalize",
    title="Finalise a round",
    button="Finalise",
    does="Makes a proposed merge the head of its branch. Anybody may.",
    needs=(
        "The round is closed.",
        (
            "The owner has approved the merge and others have attested it, where the "
            "policy asks for that; its challenge time is over."
        ),
    ),
    refusals={
        "RoundNotClosed": "Close the round first.",
        "ApprovalMissing": "The owner has to approve the merge.",
        "AttestationsMissing": "Others have to attest the merge.",
        "ChallengeOpen": "Wait until the challenge time is over.",
        "HeadMoved": "The branch moved since: look at it again.",
        "RefUnknown": "Look at the round's candidates again.",
    },
    end="The merge is the head; each update can be settled.",
    fields=(REPO, BRANCH, ROUND, COMMIT),
    plan=_plan,
)
