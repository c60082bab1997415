"""Arguments of the program's instructions, as packed structures.

The order of fields mirrors docs/protocol.md, section 2.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from flair_client.chain.accounts import PauseBits, PolicyParams, Scope
from flair_client.chain.layout import (
    I64,
    U8,
    U16,
    U32,
    U64,
    AddressField,
    BorshString,
    Bytes16,
    Bytes512,
    CommitIdField,
    DigestField,
    enumeration,
)


@dataclass(frozen=True, slots=True)
class NoArgs:
    """An instruction without arguments."""


@dataclass(frozen=True, slots=True)
class ConfigCreateArgs:
    """Arguments of `config_create`."""

    treasury: AddressField
    fee_bps: U16
    pause_bits: Annotated[PauseBits, enumeration(PauseBits, 4)]
    genesis_tag: DigestField


@dataclass(frozen=True, slots=True)
class ConfigSetArgs:
    """Arguments of `config_set`."""

    treasury: AddressField
    fee_bps: U16
    pause_bits: Annotated[PauseBits, enumeration(PauseBits, 4)]


@dataclass(frozen=True, slots=True)
class RepoCreateArgs:
    """Arguments of `repo_create`."""

    name: BorshString
    points_per_merge: U64


@dataclass(frozen=True, slots=True)
class BranchCreateArgs:
    """Arguments of `branch_create`."""

    name: BorshString
    policy_index: U32
    protected: U8
    first_round: U8


@dataclass(frozen=True, slots=True)
class BranchSetPolicyArgs:
    """Arguments of `branch_set_policy`."""

    policy_index: U32


@dataclass(frozen=True, slots=True)
class BranchAdvanceArgs:
    """Arguments of `branch_advance`; `kind` is a `MoveKind`."""

    kind: U8
    expected_head: CommitIdField
    expected_seq: U64
    new_head: CommitIdField


@dataclass(frozen=True, slots=True)
class BranchMergeArgs:
    """Arguments of `branch_merge`; `merged` is 1 to 16 commit ids, zero-filled."""

    expected_head: CommitIdField
    expected_seq: U64
    new_head: CommitIdField
    merged: Bytes512


@dataclass(frozen=True, slots=True)
class RoleGrantArgs:
    """Arguments of `role_grant`."""

    grantee: AddressField
    scope: Annotated[Scope, enumeration(Scope, 2)]
    expires_at: I64


@dataclass(frozen=True, slots=True)
class InviteCreateArgs:
    """Arguments of `invite_create`; `role_expires_at` 0 is never."""

    key: AddressField
    scope: Annotated[Scope, enumeration(Scope, 2)]
    expires_at: I64
    role_expires_at: I64
    uses: U16


@dataclass(frozen=True, slots=True)
class JoinRequestArgs:
    """Arguments of `join_request`."""

    scope: Annotated[Scope, enumeration(Scope, 2)]
    note_digest: DigestField


@dataclass(frozen=True, slots=True)
class DelegationCreateArgs:
    """Arguments of `delegation_create`."""

    key: AddressField
    expires_at: I64


@dataclass(frozen=True, slots=True)
class RepoSetSponsorArgs:
    """Arguments of `repo_set_sponsor`; zero is none."""

    sponsor: AddressField


@dataclass(frozen=True, slots=True)
class AuthorityOfferArgs:
    """Arguments of `authority_offer`; zero takes the offer back."""

    new_authority: AddressField


@dataclass(frozen=True, slots=True)
class UpdatePushArgs:
    """Arguments of `update_push`."""

    commit_id: CommitIdField
    expected_base: CommitIdField
    weight: U16
    payload_digest: DigestField
    statement_digest: DigestField
    nonce: Bytes16


@dataclass(frozen=True, slots=True)
class UpdateRejectArgs:
    """Arguments of `update_reject`."""

    reason: U8


@dataclass(frozen=True, slots=True)
class MergeProposeArgs:
    """Arguments of `merge_propose`."""

    commit_id: CommitIdField
    expected_head: CommitIdField
    expected_seq: U64


@dataclass(frozen=True, slots=True)
class MergeApproveArgs:
    """Arguments of `merge_approve`."""

    update_root: DigestField


@dataclass(frozen=True, slots=True)
class MergeAttestArgs:
    """Arguments of `merge_attest`."""

    update_root: DigestField


@dataclass(frozen=True, slots=True)
class MergeFinalizeArgs:
    """Arguments of `merge_finalize`."""

    expected_head: CommitIdField
    expected_seq: U64


ARGUMENTS: Final[dict[str, type[Any]]] = {
    "config_create": ConfigCreateArgs,
    "config_set": ConfigSetArgs,
    "repo_create": RepoCreateArgs,
    "policy_create": PolicyParams,
    "branch_create": BranchCreateArgs,
    "branch_set_policy": BranchSetPolicyArgs,
    "branch_advance": BranchAdvanceArgs,
    "branch_merge": BranchMergeArgs,
    "role_grant": RoleGrantArgs,
    "role_revoke": NoArgs,
    "invite_create": InviteCreateArgs,
    "invite_redeem": NoArgs,
    "invite_revoke": NoArgs,
    "join_request": JoinRequestArgs,
    "join_close": NoArgs,
    "delegation_create": DelegationCreateArgs,
    "delegation_revoke": NoArgs,
    "repo_set_sponsor": RepoSetSponsorArgs,
    "authority_offer": AuthorityOfferArgs,
    "authority_accept": NoArgs,
    "round_open": NoArgs,
    "round_close": NoArgs,
    "round_abort": NoArgs,
    "update_push": UpdatePushArgs,
    "update_withdraw": NoArgs,
    "update_reject": UpdateRejectArgs,
    "update_expire": NoArgs,
    "update_settle": NoArgs,
    "merge_accumulate": NoArgs,
    "merge_propose": MergeProposeArgs,
    "merge_approve": MergeApproveArgs,
    "merge_attest": MergeAttestArgs,
    "attestation_expire": NoArgs,
    "merge_finalize": MergeFinalizeArgs,
    "merge_expire": NoArgs,
}
