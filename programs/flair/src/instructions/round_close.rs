//! Closes a round: it takes no more updates and waits for its merge.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `repo` `[writable]`
//! 3. `branch`
//! 4. `policy`: that the round pins
//! 5. `round` `[writable]`
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The round is live and open.
//! * It has its maximum of updates, or the deadline has passed and it has the minimum.
//!
//! Event: `RoundClosed`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Policy, Repo, Round, ROUND_CLOSED, ROUND_OPEN, SEED_BRANCH, SEED_POLICY, SEED_REPO,
        SEED_ROUND,
    },
};

/// Accounts of `round_close`.
#[event_cpi]
#[derive(Accounts)]
pub struct RoundClose {
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
    /// The policy that the round pins.
    #[account(
        seeds = [SEED_POLICY, policy.repo.as_ref(), policy.index.get().to_le_bytes()],
        bump = policy.bump,
        address = round.policy @ FlairError::PolicyMismatch
    )]
    pub policy: Account<Policy>,
    /// The round.
    #[account(
        mut,
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
}

impl RoundClose {
    fn validate(&self, now: i64) -> Result<()> {
        // round
        self.branch.require_live(&self.round)?;
        require!(self.round.state == ROUND_OPEN, FlairError::RoundClosed);
        // It does not close at the minimum: slow hospitals count.
        require!(
            self.round.is_ready(&self.policy, now),
            FlairError::RoundNotReady
        );
        Ok(())
    }
}

/// Closes a round: it takes no more updates and waits for its merge.
///
/// # Errors
/// Those of the rules above.
pub fn round_close(ctx: &mut Context<RoundClose>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(now)?;
    let round = &mut ctx.accounts.round;
    round.state = ROUND_CLOSED;
    round.closed_at = now.into();
    round.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        RoundClosed {
            branch: ctx.accounts.round.branch,
            round_index: ctx.accounts.round.round_index,
            n_accepted: ctx.accounts.round.n_accepted,
            weight_sum: ctx.accounts.round.weight_sum,
        }
    );
    Ok(())
}
