"""What `queries` gives: plain values, which need no database any more."""

from dataclasses import dataclass
from typing import Any

from flair_client.ids import Address, CommitId, Digest


@dataclass(frozen=True, slots=True)
class RepoView:
    """A repository.

    Attributes:
        state: `same` where it was folded to what its account says, `behind`,
            `different`, or `unknown` before the first comparison: pages say so.
        seq, root: the last event that was folded.
    """

    repo: Address
    creator: Address
    name: str
    authority: Address
    pending_authority: Address
    sponsor: Address
    points_per_merge: int
    created_at: int
    seq: int
    root: Digest
    state: str


@dataclass(frozen=True, slots=True)
class BranchView:
    """A branch.

    Attributes:
        head_state: `valid`, `invalid`, `missing` where blocks are not there, or
            `unknown` where it was not checked yet. An invalid head is never shown as
            the model: `valid_head` is.
        fault: what is wrong with the head.
    """

    branch: Address
    repo: Address
    name: str
    policy_index: int
    is_protected: bool
    round_index: int
    is_round_live: bool
    head_commit: CommitId
    head_seq: int
    head_state: str
    valid_head: CommitId | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class CommitView:
    """A move of a branch's head, and what the commit's block says.

    Attributes:
        object_state: `present`, `missing`, `invalid`, or `unknown` where nobody looked.
        author, message, authored_at, metrics: None where the block is not there.
        fault: what is wrong with it as a head; None where nothing was found.
        parents: as the block says; without it those that the move itself tells.
    """

    branch: Address
    head_seq: int
    commit_id: CommitId
    kind: str
    old_head: CommitId
    event_seq: int
    moved_at: int
    actor: Address
    round_index: int | None
    object_state: str
    author: Address | None
    message: str | None
    authored_at: int | None
    metrics: dict[str, float] | None
    fault: str | None
    repo: Address
    parents: tuple[CommitId, ...]


@dataclass(frozen=True, slots=True)
class CommitObject:
    """What a commit's block says, whether or not a head ever stood there."""

    commit_id: CommitId
    kind: str
    author: Address
    message: str
    authored_at: int
    parents: tuple[CommitId, ...]
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Activity:
    """A move of a head, and where it was."""

    creator: Address
    name: str
    branch_name: str
    commit: CommitView


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round; `state` is open, closed, merged, aborted or overtaken."""

    branch: Address
    round_index: int
    policy_index: int
    base_commit: CommitId
    opened_at: int
    deadline: int
    state: str
    closed_at: int | None
    ended_at: int | None
    n_accepted: int
    weight_sum: int
    n_accumulated: int
    merge_commit: CommitId | None


@dataclass(frozen=True, slots=True)
class UpdateView:
    """An update; `state` is accepted, merged, rejected, withdrawn or expired.

    Attributes:
        message, metrics: None where the commit's block is not there.
    """

    branch: Address
    round_index: int
    contributor: Address
    signer: Address
    commit_id: CommitId
    payload_digest: Digest
    weight: int
    pushed_at: int
    state: str
    reject_reason: int | None
    points: int | None
    repo: Address
    message: str | None
    metrics: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A proposed merge; `state` is open, merged or expired."""

    branch: Address
    round_index: int
    commit_id: CommitId
    proposer: Address
    proposed_at: int
    authority_epoch: int
    state: str


@dataclass(frozen=True, slots=True)
class VoteView:
    """Somebody spoke for a proposed merge; `kind` is approval or attestation."""

    commit_id: CommitId
    kind: str
    voter: Address
    authority_epoch: int
    voted_at: int


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy.

    Attributes:
        digest: what commits name it by.
        params: as the program's event gave them.
    """

    policy_index: int
    policy: Address
    digest: Digest
    params: dict[str, Any]
    created_at: int


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role; void where its epoch is not the repository's any more."""

    branch: Address
    grantee: Address
    scope: int
    expires_at: int
    is_void: bool
    granted_by: Address
    repo: Address


@dataclass(frozen=True, slots=True)
class InviteView:
    """An invite; void where its epoch is not the repository's any more."""

    invite_key: Address
    branch: Address
    scope: int
    expires_at: int
    role_expires_at: int
    uses_left: int
    is_void: bool
    created_by: Address


@dataclass(frozen=True, slots=True)
class JoinRequestView:
    """Somebody asks to join."""

    applicant: Address
    branch: Address
    scope: int
    note_digest: Digest
    requested_at: int


@dataclass(frozen=True, slots=True)
class DelegationView:
    """A machine key that pushes for a wallet."""

    wallet: Address
    machine_key: Address
    expires_at: int


@dataclass(frozen=True, slots=True)
class ContributorView:
    """What a wallet pushed to a repository."""

    contributor: Address
    n_updates: int
    n_merged: int
    last_at: int


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as it was sent."""

    seq: int
    kind: str
    slot: int
    signature: str
    payload: bytes
    root: Digest
    is_final: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be delivered; -1 and -1 are the whole transaction."""

    signature: str
    outer: int
    inner: int
    slot: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Freshness:
    """How new the mirror is; the attributes are those of `Progress`."""

    reconciled_at: int | None
    complete_slot: int
    final_slot: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the mirror is.

    Attributes:
        until_slot: everything final below it is listed.
        complete_slot: everything at and below it is written.
        final_slot: the newest finalized slot that was seen.
        n_pending: listed and not written yet.
        n_not_final: events whose slot may still be dropped.
        reconciled_at: seconds; when the accounts were last compared.
        behind, different: repositories, as that comparison found them.
        n_missing_commits: commits whose block no store gives.
        n_invalid_heads: branches whose head is not valid.
    """

    genesis_hash: str
    program_id: Address
    until_slot: int
    complete_slot: int
    final_slot: int
    n_events: int
    n_repos: int
    n_pending: int
    n_not_final: int
    n_dead_letters: int
    reconciled_at: int | None
    behind: tuple[Address, ...]
    different: tuple[Address, ...]
    n_missing_commits: int
    n_invalid_heads: int
