//! Closes an update of a round that ended without a merge; the last one closes the round too.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `repo` `[writable]`
//! 3. `branch`
//! 4. `round` `[writable]`
//! 5. `update` `[writable]`: closed
//! 6. `rent_payer` `[writable]`: as recorded; gets rent and deposit
//! 7. `round_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The round is aborted, or neither live nor merged.
//!
//! Event: `UpdateExpired`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Repo, Round, Update, ROUND_ABORTED, ROUND_MERGED, SEED_BRANCH, SEED_REPO,
        SEED_ROUND, SEED_UPDATE,
    },
};

/// Accounts of `update_expire`.
#[event_cpi]
#[derive(Accounts)]
pub struct UpdateExpire {
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
        close = rent_payer,
        seeds = [SEED_UPDATE, update.round.as_ref(), update.contributor.as_ref()],
        bump = update.bump,
        constraint = update.round == *round.address() @ FlairError::UpdateMismatch
    )]
    pub update: Account<Update>,
    /// CHECK: `address` compares it with what `update` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = update.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
    /// CHECK: `address` compares it with what `round` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = round.payer @ FlairError::RentPayerMismatch)]
    pub round_payer: UncheckedAccount,
}

impl UpdateExpire {
    fn validate(&self) -> Result<()> {
        // round
        require!(self.round.state != ROUND_MERGED, FlairError::RoundMerged);
        require!(
            self.round.state == ROUND_ABORTED || !self.branch.is_live(&self.round),
            FlairError::RoundInProgress
        );
        Ok(())
    }
}

/// Closes an update of a round that ended without a merge; the last one closes the round too.
///
/// # Errors
/// Those of the rules above.
pub fn update_expire(ctx: &mut Context<UpdateExpire>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    let is_last = ctx.accounts.round.close_update()?;
    ctx.accounts.round.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        UpdateExpired {
            branch: ctx.accounts.update.branch,
            round_index: ctx.accounts.round.round_index,
            contributor: ctx.accounts.update.contributor,
            commit_id: ctx.accounts.update.commit_id,
        }
    );
    if is_last {
        let payer = *ctx.accounts.round_payer.account();
        ctx.accounts.round.close(payer)?;
    }
    Ok(())
}
