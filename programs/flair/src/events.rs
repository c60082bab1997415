//! All events: bytes that never change, sent by self-call (`emit_cpi!`), since logs get cut.
//!
//! An event is `sha256("event:" + Name)[..8]`, the header, then its own fields, packed. Each names the root of the events
//! before it, and folds into the next: `root = sha256("flair-event-v1\n" + event)`. New events are appended; a field is
//! never added to one that exists.
//!
//! The tables give offsets from the discriminator's first byte.

use anchor_lang::{prelude::*, IdlType};
use bytemuck::{Pod, Zeroable};
use solana_sha256_hasher::hashv;

use crate::{
    constants::{EVENT_PREFIX, EVENT_SCHEMA},
    errors::FlairError,
    state::{PolicyParams, DISCRIMINATOR_LEN},
};

/// What every event begins with: 121 bytes after the discriminator.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 1 | schema | u8 |
/// | 9 | 32 | repo | address |
/// | 41 | 8 | repo_seq | u64 |
/// | 49 | 32 | prev_root | 32 bytes |
/// | 81 | 8 | unix_timestamp | i64 |
/// | 89 | 32 | actor | address |
/// | 121 | 8 | reserved | 8 bytes |
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, IdlType)]
pub struct EventHeader {
    /// 1.
    pub schema: u8,
    /// The Repo; for events of Config the Config.
    pub repo: Address,
    /// Position in the chain, 1 for the first.
    pub repo_seq: PodU64,
    /// Root of the event before; zero for the first.
    pub prev_root: [u8; 32],
    /// Unix time, seconds.
    pub unix_timestamp: PodI64,
    /// Who signed for it.
    pub actor: Address,
    /// Zero.
    pub reserved: [u8; 8],
}

impl EventHeader {
    /// Bytes of the header.
    pub const SIZE: usize = 1 // schema
        + 32 // repo
        + 8 // repo_seq
        + 32 // prev_root
        + 8 // unix_timestamp
        + 32 // actor
        + 8; // reserved
}

/// An account that chains events.
pub trait Chained {
    /// Number of events so far, and the root over them.
    fn chain(&self) -> (PodU64, [u8; 32]);
    /// Replaces both.
    fn set_chain(&mut self, event_seq: PodU64, history_root: [u8; 32]);
}

/// The header of the next event of `account`.
///
/// # Errors
/// `Overflow`.
pub fn next_header(
    account: &impl Chained,
    address: &Address,
    actor: &Address,
    now: i64,
) -> Result<EventHeader> {
    let (event_seq, history_root) = account.chain();
    Ok(EventHeader {
        schema: EVENT_SCHEMA,
        repo: *address,
        repo_seq: event_seq.checked_add(1u64).ok_or(FlairError::Overflow)?,
        prev_root: history_root,
        unix_timestamp: now.into(),
        actor: *actor,
        reserved: [0; 8],
    })
}

/// The root after an event.
pub fn event_root<E: Discriminator + Pod>(event: &E) -> [u8; 32] {
    hashv(&[EVENT_PREFIX, E::DISCRIMINATOR, bytemuck::bytes_of(event)]).to_bytes()
}

/// Makes the event with its header, folds it into the chain of the named account and emits it.
///
/// `record!(ctx.repo, actor, now, RoundClosed { branch: …, … })`: one per instruction, after every other change, so that
/// the event tells what is stored.
macro_rules! record {
    ($ctx:ident.$account:ident, $actor:expr, $now:expr, $event:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let header = $crate::events::next_header(
            &*$ctx.accounts.$account,
            $ctx.accounts.$account.address(),
            $actor,
            $now,
        )?;
        let event = $crate::events::$event { header, $($field: $value),* };
        $crate::events::Chained::set_chain(
            &mut *$ctx.accounts.$account,
            header.repo_seq,
            $crate::events::event_root(&event),
        );
        let ctx = &*$ctx; // the name that `emit_cpi!` looks for
        emit_cpi!(event);
    }};
}
pub(crate) use record;

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

const _: () = assert!(EventHeader::SIZE == 121);
const _: () = assert!(size_of::<EventHeader>() == EventHeader::SIZE);

/// Refuses to compile an event whose bytes are not those of the tables.
macro_rules! assert_sizes {
    ($($event:ident: $size:literal),* $(,)?) => {
        $(const _: () = assert!(DISCRIMINATOR_LEN + size_of::<$event>() == $size);)*
    };
}

assert_sizes! {
    ConfigCreated: 231,
    ConfigSet: 231,
    RepoCreated: 234,
    PolicyCreated: 473,
    BranchCreated: 232,
    BranchPolicySet: 165,
    BranchAdvanced: 243,
    RoleGranted: 203,
    RoleRevoked: 193,
    RoundOpened: 221,
    RoundClosed: 175,
    RoundAborted: 170,
    UpdatePushed: 316,
    UpdateWithdrawn: 233,
    UpdateRejected: 234,
    UpdateExpired: 233,
    UpdateSettled: 242,
    MergeAccumulated: 209,
    MergeProposed: 233,
    MergeFinalized: 287,
    MergeExpired: 201,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chain(PodU64, [u8; 32]);

    impl Chained for Chain {
        fn chain(&self) -> (PodU64, [u8; 32]) {
            (self.0, self.1)
        }

        fn set_chain(&mut self, event_seq: PodU64, history_root: [u8; 32]) {
            *self = Self(event_seq, history_root);
        }
    }

    fn address(byte: u8) -> Address {
        Address::new_from_array([byte; 32])
    }

    #[test]
    fn the_root_matches_a_digest_computed_elsewhere() {
        let chain = Chain(6u64.into(), [2; 32]);
        let header = next_header(&chain, &address(1), &address(3), 1_700_000_000).unwrap();
        let event = RoundClosed {
            header,
            branch: address(4),
            round_index: 5u64.into(),
            n_accepted: 6u16.into(),
            weight_sum: 7u32.into(),
        };
        let root: String = event_root(&event)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();

        // hashlib over the bytes of the tables, packed with Python's struct
        assert_eq!(
            root,
            "205808de3c04741b8496c205ee73d2fbc17861395bf5504e7dccb3bc90226ecf"
        );
    }

    #[test]
    fn a_full_chain_takes_no_more_events() {
        let chain = Chain(u64::MAX.into(), [2; 32]);

        assert_eq!(
            next_header(&chain, &address(1), &address(3), 0).err(),
            Some(FlairError::Overflow.into())
        );
    }
}
