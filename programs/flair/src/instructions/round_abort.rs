//! Ends a round that cannot be merged any more.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `repo` `[writable]`
//! 3. `branch` `[writable]`
//! 4. `policy`: that the round pins
//! 5. `round` `[writable]`: closed where no update is left
//! 6. `round_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * 1: live, open, past the deadline, with too few updates; or
//! * 2: live, closed, past closing, challenge time and merge grace; or
//! * 3: not live, open or closed: the head moved otherwise.
//!
//! Event: `RoundAborted`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Policy, Repo, Round, ROUND_ABORTED, ROUND_MERGED, ROUND_OPEN, SEED_BRANCH,
        SEED_POLICY, SEED_REPO, SEED_ROUND,
    },
};

/// The deadline passed without enough updates.
const TOO_FEW_UPDATES: u8 = 1;
/// The merge did not come in time.
const NO_MERGE: u8 = 2;
/// The head was moved by something else.
const HEAD_MOVED: u8 = 3;

/// Accounts of `round_abort`.
#[event_cpi]
#[derive(Accounts)]
pub struct RoundAbort {
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
        mut,
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
    /// CHECK: `address` compares it with what `round` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = round.payer @ FlairError::RentPayerMismatch)]
    pub round_payer: UncheckedAccount,
}

impl RoundAbort {
    /// Why the round may be aborted now.
    fn reason(&self, now: i64) -> Result<u8> {
        let (round, policy) = (&self.round, &self.policy);
        require!(round.state != ROUND_MERGED, FlairError::RoundMerged);
        require!(round.is_unfinished(), FlairError::RoundNotLive);
        if !self.branch.is_live(round) {
            return Ok(HEAD_MOVED);
        }
        if round.state == ROUND_OPEN {
            let is_failed =
                now >= round.deadline.get() && round.n_accepted < policy.params.min_updates;
            require!(is_failed, FlairError::RoundNotAbortable);
            return Ok(TOO_FEW_UPDATES);
        }
        require!(
            now >= round.merge_deadline(policy)?,
            FlairError::RoundNotAbortable
        );
        Ok(NO_MERGE)
    }
}

/// Ends a round that cannot be merged any more.
///
/// # Errors
/// Those of the rules above.
pub fn round_abort(ctx: &mut Context<RoundAbort>) -> Result<()> {
    let now = unix_now()?;
    let reason = ctx.accounts.reason(now)?;
    let (branch, round) = (&mut ctx.accounts.branch, &mut ctx.accounts.round);
    if reason != HEAD_MOVED {
        branch.end_round()?;
    }
    round.state = ROUND_ABORTED;
    branch.invariant()?;
    round.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        RoundAborted {
            branch: ctx.accounts.round.branch,
            round_index: ctx.accounts.round.round_index,
            reason: reason,
        }
    );
    if ctx.accounts.round.n_live.is_zero() {
        let payer = *ctx.accounts.round_payer.account();
        ctx.accounts.round.close(payer)?;
    }
    Ok(())
}
