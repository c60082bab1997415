//! Closes an attestation whose round is over.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `repo` `[writable]`
//! 3. `branch`
//! 4. `attestation` `[writable]`: closed
//! 5. `rent_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The attestation's round is not the live one of the branch any more.
//!
//! Event: `AttestationExpired`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{Attestation, Branch, Repo, SEED_ATTEST, SEED_BRANCH, SEED_REPO},
};

/// Accounts of `attestation_expire`.
#[event_cpi]
#[derive(Accounts)]
pub struct AttestationExpire {
    /// Anyone.
    pub actor: Signer,
    /// The repository.
    #[account(
        mut,
        seeds = [SEED_REPO, repo.creator.as_ref(), sha256(repo.name())],
        bump = repo.bump
    )]
    pub repo: Account<Repo>,
    /// The branch.
    #[account(
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Account<Branch>,
    /// The attestation.
    #[account(
        mut,
        close = rent_payer,
        seeds = [
            SEED_ATTEST,
            attestation.candidate.as_ref(),
            attestation.authority_epoch.get().to_le_bytes(),
            attestation.attester.as_ref()
        ],
        bump = attestation.bump,
        constraint = attestation.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub attestation: Account<Attestation>,
    /// CHECK: `address` compares it with what `attestation` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = attestation.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
}

impl AttestationExpire {
    fn validate(&self) -> Result<()> {
        // attestation
        require!(
            !self.branch.is_live_index(self.attestation.round_index),
            FlairError::CandidateLive
        );
        Ok(())
    }
}

/// Closes an attestation whose round is over.
///
/// # Errors
/// Those of the rules above.
pub fn attestation_expire(ctx: &mut Context<AttestationExpire>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        AttestationExpired {
            branch: ctx.accounts.attestation.branch,
            round_index: ctx.accounts.attestation.round_index,
            commit_id: ctx.accounts.attestation.commit_id,
            attester: ctx.accounts.attestation.attester,
        }
    );
    Ok(())
}
