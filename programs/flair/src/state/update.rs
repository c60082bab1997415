//! A commit waiting to be merged.

use anchor_lang::prelude::*;

use crate::{constants::ACCOUNT_VERSION, errors::FlairError, state::DISCRIMINATOR_LEN};

/// Waits for its proof.
pub const STATUS_PENDING: u8 = 1;
/// The merge must take it.
pub const STATUS_ACCEPTED: u8 = 2;
/// The authority left it out, with a reason.
pub const STATUS_REJECTED: u8 = 3;
/// `merge_accumulate` took it.
pub const STATUS_ACCUMULATED: u8 = 4;

/// What a contributor pushed in a round: one per contributor and round.
#[account]
pub struct Update {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// 1 pending, 2 accepted, 3 rejected, 4 accumulated.
    pub status: u8,
    /// Why it was rejected; zero otherwise.
    pub reject_reason: u8,
    /// Room; zero.
    pub proof_verdict: u8,
    /// Room; zero.
    pub n_columns: u8,
    /// A power of two.
    pub weight: PodU16,
    /// The repository.
    pub repo: Address,
    /// The branch.
    pub branch: Address,
    /// The round.
    pub round: Address,
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
    /// Unix time, seconds.
    pub pushed_at: PodI64,
    /// Of the account's lamports, what the policy asked for.
    pub deposit_lamports: PodU64,
    /// Gets rent and deposit back.
    pub rent_payer: Address,
    /// Who signed the push: the contributor, or a key that it delegated to.
    pub signer: Address,
    /// Room; zero.
    pub reserved: [u8; 16],
}

impl Update {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 1 // status
        + 1 // reject_reason
        + 1 // proof_verdict
        + 1 // n_columns
        + 2 // weight
        + 32 // repo
        + 32 // branch
        + 32 // round
        + 32 // contributor
        + 32 // commit_id
        + 32 // payload_digest
        + 32 // statement_digest
        + 16 // nonce
        + 8 // pushed_at
        + 8 // deposit_lamports
        + 32 // rent_payer
        + 32 // signer
        + 16; // reserved

    /// Whether it can still be withdrawn or rejected.
    ///
    /// # Errors
    /// `UpdateStatus`.
    pub fn require_undecided(&self) -> Result<()> {
        require!(
            matches!(self.status, STATUS_PENDING | STATUS_ACCEPTED),
            FlairError::UpdateStatus
        );
        Ok(())
    }

    /// Refuses whoever neither trained it nor signed its push.
    ///
    /// # Errors
    /// `NotContributor`.
    pub fn require_own(&self, actor: &Address) -> Result<()> {
        require!(
            *actor == self.contributor || *actor == self.signer,
            FlairError::NotContributor
        );
        Ok(())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.version == ACCOUNT_VERSION
                && (STATUS_PENDING..=STATUS_ACCUMULATED).contains(&self.status)
                && self.weight.get().is_power_of_two()
                && (self.status == STATUS_REJECTED) == (self.reject_reason != 0),
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

const _: () = assert!(Update::SIZE == 352);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Update>() == Update::SIZE);
