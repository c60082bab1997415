"""Sends the pending commit: blocks to the store, then the update to the chain."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flair_client.chain.accounts import RoundState
from flair_client.context import Context
from flair_client.errors import (
    AlreadyPushed,
    ProgramRefused,
    StaleBase,
    WalletError,
    WorkspaceError,
)
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.approval import let_out, let_values_out
from flair_client.porcelain.auditing import refusals_written_down, write_pushed
from flair_client.porcelain.checkout import blocks_of, recipe_at
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.delegation import require_delegation
from flair_client.porcelain.outbox import (
    Outbox,
    PendingCommit,
    described,
    plan_push,
    read_pending,
    update_instructions,
)
from flair_client.porcelain.push_move import Approve, push_move
from flair_client.porcelain.pushed import (
    PUSHED,
    Pushed,
    PushOutcome,
    destinations,
    store_digest,
)
from flair_client.porcelain.round import round_open
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import DAMAGE, terms_now
from flair_client.porcelain.transfer import Outgoing, blocks_of_commit, send_blocks
from flair_client.porcelain.trust import require_trust
from flair_client.porcelain.update_fate import Fate, find_fate
from flair_client.store.base import Store
from flair_client.workspace import Workspace

# Commits whose values stay here until their round is closed.
HELD: Final = "held"
_OVER: Final = (PushOutcome.MERGED, PushOutcome.REJECTED, PushOutcome.ENDED)


def push(
    ctx: Context,
    workspace: Workspace,
    *,
    dry_run: bool = False,
    approve: Approve = lambda _: None,
) -> Pushed:
    """Sends the pending commit; run again after a kill it goes on.

    Under a policy with `reveal_after_close` the values of an update stay here while its
    round is open; a second push after the round was closed sends them.

    Args:
        ctx: with the wallet that signed the commit.
        workspace: a clone.
        dry_run: only tells what would leave the machine.
        approve: asked before a snapshot or a merge of models ends a round; raises
            where the answer is no.

    Raises:
        WorkspaceError: nothing was committed, and what was pushed last is in no round
            in progress.
        TrustRequired: recipe, policy or owner changed since they were accepted.
        StaleBase: the branch or the round moved on.
        AlreadyPushed: another update of this contributor is in the round.
        NotDelegated: the contributor has not delegated to this wallet.
        NoSponsor: a sponsor is to pay, and the repository has none.
        SponsorRefused: the sponsor does not pay for this.
        WalletError: another wallet signed the commit.
        Refused: the wallet may not move the branch.
        SiteRefused: a rule of the site forbids it, or the second person is missing.
        BudgetSpent: the data source has given away what it may.
    """
    with workspace.lock(), refusals_written_down(ctx, "push"):
        pending = workspace.marker(PENDING)
        held = None if dry_run else _reveal(ctx, workspace)
        if pending is None:
            done = held or _pushed_before(ctx, workspace)
            if done is None:
                raise WorkspaceError(_nothing(workspace))
            return done
        store = blocks_of(ctx, workspace)
        update = read_pending(store, workspace)
        commit_id, commit = update.commit_id, update.commit
        if commit.author != ctx.wallet.address:
            raise WalletError(
                f"commit {commit_id.short} was signed by {commit.author}, "
                f"the wallet in use is {ctx.wallet.address}"
            )
        if commit.kind is CommitKind.SNAPSHOT or commit.merges_models:

            def let_move_out(place: BranchTarget) -> None:
                planned = plan_push(ctx, store, place, update)
                let_out(ctx, workspace, store, update, planned)

            return push_move(
                *(ctx, workspace, commit_id),
                dry_run=dry_run,
                approve=approve,
                let_out=let_move_out,
            )
        return _push_update(ctx, workspace, store, update, dry_run=dry_run)


def _pushed_before(ctx: Context, workspace: Workspace) -> Pushed | None:
    """The update that was pushed last, as long as its round is in progress.

    Cut off after everything was sent, the same command ends well.
    """
    commit_id = _last_pushed(workspace)
    if commit_id is None:
        return None
    store = blocks_of(ctx, workspace)
    commit = read_commit(store, commit_id)
    if commit.kind is not CommitKind.UPDATE:
        return None
    place = find_repo(ctx, workspace.repo()).branch(commit.branch)
    try:
        fate = find_fate(ctx, store, place, commit_id, commit)
    except AlreadyPushed:
        # Taken back meanwhile, and another one is there.
        return None
    if fate is None or fate.outcome is not PushOutcome.ACCEPTED:
        return None
    blocks = tuple(blocks_of_commit(store, commit_id))
    return _pushed(ctx, commit_id, commit, fate.weight, blocks, fate.outcome)


def _last_pushed(workspace: Workspace) -> CommitId | None:
    last = (workspace.marker(PUSHED) or {}).get("commit")
    if last is None:
        return None
    with _damage():
        return CommitId.parse(str(last))


def _nothing(workspace: Workspace) -> str:
    last = _last_pushed(workspace)
    already = "" if last is None else f"; {last.short} was pushed already"
    return f"nothing is committed that could be pushed{already}"


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except DAMAGE as exc:
        raise WorkspaceError(f"the marker of the commit is damaged: {exc}") from exc


def _push_update(
    ctx: Context,
    workspace: Workspace,
    store: Store,
    update: PendingCommit,
    *,
    dry_run: bool,
) -> Pushed:
    commit_id, commit, weight = update.commit_id, update.commit, update.weight
    place = find_repo(ctx, workspace.repo()).branch(commit.branch)
    fate = find_fate(ctx, store, place, commit_id, commit)
    if fate is None:
        require_delegation(place.repo, update.contributor)
        _check(ctx, workspace, store, place, commit)
    planned = plan_push(ctx, store, place, update)
    blocks = planned.blocks
    holds = _holds_back(place, fate)
    if dry_run or (fate is not None and fate.outcome in _OVER):
        if not dry_run:
            workspace.clear_marker(PENDING)
        outcome = PushOutcome.PLANNED if fate is None else fate.outcome
        return _pushed(
            *(ctx, commit_id, commit, weight, blocks, outcome),
            merge=None if fate is None else fate.merge,
            holds_values=holds,
        )
    let_out(ctx, workspace, store, update, planned)
    sent = send_blocks(
        ctx, store, [one for one in blocks if not (holds and one.holds_values)]
    )
    if fate is None:
        _send(ctx, workspace, update, planned)
    write_pushed(ctx, commit_id, sent)
    held_until = None
    workspace.set_marker(PUSHED, {"commit": str(commit_id)})
    if holds:
        _hold(workspace, _held(workspace) | {commit_id: store_digest(ctx)})
        held_until = _deadline(ctx, workspace, commit)
    workspace.clear_marker(PENDING)
    return _pushed(
        *(ctx, commit_id, commit, weight, blocks),
        PushOutcome.HELD if holds else PushOutcome.ACCEPTED,
        sent=fate is None,
        n_blocks=sent.n_blocks,
        n_bytes=sent.n_bytes,
        holds_values=holds,
        held_until=held_until,
    )


def _pushed(  # noqa: PLR0917 - what every outcome has
    ctx: Context,
    commit_id: CommitId,
    commit: Commit,
    weight: int | None,
    blocks: tuple[Outgoing, ...],
    outcome: PushOutcome,
    **more: Any,
) -> Pushed:
    return Pushed(
        commit=commit_id,
        kind=commit.kind,
        branch=commit.branch,
        round_index=commit.round_index,
        weight=weight,
        outcome=outcome,
        blocks=blocks,
        destinations=destinations(ctx),
        **more,
    )


def _holds_back(place: BranchTarget, fate: Fate | None) -> bool:
    """Whether the values stay here for now: nobody can copy what nobody can read."""
    if not terms_now(place).policy.params.reveal_after_close:
        return False
    if fate is None:
        return True
    return fate.outcome is PushOutcome.ACCEPTED and fate.round_state is RoundState.OPEN


def _reveal(ctx: Context, workspace: Workspace) -> Pushed | None:
    """Sends the values of earlier updates whose rounds were closed meanwhile.

    Gives what became of the latest one; None where nothing was held back.
    """
    latest = None
    store = blocks_of(ctx, workspace)
    for commit_id in held_commits(workspace):
        commit = read_commit(store, commit_id)
        place = find_repo(ctx, workspace.repo()).branch(commit.branch)
        fate = find_fate(ctx, store, place, commit_id, commit)
        blocks = tuple(blocks_of_commit(store, commit_id))
        outcome = PushOutcome.ENDED if fate is None else fate.outcome
        more: dict[str, Any] = {"merge": None if fate is None else fate.merge}
        if _holds_back(place, fate) and fate is not None:
            outcome = PushOutcome.HELD
            more["holds_values"] = True
            more["held_until"] = _deadline(ctx, workspace, commit)
        elif outcome is PushOutcome.ACCEPTED:
            to = _held(workspace)[commit_id]
            let_values_out(ctx, str(place.repo.name), commit_id, blocks, to)
            sent = send_blocks(ctx, store, blocks)
            write_pushed(ctx, commit_id, sent)
            more |= {"n_blocks": sent.n_blocks, "n_bytes": sent.n_bytes}
        if outcome is not PushOutcome.HELD:
            others = _held(workspace)
            others.pop(commit_id)
            _hold(workspace, others)
        weight = None if fate is None else fate.weight
        latest = _pushed(ctx, commit_id, commit, weight, blocks, outcome, **more)
    return latest


def held_commits(workspace: Workspace) -> list[CommitId]:
    """Gives the updates whose values stay here until their round is closed.

    Raises:
        WorkspaceError: the marker was damaged.
    """
    return list(_held(workspace))


def _held(workspace: Workspace) -> dict[CommitId, str]:
    """Held updates, and the digest of the store that each was to go to."""
    table = workspace.marker(HELD) or {}
    with _damage():
        commits = [CommitId.parse(str(text)) for text in table.get("commits", [])]
        stores = table.get("stores") or [""] * len(commits)
        return dict(zip(commits, map(str, stores), strict=True))


def _hold(workspace: Workspace, held: dict[CommitId, str]) -> None:
    if held:
        table = {"commits": list(map(str, held)), "stores": list(held.values())}
        workspace.set_marker(HELD, table)
    else:
        workspace.clear_marker(HELD)


def _deadline(ctx: Context, workspace: Workspace, commit: Commit) -> int:
    place = find_repo(ctx, workspace.repo()).branch(commit.branch)
    return place.round(commit.round_index).account.deadline


def _check(
    ctx: Context,
    workspace: Workspace,
    store: Store,
    place: BranchTarget,
    commit: Commit,
) -> None:
    terms = terms_now(place)
    if commit.parents != (terms.base,) or commit.round_index != terms.round_index:
        raise StaleBase(
            f"the update is for round {commit.round_index}, the branch is at "
            f"{terms.base.short}, round {terms.round_index}"
        )
    require_trust(ctx, workspace, terms, recipe_at(store, terms.base))
    if commit.policy != terms.policy.digest:
        raise StaleBase("the update was made under another policy than the round's")


def _send(
    ctx: Context, workspace: Workspace, update: PendingCommit, planned: Outbox
) -> None:
    repo = workspace.repo()
    place = find_repo(ctx, repo).branch(update.commit.branch)
    if not place.account.round_live:
        try:
            round_open(ctx, repo, update.commit.branch)
        except ProgramRefused:
            # Somebody else may have opened it meanwhile, which is as good.
            if not find_repo(ctx, repo).branch(update.commit.branch).account.round_live:
                raise
        place = find_repo(ctx, repo).branch(update.commit.branch)
    target = place.round(place.account.round_index)
    if target.account.state is not RoundState.OPEN:
        raise StaleBase(f"round {place.account.round_index} takes no more updates")
    sent = update_instructions(ctx, place, update)
    # Between the list and this moment lie the blocks' transfer and others' doings.
    if described(sent[-1]) != planned.transactions[-1]:
        raise StaleBase("what the push asks of the chain is not what was listed")
    ctx.send(sent, payer=place.repo.payer)
