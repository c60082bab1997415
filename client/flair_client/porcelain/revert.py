"""Takes a merge, one contributor's term, or all since a commit back: by a new commit.

History stays. None of this is unlearning: what later updates learned from a state
remains in them, and whoever has the old weights keeps them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flair_client.chain.accounts import MoveKind
from flair_client.context import Context
from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, encode_event_list, sign_commit
from flair_client.errors import UsageError, WorkspaceError
from flair_client.history.events import events_for_commit
from flair_client.history.evidence import gather_evidence
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, Address, CommitId
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.advance import advance, require_right_to_advance
from flair_client.porcelain.auditing import write_push, write_pushed
from flair_client.porcelain.checkout import (
    blocks_of,
    check_out,
    manifest_of,
    put_manifest,
)
from flair_client.porcelain.outbox import contributor_in
from flair_client.porcelain.refs import remember_heads, remember_verified
from flair_client.porcelain.revert_plan import (
    Request,
    RevertPlan,
    WeightsChange,
    change_between,
    plan_revert,
)
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import save_terms, terms_now
from flair_client.porcelain.transfer import blocks_of_commit, send_blocks
from flair_client.store.base import Store
from flair_client.workspace import Head, Workspace

MARKER: Final = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """A revert that is on chain, or would be.

    Attributes:
        commit: the revert, now the head; None with a dry run.
        before: the head that it was made on.
        reverts: the merge that is taken back, wholly or in part; or the first commit of
            the branch that is not valid; or with `n_left_behind` the commit that it
            goes back to.
        contributor: whose term is taken back, or who is left out of a replay; None for
            the whole commit.
        update: the contributor's in that merge.
        n_replayed: merges that were made again without the contributor; 0 where one
            term alone, or a whole merge, is taken back.
        n_left_behind: commits since then that are taken back together; 0 for all other
            reverts.
        change: from the state before to the new one.
        n_repaired: commits on top of the last valid one that are left behind.
        ends_round: the round that ends without a merge; None where none is live.
        sent: false with a dry run, and where an earlier run had sent it already.
    """

    branch: str
    commit: CommitId | None
    before: CommitId
    reverts: CommitId
    contributor: Address | None
    update: CommitId | None
    message: str
    change: WeightsChange
    n_repaired: int
    n_replayed: int
    n_left_behind: int
    ends_round: int | None
    sent: bool


def revert(
    ctx: Context,
    workspace: Workspace,
    commit: str | None = None,
    *,
    contributor: Address | None = None,
    replay: bool = False,
    since: bool = False,
    message: str | None = None,
    dry_run: bool = False,
    approve: Callable[[Reverted], None] = lambda _: None,
) -> Reverted:
    """Takes a merge back, or what one contributor added to it.

    Where the branch's head is not valid, taking its first wrong commit back brings the
    branch to its last valid state. Run again after a kill it goes on with the commit
    that was made.

    Args:
        ctx: the owner's, or that of a holder of the role `administer`.
        workspace: a clone; it stands at the revert afterwards.
        commit: names the merge; without it the newest one that has an update of the
            contributor.
        contributor: whose term; without one the whole merge.
        replay: whether that merge and all after it are made again without any update of
            the contributor; without a commit from its first one on.
        since: whether the commit is kept and everything after it is taken back.
        message: without one a sentence that names what is taken back.
        dry_run: only tells what would change.
        approve: asked before anything is sent; raises where the answer is no.

    Raises:
        Refused: the wallet may not move the branch, or it was taken back already.
        UsageError: the commit is no merge, or holds nothing of the contributor.
        NotSeparable: the merge's strategy is not linear; or for a replay, too few
            updates remain for a strategy, or weights came from elsewhere later.
        VerificationError: the branch's head is not valid, and it is not its first wrong
            commit that is to be taken back.
    """
    if commit is None and contributor is None:
        raise UsageError("name a merge, or a contributor")
    if replay and contributor is None:
        raise UsageError("a replay leaves a contributor out: name one")
    if since and (commit is None or contributor is not None):
        raise UsageError(
            "going back takes all commits since one back, whoever made them: name that "
            "commit and no contributor"
        )
    with workspace.lock():
        place = _place(ctx, workspace)
        require_right_to_advance(place)
        store = blocks_of(ctx, workspace)
        asked = {
            "asked": commit or "",
            "contributor": str(contributor or ""),
            "replay": str(replay).lower(),
            "since": str(since).lower(),
        }
        done = _finished(ctx, workspace, place, store, asked)
        if done is not None:
            return done
        gathered = gather_evidence(
            ctx.chain,
            store,
            place.repo.address,
            place.account.name,
            genesis_hash=ctx.network.genesis_hash,
            progress=ctx.progress,
        )
        # What the evidence saw is what the move compares with.
        place = BranchTarget(place.repo, place.address, gathered.branch_account)
        request = Request(commit, contributor, message, replay, since)
        plan = plan_revert(workspace, store, gathered, request)
        shown = _summary(store, place, plan, None)
        if dry_run:
            return shown
        approve(shown)
        commit_id = _begun(ctx, workspace, store, plan)
        if commit_id is None:
            commit_id = _make(ctx, store, place, plan)
        workspace.set_marker(
            MARKER,
            {
                "commit": str(commit_id),
                "n_repaired": plan.n_repaired,
                "n_replayed": plan.n_replayed,
                "n_left_behind": plan.n_left_behind,
            }
            | asked,
        )
        blocks = list(blocks_of_commit(store, commit_id, whole=plan.n_repaired > 0))
        where = {"branch": place.account.name, "commit": str(commit_id)}
        write_push(ctx, place.repo.name, blocks, **where)
        sent = send_blocks(ctx, store, blocks)
        advance(ctx, place, MoveKind.REVERT, commit_id)
        write_pushed(ctx, commit_id, sent)
        _move_workspace(ctx, workspace, store, commit_id)
        return _summary(store, place, plan, commit_id)


def _place(ctx: Context, workspace: Workspace) -> BranchTarget:
    head = workspace.head()
    if head is None:
        raise WorkspaceError("nothing was checked out here yet")
    return find_repo(ctx, workspace.repo()).branch(head.branch)


def _make(
    ctx: Context, store: Store, place: BranchTarget, plan: RevertPlan
) -> CommitId:
    with store.batch():
        commit = unsigned_revert(ctx, store, place, plan)
        block = encode_commit(sign_commit(commit, ctx.wallet.address, ctx.wallet.sign))
        store.put(CODEC_DAG_CBOR, block)
    return id_of(block)


def unsigned_revert(
    ctx: Context, store: Store, place: BranchTarget, plan: RevertPlan
) -> Commit:
    """Gives the commit of a plan, which its author has not signed yet.

    Args:
        ctx: with the author's wallet.
        store: takes the blocks that the commit names.
        place: the branch that it is for.
        plan: what comes out.
    """
    events = events_for_commit(ctx.chain, store, place.repo.address, plan.valid.commit)
    return Commit(
        kind=CommitKind.REVERT,
        repo=place.repo.address,
        branch=place.account.name,
        parents=(plan.parent,),
        author=ctx.wallet.address,
        message=plan.message,
        time=ctx.now(),
        weights=put_manifest(store, plan.manifest),
        recipe=plan.valid.recipe,
        events=store.put(CODEC_DAG_CBOR, encode_event_list(events)),
        reverts=plan.reverts,
    )


def _begun(
    ctx: Context, workspace: Workspace, store: Store, plan: RevertPlan
) -> CommitId | None:
    """The commit that an earlier run made and could not send, if it still fits."""
    marker = workspace.marker(MARKER)
    if marker is None:
        return None
    commit_id = CommitId.parse(str(marker["commit"]))
    commit = read_commit(store, commit_id)
    made = (commit.parents, commit.reverts, commit.message, commit.author)
    wanted = (plan.parent,), plan.reverts, plan.message, ctx.wallet.address
    return commit_id if made == wanted else None


def _finished(
    ctx: Context,
    workspace: Workspace,
    place: BranchTarget,
    store: Store,
    asked: Mapping[str, str],
) -> Reverted | None:
    """What an earlier run sent without writing down that it is done.

    The workspace is brought there in any case; whoever asks for another revert now
    goes on with that one.
    """
    marker = workspace.marker(MARKER)
    if marker is None:
        return None
    commit_id = CommitId.parse(str(marker["commit"]))
    if place.account.head_commit != commit_id:
        return None
    _move_workspace(ctx, workspace, store, commit_id)
    commit = read_commit(store, commit_id)
    if any(marker.get(name) != text for name, text in asked.items()):
        return None
    if commit.reverts is None:
        raise WorkspaceError(f"commit {commit_id.short} is no revert")
    update = commit.reverts.update
    n_repaired = int(marker.get("n_repaired", 0))
    after = manifest_of(store, commit_id)
    # A wrong commit's weights may not even be there; the last valid state is this one.
    before = after if n_repaired else manifest_of(store, commit.parents[0])
    return Reverted(
        branch=commit.branch,
        commit=commit_id,
        before=commit.parents[0],
        reverts=commit.reverts.commit,
        contributor=None
        if update is None
        else contributor_in(store, read_commit(store, update)),
        update=update,
        message=commit.message,
        change=change_between(store, before, after),
        n_repaired=n_repaired,
        n_replayed=int(marker.get("n_replayed", 0)),
        n_left_behind=int(marker.get("n_left_behind", 0)),
        ends_round=None,
        sent=False,
    )


def _move_workspace(
    ctx: Context, workspace: Workspace, store: Store, commit_id: CommitId
) -> None:
    """Brings files and HEAD to the revert, as a pull would."""
    place = _place(ctx, workspace)
    name = place.account.name
    remember_heads(workspace, {name: commit_id})
    remember_verified(workspace, [commit_id])
    check_out(ctx, workspace, store, Head(name, None), commit_id)
    save_terms(workspace, terms_now(place))
    workspace.clear_marker(MARKER)


def _summary(
    store: Store, place: BranchTarget, plan: RevertPlan, commit_id: CommitId | None
) -> Reverted:
    live = place.account.round_index if place.account.round_live else None
    return Reverted(
        branch=place.account.name,
        commit=commit_id,
        before=plan.parent,
        reverts=plan.reverts.commit,
        contributor=plan.contributor,
        update=plan.reverts.update,
        message=plan.message,
        change=change_between(store, plan.valid.manifest, plan.manifest),
        n_repaired=plan.n_repaired,
        n_replayed=plan.n_replayed,
        n_left_behind=plan.n_left_behind,
        ends_round=live,
        sent=commit_id is not None,
    )
