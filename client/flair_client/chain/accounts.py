"""The program's accounts: bytes to checked values and back.

The layouts mirror docs/protocol.md, section 1; `chain.client` fetches accounts. They
are one table of that page, which is why this file is long.
"""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar, get_args

from flair_client.chain.layout import (
    DISCRIMINATOR_SIZE,
    I16,
    I64,
    U8,
    U16,
    U32,
    U64,
    U128,
    AddressField,
    Bool,
    Bytes16,
    Bytes64,
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
    offset_of,
    size_of,
)
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.errors import AccountInvalid
from flair_client.ids import ZERO_ADDRESS, Address, Digest

VERSION: Final = 1
_ZERO_DIGEST: Final = Digest(bytes(32))
Version = Annotated[int, Constant(VERSION, "version")]
_T = TypeVar("_T")


class RoundState(IntEnum):
    """Where a round stands."""

    OPEN = 1
    CLOSED = 2
    MERGED = 3
    ABORTED = 4


class UpdateStatus(IntEnum):
    """Where an update stands."""

    PENDING = 1
    ACCEPTED = 2
    REJECTED = 3
    ACCUMULATED = 4


class MoveKind(IntEnum):
    """How `branch_advance` moves a head."""

    ROOT = 0
    SNAPSHOT = 1
    REVERT = 2


class Scope(IntFlag):
    """What a role allows."""

    CONTRIBUTE = 1
    MERGE = 2
    ATTEST = 4
    ADMINISTER = 8


class PauseBits(IntFlag):
    """Which groups of instructions are paused."""

    REPO_CREATE = 1
    BRANCH = 2
    ROUND_OPEN = 4
    UPDATE_PUSH = 8
    MERGE = 16
    ROLE_GRANT = 32


@dataclass(frozen=True, slots=True)
class RawAccount:
    """An account as an RPC gives it."""

    address: Address
    owner: Address
    lamports: int
    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class ConfigAccount:
    """The program's settings."""

    version: ClassVar[Version] = VERSION
    bump: U8
    admin: AddressField
    pending_admin: AddressField
    treasury: AddressField
    fee_bps: U16
    pause_bits: Annotated[PauseBits, enumeration(PauseBits, 4)]
    genesis_tag: DigestField
    event_seq: U64
    history_root: DigestField
    mode_bits: U32
    reserved: ClassVar[Annotated[bytes, Reserved(119)]]


