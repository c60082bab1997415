//! A commit proposed as the merge of a round.

use anchor_lang::prelude::*;

use crate::{constants::ACCOUNT_VERSION, errors::FlairError, state::DISCRIMINATOR_LEN};

/// A proposal; there may be several for one round, one per commit id, so that a bad first one blocks nobody.
#[account]
pub struct MergeCandidate {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Room; zero.
    pub approvals: u8,
    /// Room; zero.
    pub attestations: u8,
    /// The repository.
    pub repo: Address,
    /// The branch.
    pub branch: Address,
    /// The round.
    pub round: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// Who proposed it.
    pub proposer: Address,
    /// Gets the rent back.
    pub payer: Address,
    /// Unix time, seconds: the challenge time runs from here.
    pub proposed_at: PodI64,
    /// `Repo.authority_epoch` at the proposal.
    pub authority_epoch: PodU32,
    /// Room; zero.
    pub reserved: [u8; 32],
}

impl MergeCandidate {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 1 // approvals
        + 1 // attestations
        + 32 // repo
        + 32 // branch
        + 32 // round
        + 8 // round_index
        + 32 // commit_id
        + 32 // proposer
        + 32 // payer
        + 8 // proposed_at
        + 4 // authority_epoch
        + 32; // reserved

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.version == ACCOUNT_VERSION && self.commit_id != [0; 32],
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

const _: () = assert!(MergeCandidate::SIZE == 256);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<MergeCandidate>() == MergeCandidate::SIZE);
