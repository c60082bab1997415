"""A branch of a scripted chain and its rounds, for tests and measurements."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind
from flair_client.ids import Address, CommitId, Digest
from flair_indexer.scripted import ScriptedChain, ScriptedRepo


@dataclass(slots=True)
class RoundScript:
    """A branch and its rounds, as the program would send their events."""

    chain: ScriptedChain
    repo: ScriptedRepo
    branch: Address
    round_index: int = 1
    head: CommitId = field(default_factory=lambda: CommitId(bytes(32)))
    head_seq: int = 0

    def begin(self, name: str = "main") -> None:
        """Makes the branch and its first commit."""
        self._send(
            ev.BranchCreated,
            branch=self.branch,
            name=name,
            policy_index=0,
            protected=False,
            first_round=1,
        )
        self.advance(MoveKind.ROOT)

    def _send(self, kind: type[Any], /, **fields: Any) -> None:
        self.chain.next_slot()
        self.chain.send(self.repo, kind, **fields)

    def _commit(self, text: str) -> CommitId:
        where = f"{self.branch} {self.round_index} {text}"
        return CommitId(hashlib.sha256(where.encode()).digest())

    def advance(self, kind: MoveKind) -> None:
        """Moves the head by hand."""
        new, old = self._commit(f"move {self.head_seq}"), self.head
        self.head, self.head_seq = new, self.head_seq + 1
        self._send(
            ev.BranchAdvanced,
            branch=self.branch,
            kind=kind,
            old_head=old,
            new_head=new,
            new_seq=self.head_seq,
            ended_round=False,
            round_index=0,
        )

    def push(self, number: int) -> None:
        """Pushes an update of a contributor that is told by its number."""
        contributor = Address(hashlib.sha256(b"contributor %d" % number).digest())
        self._send(
            ev.UpdatePushed,
            actor=contributor,
            branch=self.branch,
            round_index=self.round_index,
            contributor=contributor,
            commit_id=self._commit(f"update {number}"),
            payload_digest=Digest(bytes(32)),
            statement_digest=Digest(bytes(32)),
            nonce=bytes(16),
            weight=1,
            n_columns=0,
        )

    def open(self) -> None:
        """Opens the next round."""
        self._send(
            ev.RoundOpened,
            branch=self.branch,
            round_index=self.round_index,
            policy_index=0,
            base_commit=self.head,
            base_seq=self.head_seq,
            deadline=2_000_000_000,
        )

    def play(self, n_updates: int) -> None:
        """Plays a round from its opening to its merge."""
        where = {"branch": self.branch, "round_index": self.round_index}
        self.open()
        for number in range(n_updates):
            self.push(number)
        self._send(ev.RoundClosed, **where, n_accepted=n_updates, weight_sum=n_updates)
        sums = {"update_root": Digest(b"\x05" * 32)}
        self._send(
            ev.MergeAccumulated,
            **where,
            **sums,
            n_batch=n_updates,
            n_accumulated=n_updates,
            weight_accumulated=n_updates,
        )
        merge = self._commit("merge")
        proposer = self.repo.creator
        self._send(ev.MergeProposed, **where, commit_id=merge, proposer=proposer)
        self._send(
            ev.MergeFinalized,
            **where,
            **sums,
            commit_id=merge,
            old_head=self.head,
            new_seq=self.head_seq + 1,
            n_accepted=n_updates,
            weight_sum=n_updates,
            lambda_=1 << 24,
        )
        self.head, self.head_seq = merge, self.head_seq + 1
        self.round_index += 1
