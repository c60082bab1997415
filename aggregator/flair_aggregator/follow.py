"""Follows a repository: events, accounts, and how far each branch's history holds.

What was read and verified once is kept, so that looking again costs what is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flair_client.chain.events import event_block, event_root
from flair_client.context import Context
from flair_client.errors import VerificationError
from flair_client.history.evidence import RepoEvidence, gather_repo
from flair_client.history.verify_move import CheckedCommit, Evidence, verify_move
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
        self._checked: dict[str, tuple[CheckedCommit, ...]] = {}

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
        """Verifies the moves of a branch that were not verified before."""
        evidence = found.branch(branch).evidence
        checked = list(self._checked.get(branch, ()))
        ours = [one.commit_id for one in checked]
        if ours != [move.new_head for move in evidence.moves[: len(ours)]]:
            checked = []
        fault = None
        try:
            for move in evidence.moves[len(checked) :]:
                previous = checked[-1] if checked else None
                checked.append(verify_move(evidence, move, previous))
        except VerificationError as exc:
            fault = exc
        self._checked[branch] = tuple(checked)
        return Standing(evidence, checked[-1] if checked else None, fault)
