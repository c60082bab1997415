"""Sends the pending commit: blocks to the store, then the update to the chain."""

from dataclasses import dataclass

from flair_client.chain import instructions
from flair_client.chain.accounts import RoundState, Scope
from flair_client.context import Context
from flair_client.errors import (
    AlreadyPushed,
    ProgramRefused,
    StaleBase,
    WalletError,
    WorkspaceError,
)
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId, Digest
from flair_client.objects import Commit
from flair_client.porcelain.checkout import blocks_of, recipe_at
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.round import round_open
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import DAMAGE, terms_now
from flair_client.porcelain.transfer import Outgoing, blocks_of_commit, send_commit
from flair_client.porcelain.trust import require_trust
from flair_client.store.base import Store
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Pushed:
    """An update that is on chain, or would be.

    Attributes:
        sent: false with a dry run, and where it was on chain already.
        blocks: everything that leaves the machine.
    """

    commit: CommitId
    branch: str
    round_index: int
    weight: int
    sent: bool
    n_blocks: int
    n_bytes: int
    blocks: tuple[Outgoing, ...]


def push(ctx: Context, workspace: Workspace, *, dry_run: bool = False) -> Pushed:
    """Sends the pending update; run again after a kill it goes on.

    Raises:
        WorkspaceError: nothing was committed.
        WalletError: another wallet signed the commit.
        TrustRequired: recipe, policy or owner changed since they were accepted.
        StaleBase: the branch or the round moved on.
        AlreadyPushed: another update of this wallet is in the round.
    """
    with workspace.lock():
        commit_id, weight, nonce = _pending(workspace)
        store = blocks_of(ctx, workspace)
        commit = read_commit(store, commit_id)
        if commit.author != ctx.wallet.address:
            raise WalletError(
                f"commit {commit_id.short} was signed by {commit.author}, "
                f"the wallet in use is {ctx.wallet.address}"
            )
        place = find_repo(ctx, workspace.repo()).branch(commit.branch)
        done = _is_on_chain(ctx, place, commit_id, commit)
        if not done:
            _check(ctx, workspace, store, place, commit)
        outgoing = tuple(blocks_of_commit(store, commit_id))
        n_blocks = n_bytes = 0
        if not dry_run:
            sent = send_commit(ctx, store, commit_id)
            n_blocks, n_bytes = sent.n_blocks, sent.n_bytes
            if not done:
                _send(ctx, workspace, commit_id, commit, weight=weight, nonce=nonce)
            workspace.clear_marker(PENDING)
    return Pushed(
        commit_id,
        commit.branch,
        commit.round_index or 0,
        weight,
        not (dry_run or done),
        n_blocks,
        n_bytes,
        outgoing,
    )


def _pending(workspace: Workspace) -> tuple[CommitId, int, bytes]:
    pending = workspace.marker(PENDING)
    if pending is None:
        raise WorkspaceError("nothing is committed that could be pushed")
    try:
        return (
            CommitId.parse(str(pending["commit"])),
            int(pending["weight"]),
            bytes.fromhex(str(pending["nonce"])),
        )
    except DAMAGE as exc:
        raise WorkspaceError(f"the marker of the commit is damaged: {exc}") from exc


def _is_on_chain(
    ctx: Context, place: BranchTarget, commit_id: CommitId, commit: Commit
) -> bool:
    account = place.account
    if not account.round_live or account.round_index != commit.round_index:
        return False
    there = ctx.chain.update(
        place.round(account.round_index).address, ctx.wallet.address
    )
    if there is None:
        return False
    if there.commit_id != commit_id:
        raise AlreadyPushed(
            f"update {there.commit_id.short} of this wallet is in round "
            f"{account.round_index} already"
        )
    return True


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
    ctx: Context,
    workspace: Workspace,
    commit_id: CommitId,
    commit: Commit,
    *,
    weight: int,
    nonce: bytes,
) -> None:
    repo = workspace.repo()
    place = find_repo(ctx, repo).branch(commit.branch)
    if not place.account.round_live:
        try:
            round_open(ctx, repo, commit.branch)
        except ProgramRefused:
            # Somebody else may have opened it meanwhile, which is as good.
            if not find_repo(ctx, repo).branch(commit.branch).account.round_live:
                raise
        place = find_repo(ctx, repo).branch(commit.branch)
    target = place.round(place.account.round_index)
    if target.account.state is not RoundState.OPEN:
        raise StaleBase(f"round {place.account.round_index} takes no more updates")
    if commit.delta is None:
        raise WorkspaceError(f"commit {commit_id.short} is no update")
    ctx.send(
        [
            instructions.update_push(
                payer=ctx.wallet.address,
                contributor=ctx.wallet.address,
                repo=place.repo.address,
                branch=place.address,
                policy=target.account.policy,
                round_index=place.account.round_index,
                commit_id=commit_id,
                expected_base=commit.parents[0],
                weight=weight,
                payload_digest=Digest(commit.delta.digest),
                nonce=nonce,
                role=place.repo.right(Scope.CONTRIBUTE, place.address),
                program_id=ctx.program_id,
            )
        ]
    )
