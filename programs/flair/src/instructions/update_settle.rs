//! Credits an update of a merged round and closes it; the last one closes the round too.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `repo` `[writable]`
//! 3. `round` `[writable]`
//! 4. `update` `[writable]`: closed
//! 5. `contribution` `[writable]`: the contributor's
//! 6. `rent_payer` `[writable]`: as recorded; gets rent and deposit
//! 7. `round_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The round is merged.
//! * An accumulated update earns a merge and the round's points; a rejected one nothing.
//!
//! Event: `UpdateSettled`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        incremented, Contribution, Repo, Round, Update, ROUND_MERGED, SEED_CONTRIB, SEED_REPO,
        SEED_ROUND, SEED_UPDATE, STATUS_ACCUMULATED,
    },
};

/// Accounts of `update_settle`.
#[event_cpi]
#[derive(Accounts)]
pub struct UpdateSettle {
    /// Anyone.
    pub actor: Signer,
    /// The repository.
    #[account(
        mut,
        seeds = [SEED_REPO, repo.creator.as_ref(), sha256(repo.name())],
        bump = repo.bump
    )]
    pub repo: Account<Repo>,
    /// The round.
    #[account(
        mut,
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.repo == *repo.address() @ FlairError::AccountMismatch
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
    /// The contributor's counts.
    #[account(
        mut,
        seeds = [SEED_CONTRIB, contribution.repo.as_ref(), contribution.contributor.as_ref()],
        bump = contribution.bump,
        constraint = contribution.repo == *repo.address() @ FlairError::AccountMismatch,
        constraint = contribution.contributor == update.contributor @ FlairError::AccountMismatch
    )]
    pub contribution: Account<Contribution>,
    /// CHECK: `address` compares it with what `update` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = update.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
    /// CHECK: `address` compares it with what `round` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = round.payer @ FlairError::RentPayerMismatch)]
    pub round_payer: UncheckedAccount,
}

impl UpdateSettle {
    fn validate(&self) -> Result<()> {
        // round
        require!(self.round.state == ROUND_MERGED, FlairError::RoundNotMerged);
        Ok(())
    }

    /// Gives the points of one accumulated update.
    fn credit(&mut self) -> Result<()> {
        let points = u128::from(self.round.points_each.get());
        let (repo, contribution) = (&mut self.repo, &mut self.contribution);
        contribution.merges = contribution
            .merges
            .checked_add(1u64)
            .ok_or(FlairError::Overflow)?;
        contribution.points = contribution
            .points
            .checked_add(points)
            .ok_or(FlairError::Overflow)?;
        repo.points_total = repo
            .points_total
            .checked_add(points)
            .ok_or(FlairError::Overflow)?;
        contribution.invariant()
    }
}

/// Credits an update of a merged round and closes it; the last one closes the round too.
///
/// # Errors
/// Those of the rules above.
pub fn update_settle(ctx: &mut Context<UpdateSettle>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    let is_merged = ctx.accounts.update.status == STATUS_ACCUMULATED;
    if is_merged {
        ctx.accounts.credit()?;
    }
    let round = &mut ctx.accounts.round;
    round.n_settled = incremented(round.n_settled)?;
    let is_last = round.close_update()?;
    round.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        UpdateSettled {
            branch: ctx.accounts.update.branch,
            round_index: ctx.accounts.round.round_index,
            contributor: ctx.accounts.update.contributor,
            commit_id: ctx.accounts.update.commit_id,
            merged: u8::from(is_merged),
            points: if is_merged {
                ctx.accounts.round.points_each
            } else {
                PodU64::ZERO
            },
        }
    );
    if is_last {
        let payer = *ctx.accounts.round_payer.account();
        ctx.accounts.round.close(payer)?;
    }
    Ok(())
}
