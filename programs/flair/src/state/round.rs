//! One cycle of aggregation on a branch.

use anchor_lang::prelude::*;
use solana_sha256_hasher::hashv;

use crate::{
    constants::{ACCOUNT_VERSION, ACCUMULATE_PREFIX},
    errors::FlairError,
    state::{Policy, Update, DISCRIMINATOR_LEN, STATUS_ACCEPTED},
};

/// Takes updates.
pub const ROUND_OPEN: u8 = 1;
/// Takes no more updates and waits for its merge.
pub const ROUND_CLOSED: u8 = 2;
/// Its merge moved the head.
pub const ROUND_MERGED: u8 = 3;
/// Over without a merge.
pub const ROUND_ABORTED: u8 = 4;

/// A round: pins policy and base, counts updates and sums their weights.
#[account]
pub struct Round {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// 1 open, 2 closed, 3 merged, 4 aborted.
    pub state: u8,
    /// The repository.
    pub repo: Address,
    /// The branch.
    pub branch: Address,
    /// The policy that holds for this round, whatever the branch's becomes.
    pub policy: Address,
    /// Its index.
    pub policy_index: PodU32,
    /// Position on the branch.
    pub round_index: PodU64,
    /// The head when it was opened.
    pub base_commit: [u8; 32],
    /// The head's sequence when it was opened.
    pub base_seq: PodU64,
    /// Unix time, seconds.
    pub opened_at: PodI64,
    /// Unix time, seconds: pushes must come before it.
    pub deadline: PodI64,
    /// Unix time, seconds; zero while open.
    pub closed_at: PodI64,
    /// `Update` accounts that exist.
    pub n_live: PodU16,
    /// Updates that the merge must take.
    pub n_accepted: PodU16,
    /// Of these, how many `merge_accumulate` has taken.
    pub n_accumulated: PodU16,
    /// Updates settled after the merge.
    pub n_settled: PodU16,
    /// Of accepted updates.
    pub weight_sum: PodU32,
    /// Of accumulated updates.
    pub weight_accumulated: PodU32,
    /// Weight of the update accumulated last.
    pub last_weight: PodU16,
    /// Contributor of the update accumulated last.
    pub last_contributor: Address,
    /// Chained digest over the accumulated updates.
    pub update_root: [u8; 32],
    /// What the round was merged into; zero before.
    pub merge_commit: [u8; 32],
    /// Points of each accumulated update; zero before the merge.
    pub points_each: PodU64,
    /// Gets the rent back.
    pub payer: Address,
    /// Room; zero.
    pub reserved: [u8; 56],
}

impl Round {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 1 // state
        + 32 // repo
        + 32 // branch
        + 32 // policy
        + 4 // policy_index
        + 8 // round_index
        + 32 // base_commit
        + 8 // base_seq
        + 8 // opened_at
        + 8 // deadline
        + 8 // closed_at
        + 2 // n_live
        + 2 // n_accepted
        + 2 // n_accumulated
        + 2 // n_settled
        + 4 // weight_sum
        + 4 // weight_accumulated
        + 2 // last_weight
        + 32 // last_contributor
        + 32 // update_root
        + 32 // merge_commit
        + 8 // points_each
        + 32 // payer
        + 56; // reserved

