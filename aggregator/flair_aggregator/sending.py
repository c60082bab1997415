"""Each step as an instruction."""

from flair_aggregator.round import (
    AbortRound,
    Accumulate,
    CloseRound,
    ExpireCandidate,
    ExpireUpdate,
    Finalize,
    OpenRound,
    RejectUpdate,
    SettleUpdate,
    Step,
)
from flair_client.chain import instructions
from flair_client.chain.accounts import BranchAccount
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import find_policy_pda
from flair_client.context import Context
from flair_client.ids import Address


def build(  # noqa: PLR0911 - one per kind of step
    ctx: Context, repo: Address, branch: Address, account: BranchAccount, step: Step
) -> Instruction:
    """Gives the instruction that carries out a step; `Propose` has its own.

    Args:
        ctx: whose wallet signs.
        repo: the repository's address.
        branch: the branch's address.
        account: the branch, as read for the plan.
        step: from the plan.
    """
    me, program_id = ctx.wallet.address, ctx.program_id
    common = {"repo": repo, "branch": branch, "program_id": program_id}
    match step:
        case OpenRound(round_index):
            policy = find_policy_pda(repo, account.policy_index, program_id)[0]
            return instructions.round_open(
                payer=me, policy=policy, round_index=round_index, **common
            )
        case CloseRound(located):
            return instructions.round_close(
                actor=me,
                policy=located.value.policy,
                round_index=located.value.round_index,
                **common,
            )
        case AbortRound(located):
            return instructions.round_abort(
                actor=me,
                policy=located.value.policy,
                round_index=located.value.round_index,
                round_payer=located.value.payer,
                **common,
            )
        case RejectUpdate(update, fault):
            return instructions.update_reject(
                authority=me,
                round_index=account.round_index,
                contributor=update.value.contributor,
                reason=fault.reason_code,
                **common,
            )
        case Accumulate(located, updates):
            return instructions.merge_accumulate(
                actor=me,
                round_index=located.value.round_index,
                contributors=[one.value.contributor for one in updates],
                **common,
            )
        case Finalize(located, candidate):
            return instructions.merge_finalize(
                actor=me,
                policy=located.value.policy,
                round_index=located.value.round_index,
                commit_id=candidate.value.commit_id,
                candidate_payer=candidate.value.payer,
                expected_head=account.head_commit,
                expected_seq=account.head_seq,
                **common,
            )
        case SettleUpdate(located, update) | ExpireUpdate(located, update):
            clear = (
                instructions.update_settle
                if isinstance(step, SettleUpdate)
                else instructions.update_expire
            )
            return clear(
                actor=me,
                round_index=located.value.round_index,
                contributor=update.value.contributor,
                rent_payer=update.value.rent_payer,
                round_payer=located.value.payer,
                **common,
            )
        case ExpireCandidate(candidate):
            return instructions.merge_expire(
                actor=me,
                round_index=candidate.value.round_index,
                commit_id=candidate.value.commit_id,
                candidate_payer=candidate.value.payer,
                **common,
            )
        case _:
            raise TypeError(f"{type(step).__name__} is sent elsewhere")
