//! Leaves an update out of the merge, in public and with a reason.
//!
//! Accounts expected
//! 1. `authority` `[signer]`
//! 2. `repo` `[writable]`
//! 3. `branch`
//! 4. `round` `[writable]`
//! 5. `update` `[writable]`
//!
//! Data expected: reason u8.
//!
//! What MUST hold
//! * The signer is the authority of the repository.
//! * The round is live, open or closed; the update is pending or accepted.
//! * The reason is not zero.
//!
//! Event: `UpdateRejected`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Repo, Round, Update, SEED_BRANCH, SEED_REPO, SEED_ROUND, SEED_UPDATE,
        STATUS_REJECTED,
    },
};

/// Arguments of `update_reject`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct UpdateRejectArgs {
    /// The authority's reason code; not zero.
    pub reason: u8,
}

/// Accounts of `update_reject`.
#[event_cpi]
#[derive(Accounts)]
pub struct UpdateReject {
    /// The authority of the repository.
    #[account(address = repo.authority @ FlairError::NotAuthority)]
    pub authority: Signer,
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
        mut,
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
    /// The update.
    #[account(
        mut,
        seeds = [SEED_UPDATE, update.round.as_ref(), update.contributor.as_ref()],
        bump = update.bump,
        constraint = update.round == *round.address() @ FlairError::UpdateMismatch
    )]
    pub update: Account<Update>,
}

impl UpdateReject {
    fn validate(&self, args: &UpdateRejectArgs) -> Result<()> {
        // round
        self.branch.require_live(&self.round)?;
        require!(self.round.is_unfinished(), FlairError::RoundNotLive);
        // update
        self.update.require_undecided()?;
        require!(args.reason != 0, FlairError::ReasonMissing);
        Ok(())
    }
}

/// Leaves an update out of the merge, in public and with a reason.
///
/// # Errors
/// Those of the rules above.
pub fn update_reject(ctx: &mut Context<UpdateReject>, args: UpdateRejectArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args)?;
    let (round, update) = (&mut ctx.accounts.round, &mut ctx.accounts.update);
    round.drop_accepted(update)?;
    update.status = STATUS_REJECTED;
    update.reject_reason = args.reason;
    round.invariant()?;
    update.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.authority.address(),
        now,
        UpdateRejected {
            branch: ctx.accounts.update.branch,
            round_index: ctx.accounts.round.round_index,
            contributor: ctx.accounts.update.contributor,
            commit_id: ctx.accounts.update.commit_id,
            reason: args.reason,
        }
    );
    Ok(())
}
