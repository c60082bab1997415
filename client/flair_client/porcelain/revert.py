"""Takes a merge, or one contributor's term of a merge, back: by a new commit.

History stays. None of this is unlearning: what later updates learned from a state
remains in them, and whoever has the old weights keeps them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flair_client.chain.accounts import MoveKind
from flair_client.context import Context
from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, encode_event_list, sign_commit
from flair_client.errors import Refused, UsageError, VerificationError, WorkspaceError
from flair_client.history.checked import CheckedCommit, Evidence
from flair_client.history.diff import Change, diff_weights
from flair_client.history.events import events_for_commit
from flair_client.history.evidence import BranchEvidence, gather_evidence
from flair_client.history.graph import read_commit
from flair_client.history.records import MoveRecord, UpdateRecord
from flair_client.history.revert import require_separable
from flair_client.history.verify import walk_verified
from flair_client.history.verify_move import trusted_commit
from flair_client.history.verify_revert import (
    find_move,
    recompute_revert,
    reverted_by,
)
from flair_client.ids import CODEC_DAG_CBOR, Address, CommitId
from flair_client.objects import Commit, CommitKind, Manifest, Revert, RevertKind
from flair_client.porcelain.advance import advance, require_right_to_advance
from flair_client.porcelain.checkout import (
    blocks_of,
    check_out,
    manifest_of,
    put_manifest,
)
from flair_client.porcelain.refs import (
    known_heads,
    remember_heads,
    remember_verified,
    resolve,
    verified_commits,
)
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import save_terms, terms_now
from flair_client.porcelain.transfer import send_commit
from flair_client.store.base import Store
from flair_client.strategies import get_strategy
from flair_client.workspace import Head, Workspace

MARKER: Final = "revert"


@dataclass(frozen=True, slots=True)
class WeightsChange:
    """How far two states of the weights are apart, all tensors together.

    Attributes:
        l2: length of the difference, in units of the weights.
        max_abs: the largest change of one value.
    """

    l2: float
    max_abs: float
    n_changed: int
    n_tensors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """A revert that is on chain, or would be.

    Attributes:
        commit: the revert, now the head; None with a dry run.
        before: the head that it was made on.
        merge: the merge that is taken back, wholly or in part.
        contributor: whose term is taken back; None for the whole merge.
        update: the update of that term.
        change: between the two heads.
        ends_round: the round that ends without a merge; None where none is live.
        sent: false with a dry run, and where an earlier run had sent it already.
    """

    branch: str
    commit: CommitId | None
    before: CommitId
    merge: CommitId
    contributor: Address | None
    update: CommitId | None
    message: str
    change: WeightsChange
    ends_round: int | None
    sent: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """A revert and the weights that come out of it."""

    head: CheckedCommit
    reverts: Revert
    contributor: Address | None
    message: str
    manifest: Manifest


def revert(
    ctx: Context,
    workspace: Workspace,
    commit: str | None = None,
    *,
    contributor: Address | None = None,
    message: str | None = None,
    dry_run: bool = False,
    approve: Callable[[Reverted], None] = lambda _: None,
) -> Reverted:
    """Takes a merge back, or what one contributor added to it.

    Run again after a kill it goes on with the commit that was made.

    Args:
        ctx: the owner's, or that of a holder of the role `administer`.
        workspace: a clone; it stands at the revert afterwards.
        commit: names the merge; without it the newest one that has an update of the
            contributor.
        contributor: whose term; without one the whole merge.
        message: without one a sentence that names what is taken back.
        dry_run: only tells what would change.
        approve: asked before anything is sent; raises where the answer is no.

    Raises:
        Refused: the wallet may not move the branch, or it was taken back already.
        UsageError: the commit is no merge, or holds nothing of the contributor.
        NotSeparable: the merge's strategy is not linear.
        VerificationError: the branch's head is not valid.
    """
    if commit is None and contributor is None:
        raise UsageError("name a merge, or a contributor")
    with workspace.lock():
        place = _place(ctx, workspace)
        require_right_to_advance(place)
        store = blocks_of(ctx, workspace)
        asked = {"merge": commit or "", "contributor": str(contributor or "")}
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
        plan = _plan(workspace, store, gathered, commit, contributor, message)
        shown = _summary(store, place, plan, None)
        if dry_run:
            return shown
        approve(shown)
        commit_id = _begun(ctx, workspace, store, plan)
        if commit_id is None:
            commit_id = _make(ctx, store, place, plan)
        workspace.set_marker(MARKER, {"commit": str(commit_id)} | asked)
        send_commit(ctx, store, commit_id)
        advance(ctx, place, MoveKind.REVERT, commit_id)
        _move_workspace(ctx, workspace, store, commit_id)
        return _summary(store, place, plan, commit_id)


def _place(ctx: Context, workspace: Workspace) -> BranchTarget:
    head = workspace.head()
    if head is None:
        raise WorkspaceError("nothing was checked out here yet")
    return find_repo(ctx, workspace.repo()).branch(head.branch)


def _plan(  # noqa: PLR0917 - the user's words and what they are compared with
    workspace: Workspace,
    store: Store,
    gathered: BranchEvidence,
    text: str | None,
    contributor: Address | None,
    message: str | None,
) -> _Plan:
    evidence = gathered.evidence
    head = _valid_head(workspace, gathered)
    move = _target(workspace, evidence, store, text, contributor)
    update = None if contributor is None else _update_of(move, contributor)
    reverts = Revert(
        kind=RevertKind.MERGE if update is None else RevertKind.CONTRIBUTOR,
        commit=move.new_head,
        update=None if update is None else update.commit_id,
    )
    end = gathered.repo_account.event_seq + 1
    earlier = reverted_by(evidence, reverts, end)
    if earlier is not None:
        raise Refused(
            f"{_name(move, update)} was taken back by {earlier.short} already"
        )
    if update is not None and move.round is not None:
        params = evidence.history.policies[move.round.policy_index].params
        require_separable(get_strategy(params.strategy))
    manifest = recompute_revert(
        evidence, head.manifest, reverts, end, "revert", store_out=store
    )
    text = message or f"revert {_name(move, update)}"
    return _Plan(head, reverts, contributor, text, manifest)


def _valid_head(workspace: Workspace, gathered: BranchEvidence) -> CheckedCommit:
    """The head, verified from the last commit on that this machine has verified.

    Raises:
        VerificationError: it is not valid, or there is none.
    """
    evidence = gathered.evidence
    name = gathered.branch_account.name
    known = known_heads(workspace).get(name)
    is_known = known in verified_commits(workspace)
    since = known if is_known and _was_head(evidence, known) else None
    last = None if since is None else trusted_commit(evidence, since)
    for _, checked in walk_verified(evidence, since=since):
        last = checked
    if last is None:
        raise VerificationError(f"branch {name!r}", "has no commit yet")
    return last


def _was_head(evidence: Evidence, commit_id: CommitId | None) -> bool:
    return any(move.new_head == commit_id for move in evidence.moves)


def _target(
    workspace: Workspace,
    evidence: Evidence,
    store: Store,
    text: str | None,
    contributor: Address | None,
) -> MoveRecord:
    """The merge that the user means."""
    if text is None:
        for move in reversed(evidence.moves):
            record = move.round
            if record is not None and contributor in record.updates:
                update = record.updates[contributor]
                if not update.reject_reason:
                    return move
        raise UsageError(f"no merge of this branch has an update of {contributor}")
    wanted = resolve(workspace, store, text)
    found = find_move(evidence, wanted, evidence.history.event_seq + 1)
    if found is None:
        raise UsageError(f"commit {wanted.short} was never the head of this branch")
    if found.round is None:
        raise UsageError(
            f"commit {wanted.short} is a {found.kind.value}; only merges are taken back"
        )
    return found


def _update_of(move: MoveRecord, contributor: Address) -> UpdateRecord:
    accepted = () if move.round is None else move.round.accepted()
    for update in accepted:
        if update.contributor == contributor:
            return update
    raise UsageError(f"merge {move.new_head.short} has no update of {contributor}")


def _name(move: MoveRecord, update: UpdateRecord | None) -> str:
    merge = f"merge {move.new_head.short}"
    if update is None:
        return merge
    return f"update {update.commit_id.short} of {merge}"


def _make(ctx: Context, store: Store, place: BranchTarget, plan: _Plan) -> CommitId:
    events = events_for_commit(ctx.chain, store, place.repo.address, plan.head.commit)
    with store.batch():
        commit = Commit(
            kind=CommitKind.REVERT,
            repo=place.repo.address,
            branch=place.account.name,
            parents=(plan.head.commit_id,),
            author=ctx.wallet.address,
            message=plan.message,
            time=ctx.now(),
            weights=put_manifest(store, plan.manifest),
            recipe=plan.head.recipe,
            events=store.put(CODEC_DAG_CBOR, encode_event_list(events)),
            reverts=plan.reverts,
        )
        block = encode_commit(sign_commit(commit, ctx.wallet.address, ctx.wallet.sign))
        store.put(CODEC_DAG_CBOR, block)
    return id_of(block)


def _begun(
    ctx: Context, workspace: Workspace, store: Store, plan: _Plan
) -> CommitId | None:
    """The commit that an earlier run made and could not send, if it still fits."""
    marker = workspace.marker(MARKER)
    if marker is None:
        return None
    commit_id = CommitId.parse(str(marker["commit"]))
    commit = read_commit(store, commit_id)
    made = (commit.parents, commit.reverts, commit.message, commit.author)
    wanted = (plan.head.commit_id,), plan.reverts, plan.message, ctx.wallet.address
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
    return Reverted(
        branch=commit.branch,
        commit=commit_id,
        before=commit.parents[0],
        merge=commit.reverts.commit,
        contributor=None if update is None else read_commit(store, update).author,
        update=update,
        message=commit.message,
        change=_change(
            store, manifest_of(store, commit.parents[0]), manifest_of(store, commit_id)
        ),
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
    store: Store,
    place: BranchTarget,
    plan: _Plan,
    commit_id: CommitId | None,
) -> Reverted:
    live = place.account.round_index if place.account.round_live else None
    return Reverted(
        branch=place.account.name,
        commit=commit_id,
        before=plan.head.commit_id,
        merge=plan.reverts.commit,
        contributor=plan.contributor,
        update=plan.reverts.update,
        message=plan.message,
        change=_change(store, plan.head.manifest, plan.manifest),
        ends_round=live,
        sent=commit_id is not None,
    )


def _change(store: Store, before: Manifest, after: Manifest) -> WeightsChange:
    found = list(diff_weights(store, before, after))
    return WeightsChange(
        l2=math.sqrt(math.fsum((one.l2 or 0.0) ** 2 for one in found)),
        max_abs=max((one.max_abs or 0.0 for one in found), default=0.0),
        n_changed=sum(one.change is not Change.SAME for one in found),
        n_tensors=len(found),
    )
