//! Takes an update back while the round is open.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: the contributor, or whoever signed the push for it
//! 2. `repo` `[writable]`
//! 3. `branch`
//! 4. `round` `[writable]`
//! 5. `update` `[writable]`: closed
//! 6. `rent_payer` `[writable]`: as recorded; gets rent and deposit
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The actor is the update's contributor or its signer.
//! * The round is live and open; the update is pending or accepted.
//!
//! Event: `UpdateWithdrawn`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Repo, Round, Update, ROUND_OPEN, SEED_BRANCH, SEED_REPO, SEED_ROUND, SEED_UPDATE,
    },
};

/// Accounts of `update_withdraw`.
#[event_cpi]
#[derive(Accounts)]
pub struct UpdateWithdraw {
    /// The contributor, or whoever signed the push for it.
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
}

impl UpdateWithdraw {
    fn validate(&self) -> Result<()> {
        // actor
        self.update.require_own(self.actor.address())?;
        // round
        self.branch.require_live(&self.round)?;
        require!(self.round.state == ROUND_OPEN, FlairError::RoundClosed);
        // update
        self.update.require_undecided()
    }
}

/// Takes an update back while the round is open.
///
/// # Errors
/// Those of the rules above.
pub fn update_withdraw(ctx: &mut Context<UpdateWithdraw>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    let round = &mut ctx.accounts.round;
    round.drop_accepted(&ctx.accounts.update)?;
    // The round stays where this was its last update: it is open and may get others.
    round.close_update()?;
    round.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        UpdateWithdrawn {
            branch: ctx.accounts.update.branch,
            round_index: ctx.accounts.round.round_index,
            contributor: ctx.accounts.update.contributor,
            commit_id: ctx.accounts.update.commit_id,
        }
    );
    Ok(())
}
