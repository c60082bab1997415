"""How far a branch's history holds, move by move, also behind a head that is wrong.

A wrong commit cannot be taken out of history. Whoever may move the branch by hand can
leave it behind: by a commit that stands on its own (see `verify_repair`), from which on
the branch is valid again. What was wrong stays reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from flair_client.errors import VerificationError
from flair_client.history.checked import CheckedCommit, Evidence, InvalidCommit
from flair_client.history.records import MoveRecord
from flair_client.history.verify_move import trusted_commit, verify_move
from flair_client.history.verify_repair import verify_repair
from flair_client.objects import CommitKind


@dataclass(frozen=True, slots=True)
class LineState:
    """Where a branch stands after some of its moves.

    Attributes:
        head: the newest valid commit; None before the first one.
        broken: the commits that were made heads after it, none of which is valid.
        fault: what is wrong with the first of them.
    """

    head: CheckedCommit | None = None
    broken: tuple[InvalidCommit, ...] = ()
    fault: VerificationError | None = None


def judge_move(evidence: Evidence, move: MoveRecord, state: LineState) -> LineState:
    """Judges the next move; the verdict is kept in `evidence.judged` as well.

    Args:
        evidence: what to compare with.
        move: the next one.
        state: of the branch before it.

    Raises:
        StoreUnavailable: no verdict could be reached.
    """
    if move.kind is CommitKind.REVERT:
        judge_before(evidence, move.event_seq)
    try:
        checked = _checked(evidence, move, state)
    except VerificationError as exc:
        refused = InvalidCommit(
            move.new_head,
            move.kind,
            evidence.history.branches[move.branch].name,
            move.head_seq,
            exc.where,
            exc.reason,
        )
        evidence.judged.refuse(move.event_seq, refused)
        return LineState(state.head, (*state.broken, refused), state.fault or exc)
    evidence.judged.accept(move.event_seq)
    return LineState(checked)


def keep_verdicts(
    evidence: Evidence, line: Iterable[tuple[MoveRecord, LineState]]
) -> None:
    """Brings verdicts from before along, so that nothing is judged twice.

    Args:
        evidence: gathered anew.
        line: moves, each with the state after it.
    """
    for move, state in line:
        if state.broken:
            evidence.judged.refuse(move.event_seq, state.broken[-1])
        else:
            evidence.judged.accept(move.event_seq)


def judge_before(evidence: Evidence, event_seq: int) -> None:
    """Judges every move before an event that was not judged yet.

    A revert needs it where verification began at a trusted commit: what it takes back
    lies before, and must have been valid there.

    Raises:
        StoreUnavailable: no verdict could be reached.
    """
    judged = evidence.judged
    earlier = [move for move in evidence.moves if move.event_seq < event_seq]
    seqs = {move.event_seq for move in earlier}
    if seqs <= judged.valid | judged.invalid.keys():
        return
    state = LineState()
    for move in earlier:
        if move.event_seq in judged.valid:
            inherited = None if state.head is None else state.head.recipe
            state = LineState(trusted_commit(evidence, move.new_head, inherited))
        else:
            state = judge_move(evidence, move, state)


def _checked(evidence: Evidence, move: MoveRecord, state: LineState) -> CheckedCommit:
    if state.broken:
        return verify_repair(evidence, move, state.head, state.broken[0].commit_id)
    return verify_move(evidence, move, state.head)
