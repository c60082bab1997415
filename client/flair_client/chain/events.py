"""The program's events: bytes to checked values.

Layouts mirror docs/protocol.md, section 3. How events are taken out of a
transaction, and which of them count, is `chain.transactions`' business. They are one
table of that page, which is why this file is long.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, TypeAlias, get_args

from flair_client.chain.accounts import MoveKind, PauseBits, PolicyParams, Scope
from flair_client.chain.layout import (
    DISCRIMINATOR_SIZE,
    I64,
    U8,
    U16,
    U32,
    U64,
    AddressField,
    Bool,
    Bytes16,
    Bytes512,
    CommitIdField,
    Constant,
    DigestField,
    LayoutError,
    NameField,
    NameLen,
    Reserved,
    decode,
    discriminator,
    encode,
    enumeration,
    nested,
    size_of,
)
from flair_client.errors import ObjectInvalid
from flair_client.ids import CommitId, Digest

SCHEMA: Final = 1
EVENT_PREFIX: Final = b"flair-event-v1\n"
# What Anchor puts before the bytes of an event sent by self-call.
EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")
EventBytes: TypeAlias = bytes
_Pause = Annotated[PauseBits, enumeration(PauseBits, 4)]


@dataclass(frozen=True, slots=True)
class EventHeader:
    """What every event begins with.

    Attributes:
        repo: the Repo, or the Config for events of Config.
        repo_seq: 1 for the first.
        prev_root: zero for the first.
        actor: who signed for it.
    """

    schema: ClassVar[Annotated[int, Constant(SCHEMA, "schema")]] = SCHEMA
    repo: AddressField
    repo_seq: U64
    prev_root: DigestField
    unix_timestamp: I64
    actor: AddressField
    reserved: ClassVar[Annotated[bytes, Reserved(8)]]


@dataclass(frozen=True, slots=True)
class ConfigCreated(EventHeader):
    """The Config was made."""

    admin: AddressField
    treasury: AddressField
    fee_bps: U16
    pause_bits: _Pause
    genesis_tag: DigestField


@dataclass(frozen=True, slots=True)
class ConfigSet(EventHeader):
    """The Config was changed."""

    admin: AddressField
    treasury: AddressField
    fee_bps: U16
    pause_bits: _Pause
    genesis_tag: DigestField


@dataclass(frozen=True, slots=True)
class RepoCreated(EventHeader):
    """A repository was made."""

    creator: AddressField
    name_len: ClassVar[NameLen]
    name: NameField
    points_per_merge: U64


@dataclass(frozen=True, slots=True)
class PolicyCreated(EventHeader):
    """A policy was made; `digest` is of its account data."""

    policy: AddressField
    index: U32
    digest: DigestField
    params: Annotated[PolicyParams, nested(PolicyParams)]


@dataclass(frozen=True, slots=True)
class BranchCreated(EventHeader):
    """A branch was made."""

    branch: AddressField
    name_len: ClassVar[NameLen]
    name: NameField
    policy_index: U32
    protected: Bool
    first_round: U8


@dataclass(frozen=True, slots=True)
class BranchPolicySet(EventHeader):
    """A branch's next rounds follow another policy."""

    branch: AddressField
    policy_index: U32


@dataclass(frozen=True, slots=True)
class BranchAdvanced(EventHeader):
    """A head was moved by its authority; `round_index` is the ended round's, or 0."""

    branch: AddressField
    kind: Annotated[MoveKind, enumeration(MoveKind, 1)]
    old_head: CommitIdField
    new_head: CommitIdField
    new_seq: U64
    ended_round: Bool
    round_index: U64


@dataclass(frozen=True, slots=True)
class BranchMerged(EventHeader):
    """A head was moved to a merge of models; `round_index` as in `BranchAdvanced`.

    `merged` holds `n_merged` commit ids, zero-filled: the merge's other parents.
    """

    branch: AddressField
    old_head: CommitIdField
    new_head: CommitIdField
    new_seq: U64
    ended_round: Bool
    round_index: U64
    n_merged: U8
    merged: Bytes512

    @property
    def merged_commits(self) -> tuple[CommitId, ...]:
        """The merge's parents behind the old head."""
        size = len(self.new_head.raw)
        used = self.merged[: self.n_merged * size]
        return tuple(CommitId(used[at : at + size]) for at in range(0, len(used), size))


