//! What a wallet has done for a repository.

use anchor_lang::prelude::*;

use crate::{constants::ACCOUNT_VERSION, errors::FlairError, state::DISCRIMINATOR_LEN};

/// Counts and points of one contributor in one repository; made at its first push.
#[account]
pub struct Contribution {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// The repository.
    pub repo: Address,
    /// The contributor.
    pub contributor: Address,
    /// Updates pushed.
    pub updates: PodU64,
    /// Updates that were merged.
    pub merges: PodU64,
    /// Points earned.
    pub points: PodU128,
    /// Room for shares of income; zero.
    pub reward_debt: PodU128,
    /// Room for shares of income; zero.
    pub claimed: PodU64,
    /// Room; zero.
    pub reserved: [u8; 48],
}

impl Contribution {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 32 // repo
        + 32 // contributor
        + 8 // updates
        + 8 // merges
        + 16 // points
        + 16 // reward_debt
        + 8 // claimed
        + 48; // reserved

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.version == ACCOUNT_VERSION && self.merges <= self.updates,
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

const _: () = assert!(Contribution::SIZE == 178);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Contribution>() == Contribution::SIZE);
