//! Opens the next round of a branch; it pins the branch's policy and head.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`: anyone
//! 2. `config`
//! 3. `repo` `[writable]`
//! 4. `branch` `[writable]`
//! 5. `policy`: the branch's
//! 6. `round` `[writable]`: made
//! 7. `system_program`
//!
//! Data expected: none.
//!
//! What MUST hold
//! * Rounds are not paused.
//! * The branch has a head and no live round.
//! * The policy is the one that the branch names.
//!
//! Event: `RoundOpened`.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_ROUND},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Config, Policy, Repo, Round, ROUND_OPEN, SEED_BRANCH, SEED_POLICY, SEED_REPO,
        SEED_ROUND,
    },
};

/// Accounts of `round_open`.
#[event_cpi]
#[derive(Accounts)]
pub struct RoundOpen {
    /// Anyone; pays the rent.
    #[account(mut)]
    pub payer: Signer,
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
        mut,
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Account<Branch>,
    /// The policy that the branch names.
    #[account(
        seeds = [SEED_POLICY, policy.repo.as_ref(), policy.index.get().to_le_bytes()],
        bump = policy.bump,
        constraint = policy.repo == *repo.address() @ FlairError::AccountMismatch,
        constraint = policy.index == branch.policy_index @ FlairError::PolicyMismatch
    )]
    pub policy: Account<Policy>,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_ROUND, branch.address(), branch.next_round_seed()?],
        bump
    )]
    pub round: Account<Round>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl RoundOpen {
    fn validate(&self) -> Result<()> {
        // config
        self.config.require_running(PAUSE_ROUND)?;
        // branch: that no round is live was asked for the seeds already
        require!(self.branch.has_head(), FlairError::HeadUnset);
        Ok(())
    }

    fn open(&mut self, bump: u8, now: i64) -> Result<()> {
        let (branch, policy, round) = (&mut self.branch, &self.policy, &mut self.round);
        let deadline = now
            .checked_add(i64::from(policy.params.round_length_s.get()))
            .ok_or(FlairError::Overflow)?;
        branch.round_live = 1;
        round.version = ACCOUNT_VERSION;
        round.bump = bump;
        round.state = ROUND_OPEN;
        round.repo = branch.repo;
        round.branch = *branch.address();
        round.policy = *policy.address();
        round.policy_index = policy.index;
        round.round_index = branch.round_index;
        round.base_commit = branch.head_commit;
        round.base_seq = branch.head_seq;
        round.opened_at = now.into();
        round.deadline = deadline.into();
        round.payer = *self.payer.address();
        branch.invariant()?;
        round.invariant()
    }
}

/// Opens the next round of a branch; it pins the branch's policy and head.
///
/// # Errors
/// Those of the rules above.
pub fn round_open(ctx: &mut Context<RoundOpen>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    ctx.accounts.open(ctx.bumps.round, now)?;
    record!(
        ctx.repo,
        ctx.accounts.payer.address(),
        now,
        RoundOpened {
            branch: ctx.accounts.round.branch,
            round_index: ctx.accounts.round.round_index,
            policy_index: ctx.accounts.round.policy_index,
            base_commit: ctx.accounts.round.base_commit,
            base_seq: ctx.accounts.round.base_seq,
            deadline: ctx.accounts.round.deadline,
        }
    );
    Ok(())
}
