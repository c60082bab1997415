//! Events of rounds and their updates.

use anchor_lang::prelude::*;

use crate::events::{assert_sizes, EventHeader};

/// A round was opened.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 4 | policy_index | u32 |
/// | 173 | 32 | base_commit | 32 bytes |
/// | 205 | 8 | base_seq | u64 |
/// | 213 | 8 | deadline | i64 |
#[event(bytemuck)]
pub struct RoundOpened {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The policy that it pins.
    pub policy_index: PodU32,
    /// The head that it pins.
    pub base_commit: [u8; 32],
    /// The head's sequence.
    pub base_seq: PodU64,
    /// Unix time.
    pub deadline: PodI64,
}

/// A round takes no more updates.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 2 | n_accepted | u16 |
/// | 171 | 4 | weight_sum | u32 |
#[event(bytemuck)]
pub struct RoundClosed {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Updates that the merge must take.
    pub n_accepted: PodU16,
    /// Of them.
    pub weight_sum: PodU32,
}

/// A round ended without a merge.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 1 | reason | u8 |
#[event(bytemuck)]
pub struct RoundAborted {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// 1 too few updates, 2 no merge in time, 3 the head moved otherwise.
    pub reason: u8,
}

/// A contributor pushed an update.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | contributor | address |
/// | 201 | 32 | commit_id | 32 bytes |
/// | 233 | 32 | payload_digest | 32 bytes |
/// | 265 | 32 | statement_digest | 32 bytes |
/// | 297 | 16 | nonce | 16 bytes |
/// | 313 | 2 | weight | u16 |
/// | 315 | 1 | n_columns | u8 |
#[event(bytemuck)]
pub struct UpdatePushed {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Who trained.
    pub contributor: Address,
    /// The update commit.
    pub commit_id: [u8; 32],
    /// Digest of the delta object.
    pub payload_digest: [u8; 32],
    /// Zero without proofs.
    pub statement_digest: [u8; 32],
    /// Chosen by the contributor.
    pub nonce: [u8; 16],
    /// A power of two.
    pub weight: PodU16,
    /// 0 without proofs.
    pub n_columns: u8,
}

/// A contributor took its update back.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | contributor | address |
/// | 201 | 32 | commit_id | 32 bytes |
#[event(bytemuck)]
pub struct UpdateWithdrawn {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Who trained.
    pub contributor: Address,
    /// The update commit.
    pub commit_id: [u8; 32],
}

/// The authority left an update out.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | contributor | address |
/// | 201 | 32 | commit_id | 32 bytes |
/// | 233 | 1 | reason | u8 |
#[event(bytemuck)]
pub struct UpdateRejected {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Who trained.
    pub contributor: Address,
    /// The update commit.
    pub commit_id: [u8; 32],
    /// The authority's reason code; not zero.
    pub reason: u8,
}

/// The update of a round without a merge was closed.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | contributor | address |
/// | 201 | 32 | commit_id | 32 bytes |
#[event(bytemuck)]
pub struct UpdateExpired {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Who trained.
    pub contributor: Address,
    /// The update commit.
    pub commit_id: [u8; 32],
}

/// The update of a merged round was credited and closed.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | contributor | address |
/// | 201 | 32 | commit_id | 32 bytes |
/// | 233 | 1 | merged | u8 |
/// | 234 | 8 | points | u64 |
#[event(bytemuck)]
pub struct UpdateSettled {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Who trained.
    pub contributor: Address,
    /// The update commit.
    pub commit_id: [u8; 32],
    /// 1: the merge took it.
    pub merged: u8,
    /// Points earned.
    pub points: PodU64,
}

assert_sizes! {
    RoundOpened: 221,
    RoundClosed: 175,
    RoundAborted: 170,
    UpdatePushed: 316,
    UpdateWithdrawn: 233,
    UpdateRejected: 234,
    UpdateExpired: 233,
    UpdateSettled: 242,
}