@dataclass(frozen=True, slots=True)
class RepoAccount:
    """A repository."""

    version: ClassVar[Version] = VERSION
    bump: U8
    name_len: ClassVar[NameLen]
    listed: U8
    name: NameField
    creator: AddressField
    authority: AddressField
    pending_authority: AddressField
    authority_epoch: U32
    policy_count: U32
    mint: AddressField
    event_seq: U64
    history_root: DigestField
    points_total: U128
    points_per_merge: U64
    keyring_digest: DigestField
    created_at: I64
    sponsor: AddressField = ZERO_ADDRESS
    reserved: ClassVar[Annotated[bytes, Reserved(89)]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyParams:
    """What `policy_create` fixes for ever; the limits are the program's."""

    mode: U8 = 0
    dp_rule: U8 = 0
    proof_system: U8 = 0
    bits: U8
    contribute: U8 = 0
    reveal_after_close: U8 = 0
    approvals_needed: U8 = 0
    attestations_needed: U8 = 0
    scale_exp: I16
    columns: U16 = 0
    strategy: U16 = 1
    weight_cap: U16
    min_updates: U16
    max_updates: U16
    n_params: U64
    norm_bound_sq: U128
    eta_q24: U32
    round_length_s: U32
    merge_grace_s: U32
    challenge_s: U32
    deposit_lamports: U64 = 0
    strategy_params: Bytes64 = bytes(64)
    verifying_key: AddressField = ZERO_ADDRESS
    recipe_digest: DigestField = _ZERO_DIGEST
    max_epochs: U16 = 0
    max_batch_size: U32 = 0
    reserved: ClassVar[Annotated[bytes, Reserved(74)]]


@dataclass(frozen=True, slots=True)
class PolicyAccount:
    """The rules of the rounds that name it; `digest` is of the whole account data."""

    version: ClassVar[Version] = VERSION
    bump: U8
    index: U32
    repo: AddressField
    params: Annotated[PolicyParams, nested(PolicyParams)]
    created_at: I64
    reserved: ClassVar[Annotated[bytes, Reserved(48)]]
    digest: Digest = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class BranchAccount:
    """A movable name for a commit."""

    version: ClassVar[Version] = VERSION
    bump: U8
    name_len: ClassVar[NameLen]
    protected: Bool
    name: NameField
    repo: AddressField
    head_commit: CommitIdField
    head_seq: U64
    round_index: U64
    round_live: Bool
    policy_index: U32
    created_at: I64
    reserved: ClassVar[Annotated[bytes, Reserved(69)]]


@dataclass(frozen=True, slots=True)
class RoleAccount:
    """A right given to a wallet."""

    version: ClassVar[Version] = VERSION
    bump: U8
    scope: Annotated[Scope, enumeration(Scope, 2)]
    repo: AddressField
    branch: AddressField
    grantee: AddressField
    granted_by: AddressField
    rent_payer: AddressField
    expires_at: I64
    authority_epoch: U32
    reserved: ClassVar[Annotated[bytes, Reserved(40)]]


@dataclass(frozen=True, slots=True)
class InviteAccount:
    """A right that whoever has the secret of `key` may take; `branch` zero is all."""

    version: ClassVar[Version] = VERSION
    bump: U8
    scope: Annotated[Scope, enumeration(Scope, 2)]
    repo: AddressField
    branch: AddressField
    key: AddressField
    created_by: AddressField
    rent_payer: AddressField
    expires_at: I64
    role_expires_at: I64
    uses_left: U16
    authority_epoch: U32
    reserved: ClassVar[Annotated[bytes, Reserved(40)]]


@dataclass(frozen=True, slots=True)
class JoinRequestAccount:
    """A wallet asks for a right; `note_digest` is of its words, or zero."""

    version: ClassVar[Version] = VERSION
    bump: U8
    scope: Annotated[Scope, enumeration(Scope, 2)]
    repo: AddressField
    branch: AddressField
    applicant: AddressField
    rent_payer: AddressField
    note_digest: DigestField
    requested_at: I64
    reserved: ClassVar[Annotated[bytes, Reserved(40)]]


@dataclass(frozen=True, slots=True)
class DelegationAccount:
    """A key that may push and withdraw for a wallet until it expires."""

    version: ClassVar[Version] = VERSION
    bump: U8
    repo: AddressField
    wallet: AddressField
    key: AddressField
    rent_payer: AddressField
    created_at: I64
    expires_at: I64
    reserved: ClassVar[Annotated[bytes, Reserved(40)]]


@dataclass(frozen=True, slots=True)
class RoundAccount:
    """One cycle of aggregation."""

    version: ClassVar[Version] = VERSION
    bump: U8
    state: Annotated[RoundState, enumeration(RoundState, 1)]
    repo: AddressField
    branch: AddressField
    policy: AddressField
    policy_index: U32
    round_index: U64
    base_commit: CommitIdField
    base_seq: U64
    opened_at: I64
    deadline: I64
    closed_at: I64
    n_live: U16
    n_accepted: U16
    n_accumulated: U16
    n_settled: U16
    weight_sum: U32
    weight_accumulated: U32
    last_weight: U16
    last_contributor: AddressField
    update_root: DigestField
    merge_commit: CommitIdField
    points_each: U64
    payer: AddressField
    reserved: ClassVar[Annotated[bytes, Reserved(56)]]


@dataclass(frozen=True, slots=True)
class UpdateAccount:
    """A contributor's update of one round."""

    version: ClassVar[Version] = VERSION
    bump: U8
    status: Annotated[UpdateStatus, enumeration(UpdateStatus, 1)]
    reject_reason: U8
    proof_verdict: U8
    n_columns: U8
    weight: U16
    repo: AddressField
    branch: AddressField
    round: AddressField
    contributor: AddressField
    commit_id: CommitIdField
    payload_digest: DigestField
    statement_digest: DigestField
    nonce: Bytes16
    pushed_at: I64
    deposit_lamports: U64
    rent_payer: AddressField
    signer: AddressField
    reserved: ClassVar[Annotated[bytes, Reserved(16)]]


@dataclass(frozen=True, slots=True)
class MergeCandidateAccount:
    """A proposed merge."""

    version: ClassVar[Version] = VERSION
    bump: U8
    approvals: U8
    attestations: U8
    repo: AddressField
    branch: AddressField
    round: AddressField
    round_index: U64
    commit_id: CommitIdField
    proposer: AddressField
    payer: AddressField
    proposed_at: I64
    authority_epoch: U32
    votes_epoch: U32
    reserved: ClassVar[Annotated[bytes, Reserved(28)]]

    def votes(self, epoch: int) -> tuple[int, int]:
        """Approvals and attestations that count under the authority of this epoch."""
        counts = self.votes_epoch == epoch
        return (self.approvals, self.attestations) if counts else (0, 0)


@dataclass(frozen=True, slots=True)
class AttestationAccount:
    """Somebody made a proposed merge again; `rent_payer` gets its rent back."""

    version: ClassVar[Version] = VERSION
    bump: U8
    repo: AddressField
    branch: AddressField
    candidate: AddressField
    attester: AddressField
    rent_payer: AddressField
    round_index: U64
    commit_id: CommitIdField
    authority_epoch: U32
    attested_at: I64
    reserved: ClassVar[Annotated[bytes, Reserved(40)]]


@dataclass(frozen=True, slots=True)
class ContributionAccount:
    """What a contributor did and earned in a repository."""

    version: ClassVar[Version] = VERSION
    bump: U8
    repo: AddressField
    contributor: AddressField
    updates: U64
    merges: U64
    points: U128
    reward_debt: U128
    claimed: U64
    reserved: ClassVar[Annotated[bytes, Reserved(48)]]


Account: TypeAlias = (
    ConfigAccount
    | RepoAccount
    | PolicyAccount
    | BranchAccount
    | RoleAccount
    | InviteAccount
    | JoinRequestAccount
    | DelegationAccount
    | RoundAccount
    | UpdateAccount
    | MergeCandidateAccount
    | AttestationAccount
    | ContributionAccount
)

ACCOUNT_NAMES: Final[dict[type[Any], str]] = {
    kind: kind.__name__.removesuffix("Account") for kind in get_args(Account)
}


def account_discriminator(kind: type[Any]) -> bytes:
    """Gives the 8 bytes that every account of this kind begins with."""
    return discriminator("account", ACCOUNT_NAMES[kind])


def account_size(kind: type[Any]) -> int:
    """Gives the exact number of bytes of an account of this kind."""
    return DISCRIMINATOR_SIZE + size_of(kind)


def account_offset(kind: type[Any], name: str) -> int:
    """Gives where a field begins in an account of this kind."""
    return DISCRIMINATOR_SIZE + offset_of(kind, name)


def decode_account_as(
    kind: type[_T], raw: RawAccount, program_id: Address = PROGRAM_ID
) -> _T:
    """Reads an account that must be of this kind.

    Raises:
        AccountInvalid: its owner, size, kind, version or contents are wrong.
    """
    name = ACCOUNT_NAMES[kind]
    if raw.owner != program_id:
        raise AccountInvalid(raw.address, f"owned by {raw.owner}, not by the program")
    if raw.data[:DISCRIMINATOR_SIZE] != account_discriminator(kind):
        raise AccountInvalid(raw.address, f"not a {name}")
    if len(raw.data) != account_size(kind):
        raise AccountInvalid(
            raw.address,
            f"{len(raw.data)} bytes, a {name} has {account_size(kind)}",
        )
    extra: dict[str, Any] = {}
    if kind is PolicyAccount:
        extra["digest"] = Digest(hashlib.sha256(raw.data).digest())
    try:
        return decode(kind, raw.data[DISCRIMINATOR_SIZE:], **extra)
    except LayoutError as exc:
        raise AccountInvalid(raw.address, str(exc)) from exc


def decode_account(raw: RawAccount, program_id: Address = PROGRAM_ID) -> Account:
    """Reads an account of whichever kind its first bytes say.

    Raises:
        AccountInvalid: its owner, size, kind, version or contents are wrong.
    """
    head = raw.data[:DISCRIMINATOR_SIZE]
    for kind in ACCOUNT_NAMES:
        if head == account_discriminator(kind):
            account: Account = decode_account_as(kind, raw, program_id)
            return account
    raise AccountInvalid(raw.address, f"unknown kind of account {head.hex()}")


def encode_account(account: Account) -> bytes:
    """Gives an account's data, as the program would store it."""
    return account_discriminator(type(account)) + encode(account)
