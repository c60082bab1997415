"""Which moves of a line its head is made of, after some of them were left behind.

A revert that goes back to a commit takes everything out that lies between: merges,
and what had been taken back there. Both may come in again by going back further.
"""

from flair_client.history.checked import Evidence
from flair_client.history.records import MoveRecord
from flair_client.history.verify_update import read_commit
from flair_client.ids import CommitId
from flair_client.objects import CommitKind, RevertKind


def moves_in_force(evidence: Evidence, event_seq: int) -> list[MoveRecord]:
    """Valid moves before an event that the head of then is made of, oldest first.

    Args:
        evidence: of the branch, every move before the event judged.
        event_seq: number of the event; what lies behind it does not count.

    Raises:
        BlockMissing, DigestMismatch, ObjectError: a revert cannot be read.
    """
    found = []
    end = event_seq
    for move in reversed(evidence.moves):
        if move.event_seq >= end or move.event_seq in evidence.judged.invalid:
            continue
        found.append(move)
        kept = went_back_to(evidence, move)
        if kept is not None:
            end = kept.event_seq + 1
    found.reverse()
    return found


def went_back_to(evidence: Evidence, move: MoveRecord) -> MoveRecord | None:
    """The move whose state a revert brought back as a whole; None for all others."""
    if move.kind is not CommitKind.REVERT:
        return None
    reverts = read_commit(evidence.store, move.new_head).reverts
    if reverts is None or reverts.kind is not RevertKind.SINCE:
        return None
    return find_move(evidence, reverts.commit, move.event_seq)


def find_move(
    evidence: Evidence, commit_id: CommitId, event_seq: int
) -> MoveRecord | None:
    """The move that brought a commit in, before the event of this number."""
    for move in evidence.moves:
        if move.event_seq < event_seq and move.new_head == commit_id:
            return move
    return None
