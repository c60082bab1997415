"""The weights that a branch would have if somebody had never contributed.

A replay: every merge is made again from the updates of the others. It says what the
same updates would have added up to, not what others would have trained then.
"""

from dataclasses import dataclass

from flair_client.errors import UsageError, VerificationError
from flair_client.history.checked import Evidence
from flair_client.history.in_force import moves_in_force
from flair_client.history.line import judge_before
from flair_client.history.records import MoveRecord
from flair_client.history.replayed import LeftOut, Replay, replays_before
from flair_client.ids import Address, CommitId
from flair_client.objects import Manifest
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class Replayed:
    """A line without one contributor.

    Attributes:
        manifest: of the state at its end; not put into any store.
        left_out: the contributor's updates, oldest first.
    """

    manifest: Manifest
    left_out: tuple[CommitId, ...]


def replay_without(
    evidence: Evidence,
    commit_id: CommitId,
    contributor: Address,
    store: Store,
) -> Replayed:
    """Makes the state of a commit again as if somebody had never contributed.

    Weights come from the roots and snapshots, and from there by merges and reverts. A
    merge of this contributor alone drops out.

    Args:
        evidence: of the branch; its moves up to the commit count.
        commit_id: a head that the branch has or had.
        contributor: who is left out.
        store: where the blocks lie; takes the new ones.

    Raises:
        UsageError: the commit was never a head of this branch, or nothing of this
            contributor is in it.
        StoreUnavailable: no verdict about a commit could be reached.
        NotSeparable: one contributor's term was taken out of a merge that has none.
        TooFewUpdates: a merge's strategy needs more updates than remain.
        VerificationError: commits and events do not agree, or the arithmetic fails.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    target = _find(evidence, commit_id)
    judge_before(evidence, target.event_seq + 1)
    before = replays_before(evidence, target.event_seq + 1)
    replay = Replay(evidence, [LeftOut(contributor), *before], store)
    for move in moves_in_force(evidence, target.event_seq + 1):
        replay.add(move)
    own = set(_updates_of(evidence, contributor))
    left_out = tuple(one for one in replay.left_out if one in own)
    if not left_out:
        raise UsageError(f"commit {commit_id.short} holds no update of {contributor}")
    state = replay.state(commit_id)
    if state is None:
        raise VerificationError(f"commit {commit_id.short}", "is not valid")
    return Replayed(state, left_out)


def _find(evidence: Evidence, commit_id: CommitId) -> MoveRecord:
    for move in evidence.moves:
        if move.new_head == commit_id:
            return move
    raise UsageError(f"commit {commit_id.short} was never the head of this branch")


def _updates_of(evidence: Evidence, contributor: Address) -> list[CommitId]:
    return [
        update.commit_id
        for move in evidence.moves
        for update in (() if move.round is None else move.round.accepted())
        if update.contributor == contributor
    ]