    /// Whether updates of it can still be pushed, withdrawn or rejected.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, ROUND_OPEN | ROUND_CLOSED)
    }

    /// Whether `round_close` may close it: full, or past the deadline with enough updates.
    pub fn is_ready(&self, policy: &Policy, now: i64) -> bool {
        self.n_accepted >= policy.params.max_updates
            || (now >= self.deadline.get() && self.n_accepted >= policy.params.min_updates)
    }

    /// Unix time after which a closed round may be aborted.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn merge_deadline(&self, policy: &Policy) -> Result<i64> {
        let end = self
            .closed_at
            .get()
            .checked_add(i64::from(policy.params.challenge_s.get()))
            .and_then(|time| time.checked_add(i64::from(policy.params.merge_grace_s.get())));
        Ok(end.ok_or(FlairError::Overflow)?)
    }

    /// Counts a new accepted update.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn add_update(&mut self, weight: u16) -> Result<()> {
        self.n_live = incremented(self.n_live)?;
        self.n_accepted = incremented(self.n_accepted)?;
        self.weight_sum = self
            .weight_sum
            .checked_add(u32::from(weight))
            .ok_or(FlairError::Overflow)?;
        Ok(())
    }

    /// Takes an accepted update out of the sums: it was withdrawn or rejected.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn drop_accepted(&mut self, update: &Update) -> Result<()> {
        if update.status != STATUS_ACCEPTED {
            return Ok(());
        }
        self.n_accepted = decremented(self.n_accepted)?;
        self.weight_sum = self
            .weight_sum
            .checked_sub(u32::from(update.weight.get()))
            .ok_or(FlairError::Overflow)?;
        Ok(())
    }

    /// Counts an `Update` account that is being closed; true for the last one.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn close_update(&mut self) -> Result<bool> {
        self.n_live = decremented(self.n_live)?;
        Ok(self.n_live.is_zero())
    }

    /// Adds an update to the accumulation. The order makes every update come once: what follows is smaller in weight,
    /// or equal in weight and greater in address.
    ///
    /// # Errors
    /// `AccumulateOrder`, `Overflow`.
    pub fn accumulate(
        &mut self,
        contributor: Address,
        commit_id: &[u8; 32],
        weight: PodU16,
    ) -> Result<()> {
        let is_behind = weight < self.last_weight
            || (weight == self.last_weight
                && contributor.as_array() > self.last_contributor.as_array());
        require!(
            self.n_accumulated.is_zero() || is_behind,
            FlairError::AccumulateOrder
        );
        self.update_root =
            accumulated_root(&self.update_root, &contributor, commit_id, weight.get());
        self.n_accumulated = incremented(self.n_accumulated)?;
        self.weight_accumulated = self
            .weight_accumulated
            .checked_add(u32::from(weight.get()))
            .ok_or(FlairError::Overflow)?;
        self.last_weight = weight;
        self.last_contributor = contributor;
        Ok(())
    }

    /// Refuses a round whose updates can still change, or are not those that the caller saw.
    ///
    /// # Errors
    /// `RoundNotClosed`, `NotAllAccumulated`, `UpdatesChanged`.
    pub fn require_final_updates(&self, update_root: &[u8; 32]) -> Result<()> {
        require!(self.state == ROUND_CLOSED, FlairError::RoundNotClosed);
        require!(
            self.n_accumulated == self.n_accepted,
            FlairError::NotAllAccumulated
        );
        require!(self.update_root == *update_root, FlairError::UpdatesChanged);
        Ok(())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.version == ACCOUNT_VERSION
                && (ROUND_OPEN..=ROUND_ABORTED).contains(&self.state)
                && self.deadline > self.opened_at,
            FlairError::InvariantBroken
        );
        // Weights are at least 1, and only accepted updates are accumulated.
        require!(
            self.n_accumulated <= self.n_accepted
                && self.weight_accumulated <= self.weight_sum
                && u32::from(self.n_accepted.get()) <= self.weight_sum.get(),
            FlairError::InvariantBroken
        );
        // A merge takes every accepted update.
        require!(
            self.state != ROUND_MERGED
                || (self.n_accumulated == self.n_accepted
                    && self.weight_accumulated == self.weight_sum),
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

/// `update_root` after one more update.
pub fn accumulated_root(
    previous: &[u8; 32],
    contributor: &Address,
    commit_id: &[u8; 32],
    weight: u16,
) -> [u8; 32] {
    hashv(&[
        ACCUMULATE_PREFIX,
        previous,
        contributor.as_array(),
        commit_id,
        &weight.to_le_bytes(),
    ])
    .to_bytes()
}

/// One more.
///
/// # Errors
/// `Overflow`.
pub fn incremented(count: PodU16) -> Result<PodU16> {
    Ok(count.checked_add(1u16).ok_or(FlairError::Overflow)?)
}

/// One less.
///
/// # Errors
/// `Overflow`.
pub fn decremented(count: PodU16) -> Result<PodU16> {
    Ok(count.checked_sub(1u16).ok_or(FlairError::Overflow)?)
}

const _: () = assert!(Round::SIZE == 393);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Round>() == Round::SIZE);

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    fn address(byte: u8) -> Address {
        Address::new_from_array([byte; 32])
    }

    fn accumulate(round: &mut Round, weight: u16, contributor: u8) -> Result<()> {
        round.accumulate(address(contributor), &[7; 32], weight.into())
    }

    #[test]
    fn updates_come_by_weight_descending_then_contributor_ascending() {
        let mut round = Round::zeroed();

        for (weight, contributor) in [(8, 5), (8, 6), (4, 1), (1, 0)] {
            assert!(accumulate(&mut round, weight, contributor).is_ok());
        }
        assert_eq!(round.n_accumulated, 4);
        assert_eq!(round.weight_accumulated, 21);
    }

    #[test]
    fn any_other_order_is_refused() {
        for (weight, contributor) in [(8, 5), (8, 4), (16, 9), (16, 0)] {
            let mut round = Round::zeroed();
            accumulate(&mut round, 8, 5).unwrap();

            assert_eq!(
                accumulate(&mut round, weight, contributor).unwrap_err(),
                FlairError::AccumulateOrder.into()
            );
        }
    }

    #[test]
    fn the_root_matches_a_digest_computed_elsewhere() {
        // python: sha256(b"flair-accumulate-v1\n" + bytes(32) + b"\1"*32 + b"\2"*32 + (3).to_bytes(2, "little"))
        let root = accumulated_root(&[0; 32], &address(1), &[2; 32], 3);

        assert_eq!(
            hex(&root),
            "c16080c02d84329493bd2b32fb08764cfd6fc43426270236f5ebf14a2d2e49e4"
        );
    }

    #[test]
    fn counts_do_not_wrap() {
        assert_eq!(
            incremented(u16::MAX.into()).unwrap_err(),
            FlairError::Overflow.into()
        );
        assert_eq!(
            decremented(0u16.into()).unwrap_err(),
            FlairError::Overflow.into()
        );
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
