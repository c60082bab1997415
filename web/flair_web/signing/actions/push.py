"""Pushes a commit whose blocks are in the store already."""

import secrets
from typing import Final

from flair_client.chain.instructions import Instruction
from flair_client.chain.signer import verify_signature
from flair_client.encoding import verify_commit_signature
from flair_client.errors import Refused, StaleBase, UsageError
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.advance import live_round, require_right_to_advance
from flair_client.porcelain.outbox import (
    PendingCommit,
    contributor_in,
    update_instructions,
)
from flair_client.porcelain.push_move import move_instruction
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import terms_now
from flair_client.porcelain.transfer import blocks_of_commit
from flair_web.signing.action import COMMIT, REPO, Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext

_NONCE_SIZE: Final = 16


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    commit_id = form.commit()
    commit = read_commit(ctx.remote, commit_id)
    target = find_repo(ctx, form.repo(ctx))
    if commit.repo != target.address:
        raise UsageError(f"commit {commit_id.short} is of another repository")
    if commit.author != ctx.wallet.address:
        raise Refused(
            f"commit {commit_id.short} is {commit.author}'s, not your wallet's"
        )
    verify_commit_signature(commit, verify_signature)
    # Every block is read and checked: none may be missing once the chain names it.
    n_blocks = sum(1 for _ in blocks_of_commit(ctx.remote, commit_id))
    place = target.branch(commit.branch)
    there = f"All its {n_blocks} blocks are in the store."
    if commit.kind is CommitKind.UPDATE:
        made = _update(ctx, place, commit_id, commit, form)
        index = place.account.round_index
        return Planned(
            made,
            (f"Your update {commit_id.short} enters round {index}. {there}",),
            {
                "update": "when it is withdrawn or settled",
                "round": "when the round is over and its last update is settled",
            },
            terms_now(place).policy.params.deposit_lamports,
        )
    return Planned((_move(ctx, place, commit_id, commit),), (there, *_ends(place)))


def _update(
    ctx: PlanningContext,
    place: BranchTarget,
    commit_id: CommitId,
    commit: Commit,
    form: Form,
) -> tuple[Instruction, ...]:
    terms = terms_now(place)
    if commit.parents != (terms.base,) or commit.round_index != terms.round_index:
        raise StaleBase(
            f"the update is for round {commit.round_index}, the branch is at "
            f"{terms.base.short}, round {terms.round_index}"
        )
    if commit.policy != terms.policy.digest:
        raise StaleBase("the update was made under another policy than the round's")
    pending = PendingCommit(
        commit_id,
        commit,
        contributor_in(ctx.remote, commit),
        form.whole("weight", 1, 256),
        secrets.token_bytes(_NONCE_SIZE),
        None,
    )
    return update_instructions(ctx, place, pending)


def _move(
    ctx: PlanningContext, place: BranchTarget, commit_id: CommitId, commit: Commit
) -> Instruction:
    is_move = commit.kind is CommitKind.SNAPSHOT or commit.merges_models
    if not is_move:
        raise UsageError(f"a {commit.kind} is not pushed by hand")
    if commit.parents[0] != place.account.head_commit:
        raise StaleBase(
            f"the {commit.kind} is made on {commit.parents[0].short}, the branch is at "
            f"{place.account.head_commit.short}"
        )
    require_right_to_advance(place)
    return move_instruction(ctx, place, commit_id, commit)


def _ends(place: BranchTarget) -> tuple[str, ...]:
    ended = live_round(place)
    if ended is None:
        return ()
    return (f"Round {ended}, which is in progress, ends without a merge.",)


ACTION = Action(
    name="push",
    title="Push a commit",
    button="Push",
    does="Puts a commit on chain whose blocks are in the store already.",
    needs=(
        "Your wallet signed the commit, and all its blocks are in the store.",
        (
            "An update is for the round in progress; a snapshot or a merge of models "
            "is made on the branch's head."
        ),
    ),
    refusals={
        "BlockMissing": "Send the blocks first: `flair push` does both.",
        "StaleBase": "Make the commit again on the branch's present head.",
        "Refused": "Sign in with the wallet that made the commit.",
        "RoleMissing": "Ask the owner for the role 'contribute'.",
        "WeightInvalid": "The weight is a power of two within the policy's cap.",
        "AccountAlreadyInUse": "Your update of this round is there already.",
    },
    end="An update waits in its round; any other commit is the head of its branch.",
    fields=(
        REPO,
        COMMIT,
        Field(
            "weight",
            "Weight of an update",
            "number",
            default="1",
            hint="a power of two, by the number of samples",
        ),
    ),
    plan=_plan,
    slow=True,
)
