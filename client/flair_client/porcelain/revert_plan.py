"""What a revert would take back, and the weights that come out of it. Sends nothing."""

import math
from dataclasses import dataclass

from flair_client.errors import Refused, UsageError, VerificationError
from flair_client.history.checked import CheckedCommit, Evidence, InvalidCommit
from flair_client.history.diff import Change, diff_weights
from flair_client.history.evidence import BranchEvidence
from flair_client.history.graph import read_commit
from flair_client.history.in_force import find_move, moves_in_force
from flair_client.history.line import LineState, judge_before
from flair_client.history.records import MoveRecord, UpdateRecord
from flair_client.history.revert import require_separable
from flair_client.history.verify import trust, walk_line
from flair_client.history.verify_move import trusted_commit
from flair_client.history.verify_revert import recompute_revert, reverted_by
from flair_client.ids import Address, CommitId
from flair_client.objects import Manifest, Revert, RevertKind
from flair_client.porcelain.refs import (
    MIN_DIGITS,
    known_heads,
    resolve,
    verified_commits,
)
from flair_client.store.base import Store
from flair_client.strategies import choice_of
from flair_client.workspace import Workspace


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


@dataclass(frozen=True, slots=True)
class RevertPlan:
    """A revert and the weights that come out of it.

    Attributes:
        valid: the branch's newest valid commit.
        parent: the branch's head, which is another one where it is not valid.
        contributor: whose term is taken back, or who is left out of a replay; None for
            a whole commit.
        n_replayed: merges that were made again without the contributor.
        n_left_behind: commits of the line that are taken back with one another.
        n_repaired: wrong commits on top of the valid one, which are left behind.
    """

    valid: CheckedCommit
    parent: CommitId
    reverts: Revert
    contributor: Address | None
    message: str
    manifest: Manifest
    n_repaired: int = 0
    n_replayed: int = 0
    n_left_behind: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; see `revert`."""

    commit: str | None
    contributor: Address | None
    message: str | None
    replay: bool = False
    since: bool = False


def plan_revert(
    workspace: Workspace, store: Store, gathered: BranchEvidence, asked: Request
) -> RevertPlan:
    """Finds what is meant and makes the weights.

    Args:
        workspace: what names mean, and what was verified here.
        store: takes the new weights' blocks.
        gathered: what the branch's commits are compared with.
        asked: by the user.

    Raises:
        As `porcelain.revert.revert`.
    """
    evidence = gathered.evidence
    state = _state(workspace, gathered)
    if state.head is None:
        where = f"branch {gathered.branch_account.name!r}"
        raise state.fault or VerificationError(where, "has no commit yet")
    if state.broken:
        return _plan_repair(state, state.head, gathered, asked)
    end = gathered.repo_account.event_seq + 1
    judge_before(evidence, end)
    if asked.since:
        return _plan_back(workspace, store, state.head, evidence, asked, end)
    move = _target(workspace, evidence, store, asked, end)
    update = None if asked.contributor is None else _update_of(move, asked.contributor)
    reverts = _reverts(move, update, replay=asked.replay)
    _require_there(evidence, move, update, reverts, end)
    if reverts.kind is RevertKind.CONTRIBUTOR and move.round is not None:
        params = evidence.history.policies[move.round.policy_index].params
        require_separable(choice_of(params).strategy)
    manifest = recompute_revert(
        evidence, state.head.manifest, reverts, end, "revert", store_out=store
    )
    return RevertPlan(
        state.head,
        state.head.commit_id,
        reverts,
        asked.contributor,
        asked.message or _message(move, update, reverts),
        manifest,
        n_replayed=_n_merges_from(evidence, move, end) if asked.replay else 0,
    )


def _reverts(move: MoveRecord, update: UpdateRecord | None, *, replay: bool) -> Revert:
    kind = RevertKind.REPLAY if replay else RevertKind.CONTRIBUTOR
    return Revert(
        kind=RevertKind.MERGE if update is None else kind,
        commit=move.new_head,
        update=None if update is None else update.commit_id,
    )


def _require_there(
    evidence: Evidence,
    move: MoveRecord,
    update: UpdateRecord | None,
    reverts: Revert,
    end: int,
) -> None:
    """Refuses what is not part of the head."""
    earlier = reverted_by(evidence, reverts, end)
    if earlier is not None:
        done = read_commit(evidence.store, earlier).reverts
        was_replayed = done is not None and done.kind is RevertKind.REPLAY
        how = f"was taken back by {earlier.short} already"
        if was_replayed and reverts.kind is not RevertKind.REPLAY:
            how = f"was made again by {earlier.short}: only --replay takes more out"
        raise Refused(f"{_name(move, update)} {how}")
    if move.event_seq in evidence.judged.invalid:
        raise Refused(f"{_name(move, update)} is not part of the head: it is not valid")


def _message(move: MoveRecord, update: UpdateRecord | None, reverts: Revert) -> str:
    if update is None or reverts.kind is not RevertKind.REPLAY:
        return f"revert {_name(move, update)}"
    merge = f"merge {move.new_head.short}"
    return f"replay from {merge} on without {update.contributor}"


def _n_merges_from(evidence: Evidence, first: MoveRecord, end: int) -> int:
    """Merges of rounds that the head is made of, from this one on."""
    return sum(
        move.round is not None and move.event_seq >= first.event_seq
        for move in moves_in_force(evidence, end)
    )


def _plan_back(  # noqa: PLR0917 - what a plan is made from
    workspace: Workspace,
    store: Store,
    head: CheckedCommit,
    evidence: Evidence,
    asked: Request,
    end: int,
) -> RevertPlan:
    """Back to a commit that was the branch's head: its state, whole."""
    wanted = resolve(workspace, store, asked.commit)
    kept = find_move(evidence, wanted, end)
    if kept is None:
        raise UsageError(f"commit {wanted.short} was never the head of this branch")
    if kept.event_seq in evidence.judged.invalid:
        raise Refused(f"commit {wanted.short} is not valid: nobody goes back to it")
    if wanted == head.commit_id:
        raise Refused(f"the branch is at {wanted.short}: nothing came since")
    reverts = Revert(kind=RevertKind.SINCE, commit=wanted)
    manifest = recompute_revert(
        evidence, head.manifest, reverts, end, "revert", store_out=store
    )
    invalid = evidence.judged.invalid
    return RevertPlan(
        head,
        head.commit_id,
        reverts,
        None,
        asked.message or f"back to {wanted.short}",
        manifest,
        n_left_behind=sum(
            move.event_seq > kept.event_seq and move.event_seq not in invalid
            for move in evidence.moves
        ),
    )