@dataclass(frozen=True, slots=True)
class RoleGranted(EventHeader):
    """A role was given."""

    grantee: AddressField
    branch: AddressField
    scope: Annotated[Scope, enumeration(Scope, 2)]
    expires_at: I64


@dataclass(frozen=True, slots=True)
class RoleRevoked(EventHeader):
    """A role was taken back."""

    grantee: AddressField
    branch: AddressField


@dataclass(frozen=True, slots=True)
class InviteCreated(EventHeader):
    """Whoever has the secret of `key` may take a role."""

    key: AddressField
    branch: AddressField
    scope: Annotated[Scope, enumeration(Scope, 2)]
    expires_at: I64
    role_expires_at: I64
    uses: U16


@dataclass(frozen=True, slots=True)
class InviteRedeemed(EventHeader):
    """A role was taken by an invite; no `RoleGranted` comes beside it."""

    key: AddressField
    grantee: AddressField
    branch: AddressField
    scope: Annotated[Scope, enumeration(Scope, 2)]
    role_expires_at: I64
    uses_left: U16


@dataclass(frozen=True, slots=True)
class InviteRevoked(EventHeader):
    """An invite was closed before it was used up."""

    key: AddressField


@dataclass(frozen=True, slots=True)
class JoinRequested(EventHeader):
    """A wallet asked for a role."""

    applicant: AddressField
    branch: AddressField
    scope: Annotated[Scope, enumeration(Scope, 2)]
    note_digest: DigestField


@dataclass(frozen=True, slots=True)
class JoinClosed(EventHeader):
    """A request to join was withdrawn, answered or declined."""

    applicant: AddressField
    branch: AddressField


@dataclass(frozen=True, slots=True)
class DelegationCreated(EventHeader):
    """A key may push for a wallet."""

    wallet: AddressField
    key: AddressField
    expires_at: I64


@dataclass(frozen=True, slots=True)
class DelegationRevoked(EventHeader):
    """A key may not push for a wallet any more."""

    wallet: AddressField
    key: AddressField


@dataclass(frozen=True, slots=True)
class RepoSponsorSet(EventHeader):
    """Who pays for contributors; zero is nobody."""

    sponsor: AddressField


@dataclass(frozen=True, slots=True)
class AuthorityOffered(EventHeader):
    """The repository was offered to a wallet; zero: the offer was taken back."""

    new_authority: AddressField


@dataclass(frozen=True, slots=True)
class AuthorityAccepted(EventHeader):
    """The repository has another authority; roles of older epochs are void."""

    old_authority: AddressField
    new_authority: AddressField
    authority_epoch: U32


@dataclass(frozen=True, slots=True)
class RoundOpened(EventHeader):
    """A round began."""

    branch: AddressField
    round_index: U64
    policy_index: U32
    base_commit: CommitIdField
    base_seq: U64
    deadline: I64


@dataclass(frozen=True, slots=True)
class RoundClosed(EventHeader):
    """A round takes no more updates."""

    branch: AddressField
    round_index: U64
    n_accepted: U16
    weight_sum: U32


@dataclass(frozen=True, slots=True)
class RoundAborted(EventHeader):
    """A round ended without a merge."""

    branch: AddressField
    round_index: U64
    reason: U8


@dataclass(frozen=True, slots=True)
class UpdatePushed(EventHeader):
    """An update was put into a round."""

    branch: AddressField
    round_index: U64
    contributor: AddressField
    commit_id: CommitIdField
    payload_digest: DigestField
    statement_digest: DigestField
    nonce: Bytes16
    weight: U16
    n_columns: U8


@dataclass(frozen=True, slots=True)
class UpdateWithdrawn(EventHeader):
    """An update was taken out by its contributor."""

    branch: AddressField
    round_index: U64
    contributor: AddressField
    commit_id: CommitIdField


@dataclass(frozen=True, slots=True)
class UpdateExpired(EventHeader):
    """An update of a round without a merge was closed."""

    branch: AddressField
    round_index: U64
    contributor: AddressField
    commit_id: CommitIdField


@dataclass(frozen=True, slots=True)
class UpdateRejected(EventHeader):
    """An update was struck from its round."""

    branch: AddressField
    round_index: U64
    contributor: AddressField
    commit_id: CommitIdField
    reason: U8


@dataclass(frozen=True, slots=True)
class UpdateSettled(EventHeader):
    """An update of a merged round was credited and closed."""

    branch: AddressField
    round_index: U64
    contributor: AddressField
    commit_id: CommitIdField
    merged: Bool
    points: U64


