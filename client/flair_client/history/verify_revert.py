"""Makes a revert's weights again: taken back, made again, or of before."""

from flair_client.errors import VerificationError
from flair_client.history.checked import Evidence, terms_of
from flair_client.history.in_force import find_move, moves_in_force, went_back_to
from flair_client.history.naming_store import NamingStore
from flair_client.history.records import MoveRecord, RoundRecord
from flair_client.history.replayed import left_out_by, replay_revert
from flair_client.history.revert import back_to, revert_contributor, revert_merge
from flair_client.history.verify_update import (
    read_commit,
    requiring,
    verify_update,
)
from flair_client.history.verify_weights import read_manifest
from flair_client.ids import CommitId
from flair_client.objects import CommitKind, Manifest, Revert, RevertKind
from flair_client.store.base import Store
from flair_client.store.overlay import scratch_over
from flair_client.strategies import choice_of, lambda_for


def recompute_revert(
    evidence: Evidence,
    head: Manifest,
    reverts: Revert,
    event_seq: int,
    where: str,
    *,
    store_out: Store | None = None,
) -> Manifest:
    """The weights that come out of taking a merge, or one term of it, back.

    Args:
        evidence: of the branch.
        head: weights of the head before.
        reverts: what is taken back.
        event_seq: number of the event that moves the revert in; what lies behind it
            does not count.
        where: the commit, for messages.
        store_out: takes new blocks; without it they are named and forgotten.

    Raises:
        VerificationError: the merge or term is not there, or was taken back already.
        NotSeparable: without the contributor a merge cannot be made again.
        TensorMismatch, OutOfRange: the arithmetic is not possible.
    """
    must = requiring(where)
    merge_move = find_move(evidence, reverts.commit, event_seq)
    if merge_move is None:
        reason = f"reverts {reverts.commit.short}, which is not in its history"
        raise VerificationError(where, reason)
    must(
        merge_move.event_seq not in evidence.judged.invalid,
        f"reverts {reverts.commit.short}, which is not valid",
    )
    done = reverted_by(evidence, reverts, event_seq)
    if done is not None:
        raise VerificationError(
            where, f"reverts what {done.short} has reverted already"
        )
    if reverts.kind is RevertKind.SINCE:
        must(
            not _is_head(evidence, merge_move, event_seq),
            f"goes back to {reverts.commit.short}, where the branch is",
        )
        return back_to(head, _manifest_of(evidence.store, reverts.commit, where))
    record = merge_move.round
    if record is None:
        raise VerificationError(where, "reverts a commit that is no merge")
    if reverts.kind is RevertKind.REPLAY:
        return _replayed(evidence, merge_move, reverts, event_seq, store_out)
    terms = terms_of(evidence.history, record)
    scratch = NamingStore(evidence.store) if store_out is None else store_out
    before = _manifest_of(evidence.store, merge_move.old_head, where)
    if reverts.kind is RevertKind.MERGE:
        after = _manifest_of(evidence.store, merge_move.new_head, where)
        return revert_merge(
            evidence.store,
            head,
            before,
            after,
            terms.params.scale_exp,
            scratch,
        )
    return _without_term(evidence, record, reverts, head, before, where, scratch)


def _without_term(  # noqa: PLR0917 - what a term is taken out of
    evidence: Evidence,
    record: RoundRecord,
    reverts: Revert,
    head: Manifest,
    before: Manifest,
    where: str,
    store_out: Store,
) -> Manifest:
    """The head without one contributor's term of a merge by a linear strategy."""
    terms = terms_of(evidence.history, record)
    update = next((u for u in record.accepted() if u.commit_id == reverts.update), None)
    if update is None:
        raise VerificationError(where, "reverts an update that is not in the merge")
    strategy = choice_of(terms.params).strategy
    requiring(where)(
        strategy.linear, f"strategy {strategy.id!r} has no separable terms"
    )
    _, delta = verify_update(evidence.store, terms, update, before)
    weight_sum = sum(one.weight for one in record.accepted())
    return revert_contributor(
        evidence.store,
        head,
        update.weight,
        delta,
        lambda_for(terms.params.eta_q24, weight_sum),
        terms.params.scale_exp,
        store_out,
    )


def reverted_by(evidence: Evidence, reverts: Revert, event_seq: int) -> CommitId | None:
    """The revert that has taken the same back already, or a part of it."""
    if reverts.kind is RevertKind.SINCE:
        return None
    in_force = moves_in_force(evidence, event_seq)
    merge = find_move(evidence, reverts.commit, event_seq)
    if merge is not None and merge.event_seq not in evidence.judged.invalid:
        left_behind = _left_behind_by(evidence, merge, in_force)
        if left_behind is not None:
            return left_behind
    for move in in_force:
        if move.kind is not CommitKind.REVERT:
            continue
        done = read_commit(evidence.store, move.new_head).reverts
        if done is not None and _takes_back(evidence, move, done, reverts):
            return move.new_head
    return None


def _takes_back(
    evidence: Evidence, move: MoveRecord, done: Revert, reverts: Revert
) -> bool:
    """Whether an earlier revert has what is to be reverted, or a part of it."""
    if done.kind is RevertKind.SINCE:
        return False
    if done.kind is RevertKind.REPLAY:
        return _was_replayed(evidence, move, done, reverts)
    overlaps = RevertKind.MERGE in (done.kind, reverts.kind)
    return done.commit == reverts.commit and (overlaps or done.update == reverts.update)


def _left_behind_by(
    evidence: Evidence, merge: MoveRecord, in_force: list[MoveRecord]
) -> CommitId | None:
    """The revert that went back to before a merge, if it still holds."""
    for move in in_force:
        kept = went_back_to(evidence, move)
        if kept and kept.event_seq < merge.event_seq < move.event_seq:
            return move.new_head
    return None


def _is_head(evidence: Evidence, move: MoveRecord, event_seq: int) -> bool:
    """Whether nothing valid was moved in after a move, up to an event."""
    return not any(
        move.event_seq < other.event_seq < event_seq
        and other.event_seq not in evidence.judged.invalid
        for other in evidence.moves
    )


def _was_replayed(
    evidence: Evidence, replay: MoveRecord, done: Revert, reverts: Revert
) -> bool:
    """Whether what is to be reverted is not in the head since a replay.

    A merge that was made again has no such sum and no such terms any more; of it only
    another contributor can be left out, by another replay.
    """
    first = find_move(evidence, done.commit, replay.event_seq)
    merge = find_move(evidence, reverts.commit, replay.event_seq)
    if first is None or merge is None or merge.event_seq < first.event_seq:
        return False
    if reverts.kind is not RevertKind.REPLAY:
        return True
    left_out = left_out_by(first, done, replay.event_seq).contributor
    return left_out_by(merge, reverts, replay.event_seq).contributor == left_out


def _replayed(
    evidence: Evidence,
    merge: MoveRecord,
    reverts: Revert,
    event_seq: int,
    store_out: Store | None,
) -> Manifest:
    """The state without a contributor; what lies between is soon forgotten."""
    with scratch_over(evidence.store) as scratch:
        made = replay_revert(evidence, merge, reverts, event_seq, scratch).manifest
        for entry in made.tensors if store_out is not None else ():
            for cid in entry.blocks:
                if store_out is not None and not store_out.has(cid):
                    store_out.put(cid.codec, scratch.get(cid))
    return made


def _manifest_of(store: Store, commit_id: CommitId, where: str) -> Manifest:
    commit = read_commit(store, commit_id)
    if commit.weights is None:
        raise VerificationError(where, f"{commit_id.short} carries no weights")
    return read_manifest(store, commit.weights)
