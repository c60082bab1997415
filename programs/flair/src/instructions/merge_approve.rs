//! The authority approves a candidate.
//!
//! Accounts expected
//! 1. `authority` `[signer]`
//! 2. `config`
//! 3. `repo` `[writable]`
//! 4. `branch`
//! 5. `round`
//! 6. `candidate` `[writable]`
//!
//! Data expected: update_root 32 bytes: the round's, as the caller saw it.
//!
//! What MUST hold
//! * Merging is not paused.
//! * The signer is the authority.
//! * The round is live and closed, and every accepted update was accumulated: what is approved cannot change any more.
//! * The updates are those that the caller saw.
//! * This authority has not approved the candidate yet.
//!
//! Event: `MergeApproved`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::PAUSE_MERGE,
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Config, MergeCandidate, Repo, Round, SEED_BRANCH, SEED_MERGE, SEED_REPO, SEED_ROUND,
    },
};

/// Arguments of `merge_approve`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MergeApproveArgs {
    /// Chained digest over the updates that the caller saw.
    pub update_root: [u8; 32],
}

/// Accounts of `merge_approve`.
#[event_cpi]
#[derive(Accounts)]
pub struct MergeApprove {
    /// The authority of the repository.
    #[account(address = repo.authority @ FlairError::NotAuthority)]
    pub authority: Signer,
    /// Settings of the program.
    #[account(seeds = [b"config"], bump)]
    pub config: Account<Config>,
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
    /// The round.
    #[account(
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
    /// The candidate.
    #[account(
        mut,
        seeds = [SEED_MERGE, candidate.round.as_ref(), candidate.commit_id],
        bump = candidate.bump,
        constraint = candidate.round == *round.address() @ FlairError::AccountMismatch
    )]
    pub candidate: Account<MergeCandidate>,
}

impl MergeApprove {
    fn validate(&self, args: &MergeApproveArgs) -> Result<()> {
        // config
        self.config.require_running(PAUSE_MERGE)?;
        // round
        self.branch.require_live(&self.round)?;
        self.round.require_final_updates(&args.update_root)
    }
}

/// The authority approves a candidate.
///
/// # Errors
/// Those of the rules above.
pub fn merge_approve(ctx: &mut Context<MergeApprove>, args: MergeApproveArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args)?;
    let epoch = ctx.accounts.repo.authority_epoch;
    ctx.accounts.candidate.approve(epoch)?;
    ctx.accounts.candidate.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.authority.address(),
        now,
        MergeApproved {
            branch: ctx.accounts.candidate.branch,
            round_index: ctx.accounts.candidate.round_index,
            commit_id: ctx.accounts.candidate.commit_id,
            update_root: args.update_root,
        }
    );
    Ok(())
}
