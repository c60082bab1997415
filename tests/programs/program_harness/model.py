"""What docs/protocol.md says about rounds, as plain Python: the state machine's judge.

Each `reasons_*` lists the rules that a call breaks, by the document's error names and
in the order in which the program looks, so that the first is the one refused for; an
empty list means that the call passes. Each other method makes the change.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from program_harness.membership import Membership
from program_harness.records import Branch, Policy, Round, Update
from program_harness.values import (
    ABORTED,
    ACCEPTED,
    ACCUMULATED,
    ADMINISTER,
    ATTEST,
    CLOSED,
    CONTRIBUTE,
    MERGE,
    MERGED,
    OPEN,
    REJECTED,
)


@dataclass(slots=True)
class Model:
    """A repository with its branches; wallets by name."""

    people: Membership
    policies: list[Policy]
    addresses: dict[str, bytes]
    points_per_merge: int
    now: int
    branches: dict[str, Branch] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    contribution_payers: dict[str, str] = field(default_factory=dict)
    points_total: int = 0

    def reasons_open(self, branch: Branch) -> list[str]:
        """Rules of `round_open`."""
        return ["RoundInProgress"] if branch.live else []

    def open(self, branch: Branch, payer: str) -> None:
        """Opens the next round."""
        policy = self.policies[branch.policy_index]
        branch.live = True
        branch.rounds[branch.index] = Round(
            policy,
            branch.policy_index,
            branch.head,
            branch.seq,
            self.now + policy.length,
            payer,
        )

    def name_of(self, branch: Branch) -> str:
        """A branch's name."""
        return next(name for name, each in self.branches.items() if each is branch)

    def reasons_move(self, branch: Branch, who: str, scope: int) -> list[str]:
        """Why somebody may not move a branch, or what moves it."""
        if branch.protected and who != self.people.owner:
            return ["ProtectedBranch"]
        return self.people.reasons_role(self.name_of(branch), who, scope, self.now)

    def reasons_advance(self, branch: Branch, who: str, *, stale: bool) -> list[str]:
        """Rules of `branch_advance` and `branch_merge`, where the new head is new."""
        broken = self.reasons_move(branch, who, ADMINISTER)
        return broken + (["HeadMoved"] if stale else [])

    def reasons_push(
        self, branch: Branch, index: int, who: str, signer: str, base: bytes
    ) -> list[str]:
        """Rules of `update_push`."""
        chosen = branch.rounds[index]
        broken = ["in use"] if who in chosen.updates else []
        broken += self.people.reasons_signer(who, signer, self.now)
        if chosen.policy.is_invited:
            name = self.name_of(branch)
            broken += self.people.reasons_role(name, who, CONTRIBUTE, self.now)
        if not branch.is_live(index):
            broken.append("RoundNotLive")
        if chosen.state != OPEN or self.now >= chosen.deadline:
            broken.append("RoundClosed")
        if len(chosen.accepted) >= chosen.policy.max_updates:
            broken.append("RoundFull")
        if base != chosen.base:
            broken.append("StaleBase")
        return broken

    def push(self, chosen: Round, who: str, update: Update) -> None:
        """Adds an update."""
        chosen.updates[who] = update
        chosen.n_accepted += 1
        chosen.sum += update.weight
        self.counts.setdefault(who, [0, 0, 0])[0] += 1
        self.contribution_payers.setdefault(who, update.payer)

    def reasons_withdraw(
        self, branch: Branch, index: int, who: str, actor: str
    ) -> list[str]:
        """Rules of `update_withdraw`."""
        chosen = branch.rounds[index]
        is_own = actor in (who, chosen.updates[who].signer)
        broken = [] if is_own else ["NotContributor"]
        if not branch.is_live(index):
            broken.append("RoundNotLive")
        if chosen.state != OPEN:
            broken.append("RoundClosed")
        if chosen.updates[who].status != ACCEPTED:
            broken.append("UpdateStatus")
        return broken

    def reasons_reject(
        self, branch: Branch, index: int, who: str, by: str
    ) -> list[str]:
        """Rules of `update_reject`."""
        chosen = branch.rounds[index]
        broken = [] if by == self.people.owner else ["NotAuthority"]
        if not branch.is_live(index) or chosen.state not in (OPEN, CLOSED):
            broken.append("RoundNotLive")
        if chosen.updates[who].status != ACCEPTED:
            broken.append("UpdateStatus")
        return broken

    def withdraw(self, chosen: Round, who: str) -> None:
        """Takes an update out of an open round."""
        self._uncount(chosen, who)
        chosen.n_withdrawn += 1
        del chosen.updates[who]

    def reject(self, chosen: Round, who: str) -> None:
        """Strikes an update."""
        self._uncount(chosen, who)
        chosen.updates[who].status = REJECTED

    def _uncount(self, chosen: Round, who: str) -> None:
        chosen.n_accepted -= 1
        chosen.sum -= chosen.updates[who].weight

    def reasons_close(self, branch: Branch, index: int) -> list[str]:
        """Rules of `round_close`."""
        chosen = branch.rounds[index]
        broken = [] if branch.is_live(index) else ["RoundNotLive"]
        if chosen.state != OPEN:
            broken.append("RoundClosed")
        count = len(chosen.accepted)
        is_full = count == chosen.policy.max_updates
        is_due = self.now >= chosen.deadline and count >= chosen.policy.min_updates
        if not (is_full or is_due):
            broken.append("RoundNotReady")
        return broken

    def close(self, chosen: Round) -> None:
        """Closes a round."""
        chosen.state, chosen.closed_at = CLOSED, self.now

    def reasons_abort(self, branch: Branch, index: int) -> list[str]:
        """Rules of `round_abort`."""
        state = branch.rounds[index].state
        if state in (MERGED, ABORTED):
            return ["RoundMerged" if state == MERGED else "RoundNotLive"]
        return [] if self.abort_reason(branch, index) else ["RoundNotAbortable"]

    def abort_reason(self, branch: Branch, index: int) -> int:
        """The number of the reason for which `round_abort` may pass, or 0."""
        chosen, policy = branch.rounds[index], branch.rounds[index].policy
        if chosen.state not in (OPEN, CLOSED):
            return 0
        if not branch.is_live(index):
            return 3
        if chosen.state == OPEN:
            few = len(chosen.accepted) < policy.min_updates
            return 1 if few and self.now >= chosen.deadline else 0
        end = chosen.closed_at + policy.challenge + policy.grace
        return 2 if self.now >= end else 0

    def abort(self, branch: Branch, index: int) -> None:
        """Aborts a round."""
        chosen = branch.rounds[index]
        chosen.state = ABORTED
        if branch.is_live(index):
            branch.end()
        if not chosen.updates:
            chosen.exists = False

    def reasons_accumulate(
        self, branch: Branch, index: int, who: Sequence[str]
    ) -> list[str]:
        """Rules of `merge_accumulate`."""
        chosen = branch.rounds[index]
        broken = [] if branch.is_live(index) else ["RoundNotLive"]
        if chosen.state != CLOSED:
            broken.append("RoundNotClosed")
        if not who:
            broken.append("AccumulateEmpty")
        ranks = chosen.added[-1:]
        for name in who:
            update = chosen.updates[name]
            ranks.append((-update.weight, self.addresses[name]))
            if ranks[-2:] != sorted(set(ranks[-2:])):
                broken.append("AccumulateOrder")
            if update.status != ACCEPTED:
                broken.append("UpdateStatus")
        return broken

    def accumulate(self, chosen: Round, who: Sequence[str]) -> None:
        """Adds updates to the sums."""
        for name in who:
            update = chosen.updates[name]
            update.status = ACCUMULATED
            chosen.added.append((-update.weight, self.addresses[name]))
            chosen.root = hashlib.sha256(
                b"flair-accumulate-v1\n"
                + chosen.root
                + self.addresses[name]
                + update.commit
                + update.weight.to_bytes(2, "little")
            ).digest()

    def reasons_propose(
        self, branch: Branch, index: int, who: str, commit: bytes
    ) -> list[str]:
        """Rules of `merge_propose`, where head and sequence are as expected."""
        chosen = branch.rounds[index]
        broken = ["in use"] if commit in chosen.candidates else []
        if not branch.is_live(index):
            broken.append("RoundNotLive")
        if chosen.state != CLOSED:
            broken.append("RoundNotClosed")
        own = chosen.updates.get(who)
        is_late = self.now >= chosen.deadline
        counts = own is not None and own.status in (ACCEPTED, ACCUMULATED)
        name = self.name_of(branch)
        without_right = self.reasons_move(branch, who, MERGE)
        if without_right and branch.protected:
            broken += without_right
        elif without_right and not (is_late and counts):
            # A role that does not hold says best what is wrong.
            brings_role_only = own is None and self.people.role_for(name, who)
            broken += without_right if brings_role_only else ["NotProposer"]
        if commit == branch.head:
            broken.append("CommitInvalid")
        return broken

    def reasons_finalize(self, branch: Branch, index: int, commit: bytes) -> list[str]:
        """Rules of `merge_finalize`, where head and sequence are as expected."""
        chosen = branch.rounds[index]
        broken = [] if branch.is_live(index) else ["RoundNotLive"]
        if chosen.state != CLOSED:
            broken.append("RoundNotClosed")
        if len(chosen.added) != len(chosen.accepted):
            broken.append("NotAllAccumulated")
        if len(chosen.accepted) < chosen.policy.min_updates:
            broken.append("TooFewUpdates")
        candidate = chosen.candidates[commit]
        if branch.protected and candidate.epoch != self.people.epoch:
            broken.append("CandidateVoid")
        approvals, attestations = candidate.votes(self.people.epoch)
        if approvals < chosen.policy.approvals:
            broken.append("ApprovalMissing")
        if attestations < chosen.policy.attestations:
            broken.append("AttestationsMissing")
        if self.now < candidate.proposed_at + chosen.policy.challenge:
            broken.append("ChallengeOpen")
        return broken

    def _reasons_vote(self, branch: Branch, index: int, root: bytes) -> list[str]:
        """What `merge_approve` and `merge_attest` ask of the round."""
        chosen = branch.rounds[index]
        broken = [] if branch.is_live(index) else ["RoundNotLive"]
        if chosen.state != CLOSED:
            broken.append("RoundNotClosed")
        if len(chosen.added) != len(chosen.accepted):
            broken.append("NotAllAccumulated")
        return broken + (["UpdatesChanged"] if root != chosen.root else [])

    def reasons_approve(
        self, branch: Branch, index: int, commit: bytes, by: str, root: bytes
    ) -> list[str]:
        """Rules of `merge_approve`, where the candidate exists."""
        broken = [] if by == self.people.owner else ["NotAuthority"]
        broken += self._reasons_vote(branch, index, root)
        candidate = branch.rounds[index].candidates[commit]
        is_approved = self.people.epoch in candidate.approved
        return broken + (["ApprovedAlready"] if is_approved else [])

    def reasons_attest(
        self, branch: Branch, index: int, commit: bytes, who: str, root: bytes
    ) -> list[str]:
        """Rules of `merge_attest`, where the candidate exists."""
        chosen = branch.rounds[index]
        exists = (commit, self.people.epoch, who) in chosen.attestations
        broken = ["in use"] if exists else []
        name = self.name_of(branch)
        broken += self.people.reasons_role(name, who, ATTEST, self.now)
        if who == chosen.candidates[commit].proposer:
            broken.append("AttestsOwn")
        return broken + self._reasons_vote(branch, index, root)

    def finalize(self, branch: Branch, index: int, commit: bytes) -> None:
        """Makes a candidate the head."""
        chosen = branch.rounds[index]
        chosen.state = MERGED
        chosen.points_each = self.points_per_merge // len(chosen.accepted)
        del chosen.candidates[commit]
        branch.head = commit
        branch.seq += 1
        branch.end()

    def reasons_expire(self, branch: Branch, index: int) -> list[str]:
        """Rules of `update_expire`."""
        chosen = branch.rounds[index]
        if chosen.state == MERGED:
            return ["RoundMerged"]
        if chosen.state != ABORTED and branch.is_live(index):
            return ["RoundInProgress"]
        return []

    def reasons_settle(self, branch: Branch, index: int) -> list[str]:
        """Rules of `update_settle`."""
        return [] if branch.rounds[index].state == MERGED else ["RoundNotMerged"]

    def drop(self, chosen: Round, who: str) -> None:
        """Closes an update; the last one of a finished round closes the round."""
        del chosen.updates[who]
        if not chosen.updates:
            chosen.exists = False

    def settle(self, chosen: Round, who: str) -> int:
        """Credits and closes an update; gives its points."""
        merged = chosen.updates[who].status == ACCUMULATED
        points = chosen.points_each if merged else 0
        self.counts[who][1] += int(merged)
        self.counts[who][2] += points
        self.points_total += points
        chosen.settled += 1
        self.drop(chosen, who)
        return points

    def advance(self, branch: Branch, head: bytes) -> None:
        """Moves a head otherwise than by a merge."""
        branch.head = head
        branch.seq += 1
        if branch.live:
            branch.end()
