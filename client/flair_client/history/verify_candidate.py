"""Checks a proposed merge as everybody will once it is the head."""

from flair_client.history.checked import CheckedCommit, Evidence
from flair_client.history.records import MoveRecord, RoundRecord
from flair_client.history.verify_move import verify_move
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind


def verify_candidate(
    evidence: Evidence,
    record: RoundRecord,
    head: CheckedCommit,
    commit_id: CommitId,
    proposer: Address,
) -> CheckedCommit:
    """Makes a proposed merge again from the round's updates and compares.

    Args:
        evidence: with every update of the round accumulated.
        record: the round.
        head: the branch's head, found right.
        commit_id: what was proposed.
        proposer: who proposed it, and must have signed it.

    Raises:
        VerificationError: names the commit, update or tensor and what is wrong with it.
        StoreUnavailable: no verdict could be reached.
    """
    move = MoveRecord(
        kind=CommitKind.MERGE,
        branch=record.branch,
        event_seq=evidence.history.event_seq + 1,
        old_head=head.commit_id,
        new_head=commit_id,
        head_seq=record.base_seq + 1,
        time=record.closed_at,
        may_sign=frozenset((proposer,)),
        round=record,
    )
    return verify_move(evidence, move, head)
