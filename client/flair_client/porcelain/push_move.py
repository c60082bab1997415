"""Pushes what moves a branch at once: a snapshot, or a merge of models.

A round in progress ends without a merge of its updates.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flair_client.chain.accounts import MoveKind
from flair_client.chain.instructions import Instruction
from flair_client.context import Context
from flair_client.errors import ProgramRefused, StaleBase
from flair_client.history.evidence import gather_evidence
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId
from flair_client.objects import Commit
from flair_client.porcelain.advance import (
    advance_instruction,
    live_round,
    merge_instruction,
    require_right_to_advance,
)
from flair_client.porcelain.auditing import write_pushed
from flair_client.porcelain.checkout import blocks_of, check_out
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.pushed import PUSHED, Pushed, PushOutcome, destinations
from flair_client.porcelain.refs import remember_heads, remember_verified
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import save_terms, terms_now
from flair_client.porcelain.transfer import blocks_of_commit, send_blocks
from flair_client.store.base import Store
from flair_client.workspace import Head, Workspace

Approve: TypeAlias = Callable[[Pushed], None]


def move_instruction(
    ctx: Context, place: BranchTarget, commit_id: CommitId, commit: Commit
) -> Instruction:
    """What pushing a snapshot or a merge of models asks of the chain."""
    if commit.merges_models:
        return merge_instruction(ctx, place, commit_id, commit.parents[1:])
    return advance_instruction(ctx, place, MoveKind.SNAPSHOT, commit_id)


def push_move(
    ctx: Context,
    workspace: Workspace,
    commit_id: CommitId,
    *,
    dry_run: bool,
    approve: Approve,
    let_out: Callable[[BranchTarget], None] = lambda _: None,
) -> Pushed:
    """Sends the commit and moves branch and workspace there; the caller has the lock.

    Run again after a kill it goes on: blocks are sent once, and where the branch was
    moved already only the workspace is.

    Raises:
        StaleBase: the branch moved on since the commit was made.
        Refused: the wallet may not move the branch.
    """
    store = blocks_of(ctx, workspace)
    commit = read_commit(store, commit_id)
    place = find_repo(ctx, workspace.repo()).branch(commit.branch)
    plan = Pushed(
        commit=commit_id,
        kind=commit.kind,
        branch=commit.branch,
        outcome=PushOutcome.PLANNED,
        blocks=tuple(blocks_of_commit(store, commit_id)),
        destinations=destinations(ctx),
        ends_round=live_round(place),
    )
    if commit.parents[0] != place.account.head_commit:
        if not _was_head(ctx, store, place, commit_id):
            raise _stale(commit, place)
        if not dry_run:
            _move_workspace(ctx, workspace, store, commit_id)
        outcome = PushOutcome.PLANNED if dry_run else PushOutcome.MOVED
        return replace(plan, outcome=outcome, ends_round=None)
    require_right_to_advance(place)
    if dry_run:
        return plan
    if plan.ends_round is not None:
        approve(plan)
    let_out(place)
    sent = send_blocks(ctx, store, plan.blocks)
    _send(ctx, place, commit_id, commit)
    write_pushed(ctx, commit_id, sent)
    _move_workspace(ctx, workspace, store, commit_id)
    return replace(
        plan,
        outcome=PushOutcome.MOVED,
        sent=True,
        n_blocks=sent.n_blocks,
        n_bytes=sent.n_bytes,
    )


def _send(
    ctx: Context, place: BranchTarget, commit_id: CommitId, commit: Commit
) -> None:
    try:
        ctx.send([move_instruction(ctx, place, commit_id, commit)])
    except ProgramRefused as exc:
        if exc.name != "HeadMoved":
            raise
        # Another move was faster, between the look and this one.
        now = place.repo.branch(commit.branch)
        raise _stale(commit, now) from exc


def _stale(commit: Commit, place: BranchTarget) -> StaleBase:
    what = "merge" if commit.merges_models else commit.kind
    return StaleBase(
        f"the {what} is made on {commit.parents[0].short}, the branch is at "
        f"{place.account.head_commit.short}"
    )


def _was_head(
    ctx: Context, store: Store, place: BranchTarget, commit_id: CommitId
) -> bool:
    """Whether an earlier run moved the branch there."""
    gathered = gather_evidence(
        ctx.chain,
        store,
        place.repo.address,
        place.account.name,
        genesis_hash=ctx.network.genesis_hash,
        progress=ctx.progress,
    )
    return any(move.new_head == commit_id for move in gathered.evidence.moves)


def _move_workspace(
    ctx: Context, workspace: Workspace, store: Store, commit_id: CommitId
) -> None:
    """Brings files and HEAD to the commit, as a pull would."""
    commit = read_commit(store, commit_id)
    head = workspace.head()
    # Where the workspace went elsewhere meanwhile, it stays there.
    if head is not None and head.commit in (commit_id, commit.parents[0]):
        place = find_repo(ctx, workspace.repo()).branch(commit.branch)
        remember_heads(workspace, {commit.branch: commit_id})
        remember_verified(workspace, [commit_id])
        check_out(ctx, workspace, store, Head(commit.branch, None), commit_id)
        save_terms(workspace, terms_now(place))
    workspace.set_marker(PUSHED, {"commit": str(commit_id)})
    workspace.clear_marker(PENDING)
