//! Events of merges.

use anchor_lang::prelude::*;

use crate::events::{assert_sizes, EventHeader};

/// A batch of updates was added to the round's sums.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 2 | n_batch | u16 |
/// | 171 | 2 | n_accumulated | u16 |
/// | 173 | 4 | weight_accumulated | u32 |
/// | 177 | 32 | update_root | 32 bytes |
#[event(bytemuck)]
pub struct MergeAccumulated {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// Updates of this batch.
    pub n_batch: PodU16,
    /// Updates so far.
    pub n_accumulated: PodU16,
    /// Weight so far.
    pub weight_accumulated: PodU32,
    /// Chained digest over them.
    pub update_root: [u8; 32],
}

/// A commit was proposed as the merge of a round.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | commit_id | 32 bytes |
/// | 201 | 32 | proposer | address |
#[event(bytemuck)]
pub struct MergeProposed {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// Who proposed it.
    pub proposer: Address,
}

/// The authority approved a candidate.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | commit_id | 32 bytes |
/// | 201 | 32 | update_root | 32 bytes |
#[event(bytemuck)]
pub struct MergeApproved {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// Chained digest over the updates.
    pub update_root: [u8; 32],
}

/// Somebody attested a candidate.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | commit_id | 32 bytes |
/// | 201 | 32 | attester | address |
/// | 233 | 32 | update_root | 32 bytes |
#[event(bytemuck)]
pub struct MergeAttested {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// Who made it again.
    pub attester: Address,
    /// Chained digest over the updates.
    pub update_root: [u8; 32],
}

/// The attestation of a round that is over was closed.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | commit_id | 32 bytes |
/// | 201 | 32 | attester | address |
#[event(bytemuck)]
pub struct AttestationExpired {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// Who made it again.
    pub attester: Address,
}

/// The head was moved to the merge of a round.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | commit_id | 32 bytes |
/// | 201 | 32 | old_head | 32 bytes |
/// | 233 | 8 | new_seq | u64 |
/// | 241 | 2 | n_accepted | u16 |
/// | 243 | 4 | weight_sum | u32 |
/// | 247 | 8 | lambda | u64 |
/// | 255 | 32 | update_root | 32 bytes |
#[event(bytemuck)]
pub struct MergeFinalized {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// The base of the round.
    pub old_head: [u8; 32],
    /// The head's sequence after the move.
    pub new_seq: PodU64,
    /// Updates that it took.
    pub n_accepted: PodU16,
    /// Of them: A.
    pub weight_sum: PodU32,
    /// eta_q24 / A, rounded half to even.
    pub lambda: PodU64,
    /// Chained digest over the updates.
    pub update_root: [u8; 32],
}

/// The candidate of a round that is over was closed.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | branch | address |
/// | 161 | 8 | round_index | u64 |
/// | 169 | 32 | commit_id | 32 bytes |
#[event(bytemuck)]
pub struct MergeExpired {
    /// What every event begins with.
    pub header: EventHeader,
    /// The branch.
    pub branch: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
}

assert_sizes! {
    MergeAccumulated: 209,
    MergeProposed: 233,
    MergeApproved: 233,
    MergeAttested: 265,
    AttestationExpired: 233,
    MergeFinalized: 287,
    MergeExpired: 201,
}
