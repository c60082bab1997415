"""What a repository's events say happened, as values. Filled by replay, then read only.

No chain, no store: what commits claim is compared with these elsewhere.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from flair_client.chain.accounts import PolicyParams
from flair_client.ids import ZERO_ADDRESS, Address, CommitId, Digest
from flair_client.objects import CommitKind

ZERO_DIGEST = Digest(bytes(32))
ZERO_COMMIT = CommitId(bytes(32))


class RoundPhase(StrEnum):
    """Where a round stands by the events."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"
    ABORTED = "aborted"
    OVERTAKEN = "overtaken"  # the head moved otherwise


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """A policy as `PolicyCreated` wrote it down."""

    address: Address
    index: int
    digest: Digest
    params: PolicyParams


@dataclass(frozen=True, slots=True)
class RoleRecord:
    """A role that was granted and not revoked. `branch` zero: the whole repository."""

    grantee: Address
    branch: Address
    scope: int
    expires_at: int
    authority_epoch: int

    def holds(self, branch: Address, scope: int, now: int, epoch: int) -> bool:
        """Whether the role gives this right on this branch at this time and epoch."""
        return (
            bool(self.scope & scope)
            and self.authority_epoch == epoch
            and self.branch in (ZERO_ADDRESS, branch)
            and (self.expires_at == 0 or now < self.expires_at)
        )


@dataclass(frozen=True, slots=True)
class InviteRecord:
    """An invite that is neither used up nor revoked; it may have expired."""

    key: Address
    branch: Address
    scope: int
    expires_at: int
    role_expires_at: int
    uses_left: int
    created_by: Address
    authority_epoch: int


@dataclass(frozen=True, slots=True)
class DelegationRecord:
    """A key that may push for a wallet until it expires; not revoked."""

    wallet: Address
    key: Address
    expires_at: int


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """An update that was pushed and not withdrawn.

    Attributes:
        signer: the contributor itself, or a key that acted for it.
        pushed_seq: number of its `UpdatePushed` event.
        reject_reason: code of the owner's rejection; 0 while it is accepted.
    """

    contributor: Address
    signer: Address
    commit_id: CommitId
    payload_digest: Digest
    weight: int
    pushed_seq: int
    pushed_at: int
    reject_reason: int = 0


@dataclass(slots=True)
class CandidateVotes:
    """What was said about a proposed merge.

    Attributes:
        proposed_in: epoch of the authority under which it was proposed.
        approved_in: epochs whose authority approved it.
        attested_in: epoch and wallet of each attestation.
    """

    proposed_in: int
    approved_in: set[int] = field(default_factory=set)
    attested_in: set[tuple[int, Address]] = field(default_factory=set)

    def attesters(self, epoch: int) -> frozenset[Address]:
        """Who attested it under the authority of this epoch."""
        return frozenset(who for at, who in self.attested_in if at == epoch)


@dataclass(slots=True)
class RoundRecord:
    """One round.

    Attributes:
        policy: index of the policy that the round pins.
        updates: by contributor; withdrawn ones are gone.
        update_root, n_accumulated, weight_accumulated: as `MergeAccumulated` left them.
        frozen_seq: number of the event after which the set of accepted updates cannot
            change any more, since all of them are accumulated; 0 before.
        proposers: who proposed which commit.
        votes: what was said about each proposed commit.
        merge_lambda: as `MergeFinalized` says; None before.
    """

    branch: Address
    round_index: int
    policy_index: int
    base_commit: CommitId
    base_seq: int
    opened_seq: int
    deadline: int
    phase: RoundPhase = RoundPhase.OPEN
    closed_at: int = 0
    updates: dict[Address, UpdateRecord] = field(default_factory=dict)
    update_root: Digest = ZERO_DIGEST
    n_accumulated: int = 0
    weight_accumulated: int = 0
    frozen_seq: int = 0
    proposers: dict[CommitId, Address] = field(default_factory=dict)
    votes: dict[CommitId, CandidateVotes] = field(default_factory=dict)
    merge_lambda: int | None = None

    def accepted(self) -> tuple[UpdateRecord, ...]:
        """The updates that count, in the order in which the chain adds them up.

        Weight descending, then contributor ascending.
        """
        counted = (
            update for update in self.updates.values() if not update.reject_reason
        )
        return tuple(sorted(counted, key=lambda u: (-u.weight, u.contributor.raw)))


@dataclass(frozen=True, slots=True)
class MoveRecord:
    """One move of a branch's head.

    Attributes:
        event_seq: number of its event.
        head_seq: the branch's sequence after it.
        may_sign: who could have been the author of a root, snapshot or revert here.
        round: the merged round; None for other kinds.
        merged: parents behind the old head, as the chain names them; of a merge of
            models alone.
    """

    kind: CommitKind
    branch: Address
    event_seq: int
    old_head: CommitId
    new_head: CommitId
    head_seq: int
    time: int
    may_sign: frozenset[Address]
    round: RoundRecord | None = None
    merged: tuple[CommitId, ...] = ()


@dataclass(slots=True)
class BranchRecord:
    """One branch and every move of its head, oldest first."""

    address: Address
    name: str
    policy_index: int
    protected: bool
    round_index: int
    moves: list[MoveRecord] = field(default_factory=list)
    live_round: RoundRecord | None = None

    @property
    def head(self) -> CommitId:
        """The head; zero before the root."""
        return self.moves[-1].new_head if self.moves else ZERO_COMMIT


@dataclass(slots=True)
class RepoHistory:
    """Everything that a repository's events say, up to `event_seq`.

    Attributes:
        roles: by grantee and branch.
        invites: by public key.
        join_requests: applicant → branch.
        delegations: by wallet and key.
        sponsor: who pays for contributors; zero is nobody.
        offered_to: whom the owner offered the repository to; zero is nobody.
        authority_epoch: how often the owner changed; what is older is void.
    """

    repo: Address
    creator: Address = ZERO_ADDRESS
    authority: Address = ZERO_ADDRESS
    name: str = ""
    event_seq: int = 0
    root: Digest = ZERO_DIGEST
    policies: dict[int, PolicyRecord] = field(default_factory=dict)
    branches: dict[Address, BranchRecord] = field(default_factory=dict)
    rounds: dict[tuple[Address, int], RoundRecord] = field(default_factory=dict)
    roles: dict[tuple[Address, Address], RoleRecord] = field(default_factory=dict)
    invites: dict[Address, InviteRecord] = field(default_factory=dict)
    join_requests: dict[Address, Address] = field(default_factory=dict)
    delegations: dict[tuple[Address, Address], DelegationRecord] = field(
        default_factory=dict
    )
    sponsor: Address = ZERO_ADDRESS
    offered_to: Address = ZERO_ADDRESS
    authority_epoch: int = 0