def change_between(store: Store, before: Manifest, after: Manifest) -> WeightsChange:
    """Measures how far two states are apart."""
    found = list(diff_weights(store, before, after))
    return WeightsChange(
        l2=math.sqrt(math.fsum((one.l2 or 0.0) ** 2 for one in found)),
        max_abs=max((one.max_abs or 0.0 for one in found), default=0.0),
        n_changed=sum(one.change is not Change.SAME for one in found),
        n_tensors=len(found),
    )


def _state(workspace: Workspace, gathered: BranchEvidence) -> LineState:
    """How far the branch holds, from what this machine has verified on."""
    evidence = gathered.evidence
    verified = verified_commits(workspace)
    trust(evidence, verified)
    known = known_heads(workspace).get(gathered.branch_account.name)
    heads = [move.new_head for move in evidence.moves]
    since = known if known in verified and known in heads else None
    state = LineState()
    if since is not None:
        state = LineState(trusted_commit(evidence, since))
    for _, after in walk_line(evidence, since=since):
        state = after
    return state


def _plan_repair(
    state: LineState, valid: CheckedCommit, gathered: BranchEvidence, asked: Request
) -> RevertPlan:
    """The head is wrong: only its first wrong commit can be taken back, and all after.

    What comes out is the last valid commit's state.
    """
    first = state.broken[0]
    wanted = None if asked.commit is None else _broken(state, asked.commit)
    if wanted is None or asked.contributor is not None or asked.since:
        raise state.fault or VerificationError(first.where, first.reason)
    if wanted != first:
        raise Refused(
            f"commit {wanted.commit_id.short} follows {first.commit_id.short}, "
            f"which is not valid: that one has to be taken back"
        )
    return RevertPlan(
        valid,
        gathered.branch_account.head_commit,
        Revert(kind=RevertKind.MERGE, commit=first.commit_id),
        None,
        asked.message
        or f"back to {valid.commit_id.short}: {first.commit_id.short} is not valid",
        valid.manifest,
        len(state.broken),
    )


def _broken(state: LineState, text: str) -> InvalidCommit | None:
    """The wrong commit that a text names: its id, or six or more digits of it."""
    found = [one for one in state.broken if str(one.commit_id).startswith(text)]
    return found[0] if len(found) == 1 and len(text) >= MIN_DIGITS else None


def _target(
    workspace: Workspace, evidence: Evidence, store: Store, asked: Request, end: int
) -> MoveRecord:
    """The merge that the user means."""
    if asked.commit is None and asked.replay:
        return _first_with(evidence, asked.contributor, end)
    if asked.commit is None:
        return _newest_with(evidence, asked.contributor)
    wanted = resolve(workspace, store, asked.commit)
    found = find_move(evidence, wanted, evidence.history.event_seq + 1)
    if found is None:
        raise UsageError(f"commit {wanted.short} was never the head of this branch")
    if found.round is None:
        raise UsageError(
            f"commit {wanted.short} is a {found.kind.value}; only merges are taken back"
        )
    return found


def _newest_with(evidence: Evidence, contributor: Address | None) -> MoveRecord:
    for move in reversed(evidence.moves):
        accepted = () if move.round is None else move.round.accepted()
        is_in = contributor in [update.contributor for update in accepted]
        if is_in and move.event_seq not in evidence.judged.invalid:
            return move
    raise UsageError(f"no merge of this branch has an update of {contributor}")


def _first_with(
    evidence: Evidence, contributor: Address | None, end: int
) -> MoveRecord:
    """The first merge that still has an update of somebody's in the head."""
    for move in evidence.moves:
        accepted = () if move.round is None else move.round.accepted()
        own = next((one for one in accepted if one.contributor == contributor), None)
        if own is None or move.event_seq in evidence.judged.invalid:
            continue
        if reverted_by(evidence, _reverts(move, own, replay=True), end) is None:
            return move
    raise UsageError(f"no merge of this branch has an update of {contributor} left")


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
