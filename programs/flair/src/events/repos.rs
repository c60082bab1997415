//! Events of the settings, of repositories, their policies, branches and roles.

use anchor_lang::prelude::*;

use crate::{
    events::{assert_sizes, EventHeader},
    state::PolicyParams,
};

/// The program's settings were made.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | admin | address |
/// | 161 | 32 | treasury | address |
/// | 193 | 2 | fee_bps | u16 |
/// | 195 | 4 | pause_bits | u32 |
/// | 199 | 32 | genesis_tag | 32 bytes |
#[event(bytemuck)]
pub struct ConfigCreated {
    /// What every event begins with.
    pub header: EventHeader,
    /// May call `config_set`.
    pub admin: Address,
    /// Where fees go.
    pub treasury: Address,
    /// Fee in hundredths of a percent.
    pub fee_bps: PodU16,
    /// What is paused.
    pub pause_bits: PodU32,
    /// Genesis hash of the cluster.
    pub genesis_tag: [u8; 32],
}

/// The program's settings were changed.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | admin | address |
/// | 161 | 32 | treasury | address |
/// | 193 | 2 | fee_bps | u16 |
/// | 195 | 4 | pause_bits | u32 |
/// | 199 | 32 | genesis_tag | 32 bytes |
#[event(bytemuck)]
pub struct ConfigSet {
    /// What every event begins with.
    pub header: EventHeader,
    /// May call `config_set`.
    pub admin: Address,
    /// Where fees go.
    pub treasury: Address,
    /// Fee in hundredths of a percent.
    pub fee_bps: PodU16,
    /// What is paused.
    pub pause_bits: PodU32,
    /// Genesis hash of the cluster.
    pub genesis_tag: [u8; 32],
}

/// A repository was made.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | creator | address |
/// | 161 | 1 | name_len | u8 |
/// | 162 | 64 | name | 64 bytes |
/// | 226 | 8 | points_per_merge | u64 |
#[event(bytemuck)]
pub struct RepoCreated {
    /// What every event begins with.
    pub header: EventHeader,
    /// Who made it: the first authority.
    pub creator: Address,
    /// Bytes of `name` in use.
    pub name_len: u8,
    /// Zero-filled.
    pub name: [u8; 64],
    /// Points that one merge may give out.
    pub points_per_merge: PodU64,
}

/// A policy was made. It carries the rules, so that an indexer needs no account.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | policy | address |
/// | 161 | 4 | index | u32 |
/// | 165 | 32 | digest | 32 bytes |
/// | 197 | 276 | params | `PolicyParams` |
#[event(bytemuck)]
pub struct PolicyCreated {
    /// What every event begins with.
    pub header: EventHeader,
    /// Address of the policy.
    pub policy: Address,
    /// Position within the repository.
    pub index: PodU32,
    /// sha256 of the policy's account data.
    pub digest: [u8; 32],
    /// The rules.
    pub params: PolicyParams,
}

/// A branch was made.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 1 | name_len | u8 |
/// | 162 | 64 | name | 64 bytes |
/// | 226 | 4 | policy_index | u32 |
/// | 230 | 1 | protected | u8 |
/// | 231 | 1 | first_round | u8 |
#[event(bytemuck)]
pub struct BranchCreated {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// Bytes of `name` in use.
    pub name_len: u8,
    /// Zero-filled.
    pub name: [u8; 64],
    /// Policy for the next round.
    pub policy_index: PodU32,
    /// 1: the authority alone may move it.
    pub protected: u8,
    /// Index of the first round, 0 or 1.
    pub first_round: u8,
}

/// The policy for the next round was set.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 4 | policy_index | u32 |
#[event(bytemuck)]
pub struct BranchPolicySet {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The new policy.
    pub policy_index: PodU32,
}

/// The head was moved to a root, a snapshot or a revert.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 1 | kind | u8 |
/// | 162 | 32 | old_head | 32 bytes |
/// | 194 | 32 | new_head | 32 bytes |
/// | 226 | 8 | new_seq | u64 |
/// | 234 | 1 | ended_round | u8 |
/// | 235 | 8 | round_index | u64 |
#[event(bytemuck)]
pub struct BranchAdvanced {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// 0 root, 1 snapshot, 2 revert.
    pub kind: u8,
    /// Zero for a root.
    pub old_head: [u8; 32],
    /// The commit.
    pub new_head: [u8; 32],
    /// The head's sequence after the move.
    pub new_seq: PodU64,
    /// 1: a live round was ended by it.
    pub ended_round: u8,
    /// The ended round's index; else 0.
    pub round_index: PodU64,
}

/// The head was moved to a merge of models: of commits that may be anywhere.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 32 | old_head | 32 bytes |
/// | 193 | 32 | new_head | 32 bytes |
/// | 225 | 8 | new_seq | u64 |
/// | 233 | 1 | ended_round | u8 |
/// | 234 | 8 | round_index | u64 |
/// | 242 | 1 | n_merged | u8 |
/// | 243 | 512 | merged | 512 bytes |
#[event(bytemuck)]
pub struct BranchMerged {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The merge's first parent.
    pub old_head: [u8; 32],
    /// The merge.
    pub new_head: [u8; 32],
    /// The head's sequence after the move.
    pub new_seq: PodU64,
    /// 1: a live round was ended by it.
    pub ended_round: u8,
    /// The ended round's index; else 0.
    pub round_index: PodU64,
    /// Commits in `merged`.
    pub n_merged: u8,
    /// Its other parents, 32 bytes each, zero-filled.
    pub merged: [u8; 512],
}

/// A role was granted.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | grantee | address |
/// | 161 | 32 | branch | address |
/// | 193 | 2 | scope | u16 |
/// | 195 | 8 | expires_at | i64 |
#[event(bytemuck)]
pub struct RoleGranted {
    /// What every event begins with.
    pub header: EventHeader,
    /// Who may act.
    pub grantee: Address,
    /// Where; zero: the whole repository.
    pub branch: Address,
    /// Bits: 1 contribute, 2 merge, 4 attest, 8 administer.
    pub scope: PodU16,
    /// Unix time; 0: never.
    pub expires_at: PodI64,
}

/// A role was revoked.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | grantee | address |
/// | 161 | 32 | branch | address |
#[event(bytemuck)]
pub struct RoleRevoked {
    /// What every event begins with.
    pub header: EventHeader,
    /// Who could act.
    pub grantee: Address,
    /// Where; zero: the whole repository.
    pub branch: Address,
}

/// Who pays for contributors was set.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | sponsor | address |
#[event(bytemuck)]
pub struct RepoSponsorSet {
    /// What every event begins with.
    pub header: EventHeader,
    /// Zero: none.
    pub sponsor: Address,
}

assert_sizes! {
    ConfigCreated: 231,
    ConfigSet: 231,
    RepoCreated: 234,
    PolicyCreated: 473,
    BranchCreated: 232,
    BranchPolicySet: 165,
    BranchAdvanced: 243,
    BranchMerged: 755,
    RoleGranted: 203,
    RoleRevoked: 193,
    RepoSponsorSet: 161,
}
