//! A recomputed merge that came out the same.

use anchor_lang::prelude::*;

use crate::{constants::ACCOUNT_VERSION, errors::FlairError, state::DISCRIMINATOR_LEN};

/// Says that somebody made a proposed merge again: one per candidate, authority and attester, so that nobody counts twice.
#[account]
pub struct Attestation {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// The repository.
    pub repo: Address,
    /// The branch.
    pub branch: Address,
    /// The candidate.
    pub candidate: Address,
    /// Who attests.
    pub attester: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// `Repo.authority_epoch` when it was made.
    pub authority_epoch: PodU32,
    /// Unix time, seconds.
    pub attested_at: PodI64,
    /// Room; zero.
    pub reserved: [u8; 40],
}

impl Attestation {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 32 // repo
        + 32 // branch
        + 32 // candidate
        + 32 // attester
        + 32 // rent_payer
        + 8 // round_index
        + 32 // commit_id
        + 4 // authority_epoch
        + 8 // attested_at
        + 40; // reserved

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(self.version == ACCOUNT_VERSION, FlairError::InvariantBroken);
        Ok(())
    }
}

const _: () = assert!(Attestation::SIZE == 262);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Attestation>() == Attestation::SIZE);