@dataclass(frozen=True, slots=True)
class MergeAccumulated(EventHeader):
    """Updates were added to a round's sums."""

    branch: AddressField
    round_index: U64
    n_batch: U16
    n_accumulated: U16
    weight_accumulated: U32
    update_root: DigestField


@dataclass(frozen=True, slots=True)
class MergeProposed(EventHeader):
    """A merge commit was proposed."""

    branch: AddressField
    round_index: U64
    commit_id: CommitIdField
    proposer: AddressField


@dataclass(frozen=True, slots=True)
class MergeApproved(EventHeader):
    """A proposed merge was approved by the owner."""

    branch: AddressField
    round_index: U64
    commit_id: CommitIdField
    update_root: DigestField


@dataclass(frozen=True, slots=True)
class MergeAttested(EventHeader):
    """A proposed merge was made again by somebody and came out the same."""

    branch: AddressField
    round_index: U64
    commit_id: CommitIdField
    attester: AddressField
    update_root: DigestField


@dataclass(frozen=True, slots=True)
class AttestationExpired(EventHeader):
    """The attestation of a round that is over was closed."""

    branch: AddressField
    round_index: U64
    commit_id: CommitIdField
    attester: AddressField


@dataclass(frozen=True, slots=True)
class MergeFinalized(EventHeader):
    """A head was moved to a merge commit."""

    branch: AddressField
    round_index: U64
    commit_id: CommitIdField
    old_head: CommitIdField
    new_seq: U64
    n_accepted: U16
    weight_sum: U32
    lambda_: U64
    update_root: DigestField


@dataclass(frozen=True, slots=True)
class MergeExpired(EventHeader):
    """A proposed merge of a round that is over was closed."""

    branch: AddressField
    round_index: U64
    commit_id: CommitIdField


Event: TypeAlias = (
    ConfigCreated
    | ConfigSet
    | RepoCreated
    | PolicyCreated
    | BranchCreated
    | BranchPolicySet
    | BranchAdvanced
    | BranchMerged
    | RoleGranted
    | RoleRevoked
    | InviteCreated
    | InviteRedeemed
    | InviteRevoked
    | JoinRequested
    | JoinClosed
    | DelegationCreated
    | DelegationRevoked
    | RepoSponsorSet
    | AuthorityOffered
    | AuthorityAccepted
    | RoundOpened
    | RoundClosed
    | RoundAborted
    | UpdatePushed
    | UpdateWithdrawn
    | UpdateExpired
    | UpdateRejected
    | UpdateSettled
    | MergeAccumulated
    | MergeProposed
    | MergeApproved
    | MergeAttested
    | AttestationExpired
    | MergeFinalized
    | MergeExpired
)

EVENT_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind for kind in get_args(Event)
}
_BY_DISCRIMINATOR: Final[dict[bytes, type[Any]]] = {
    discriminator("event", name): kind for name, kind in EVENT_KINDS.items()
}


def decode_event(event_bytes: EventBytes) -> Event:
    """Reads an event.

    Raises:
        ObjectInvalid: unknown kind or schema, a field's value is not allowed, or the
            bytes are not exactly one event.
    """
    kind = _BY_DISCRIMINATOR.get(event_bytes[:DISCRIMINATOR_SIZE])
    if kind is None:
        raise ObjectInvalid(
            "event", f"unknown kind {event_bytes[:DISCRIMINATOR_SIZE].hex()}"
        )
    try:
        event: Event = decode(kind, event_bytes[DISCRIMINATOR_SIZE:])
    except LayoutError as exc:
        raise ObjectInvalid(f"event {kind.__name__}", str(exc)) from exc
    return event


def encode_event(event: Event) -> EventBytes:
    """Gives an event's bytes, as the program would send them."""
    return discriminator("event", type(event).__name__) + encode(event)


def event_size(kind: type[Any]) -> int:
    """Gives the exact number of bytes of an event of this kind."""
    return DISCRIMINATOR_SIZE + size_of(kind)


def event_block(event_bytes: EventBytes) -> bytes:
    """Gives the raw block that stores an event; its digest is the event's root."""
    return EVENT_PREFIX + event_bytes


def event_root(event_bytes: EventBytes) -> Digest:
    """Gives the history root after this event."""
    return Digest(hashlib.sha256(event_block(event_bytes)).digest())
