"""Follows a repository: events, accounts, and how far each branch's history holds.

What was read and verified once is kept, so that looking again costs what is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flair_client.chain.events import event_block, event_root
from flair_client.context import Context
from flair_client.errors import VerificationError
from flair_client.history.checked import CheckedCommit, Evidence
from flair_client.history.evidence import RepoEvidence, gather_repo
from flair_client.history.line import LineState, judge_move, keep_verdicts
from flair_client.history.records import MoveRecord
from flair_client.ids import CODEC_RAW, Address, Cid


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a branch's history holds.

    Attributes:
        evidence: what its commits are compared with.
        head: the newest commit that checks; None before the first one.
        fault: what is wrong with the next one; None where the head itself is valid.
    """

    evidence: Evidence
    head: CheckedCommit | None
    fault: VerificationError | None = None


class RepoFollower:
    """What is known of one repository.

    Args of the constructor: whose chain and store, the repository's address, and the
    branches that matter; without them all.
    """

    def __init__(
        self, ctx: Context, repo: Address, branches: Sequence[str] | None = None
    ) -> None:
        self._ctx = ctx
        self._repo = repo
        self._branches = branches
        self._known: RepoEvidence | None = None
        # Of each branch its moves and the states after them, up to the last valid one.
        self._lines: dict[str, tuple[tuple[MoveRecord, LineState], ...]] = {}

    def read(self) -> RepoEvidence:
        """Reads what is new. Events that the store lacks are put there.

        Raises:
            VerificationError: events and accounts do not fit together.
            ChainError, StoreError: something cannot be read.
        """
        # Folding changes records in place: an error leaves nothing to go on from.
        known, self._known = self._known, None
        n_known = 0 if known is None else len(known.events)
        found = gather_repo(
            self._ctx.chain,
            self._ctx.remote,
            self._repo,
            self._branches,
            genesis_hash=self._ctx.network.genesis_hash,
            progress=self._ctx.progress,
            known=known,
        )
        for event_bytes in found.events[n_known:]:
            # Whoever sent it may have been killed before the store had it.
            if not self._ctx.remote.has(Cid(CODEC_RAW, event_root(event_bytes).raw)):
                self._ctx.publish(event_block(event_bytes))
        self._known = found
        return found

    def standing(self, found: RepoEvidence, branch: str) -> Standing:
        """Judges the moves of a branch that were not judged before.

        Those after the newest valid commit are looked at again each time: blocks that
        were missing may have come.
        """
        evidence = found.branch(branch).evidence
        line: list[tuple[MoveRecord, LineState]] = []
        for move, (kept, state) in zip(
            evidence.moves, self._lines.get(branch, ()), strict=False
        ):
            if (kept.event_seq, kept.new_head) != (move.event_seq, move.new_head):
                break
            line.append((move, state))
        keep_verdicts(evidence, line)
        state = line[-1][1] if line else LineState()
        for move in evidence.moves[len(line) :]:
            state = judge_move(evidence, move, state)
            line.append((move, state))
        while line and line[-1][1].broken:
            line.pop()
        self._lines[branch] = tuple(line)
        return Standing(evidence, state.head, state.fault)
