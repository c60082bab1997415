//! Closes the candidate of a round that is over.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `repo` `[writable]`
//! 3. `branch`
//! 4. `candidate` `[writable]`: closed
//! 5. `candidate_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The candidate's round is not the live one of the branch any more.
//!
//! Event: `MergeExpired`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{Branch, MergeCandidate, Repo, SEED_BRANCH, SEED_MERGE, SEED_REPO},
};

/// Accounts of `merge_expire`.
#[event_cpi]
#[derive(Accounts)]
pub struct MergeExpire {
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
    /// The candidate.
    #[account(
        mut,
        close = candidate_payer,
        seeds = [SEED_MERGE, candidate.round.as_ref(), candidate.commit_id],
        bump = candidate.bump,
        constraint = candidate.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub candidate: Account<MergeCandidate>,
    /// CHECK: `address` compares it with what `candidate` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = candidate.payer @ FlairError::RentPayerMismatch)]
    pub candidate_payer: UncheckedAccount,
}

impl MergeExpire {
    fn validate(&self) -> Result<()> {
        // candidate
        require!(
            !self.branch.is_live_index(self.candidate.round_index),
            FlairError::CandidateLive
        );
        Ok(())
    }
}

/// Closes the candidate of a round that is over.
///
/// # Errors
/// Those of the rules above.
pub fn merge_expire(ctx: &mut Context<MergeExpire>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        MergeExpired {
            branch: ctx.accounts.candidate.branch,
            round_index: ctx.accounts.candidate.round_index,
            commit_id: ctx.accounts.candidate.commit_id,
        }
    );
    Ok(())
}
