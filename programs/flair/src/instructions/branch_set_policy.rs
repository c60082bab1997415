//! Sets the policy of a branch from the next round on; a live round keeps the one that it pins.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `role` `[optional]`
//! 3. `config`
//! 4. `repo` `[writable]`
//! 5. `branch` `[writable]`
//! 6. `policy`
//!
//! Data expected: policy_index u32.
//!
//! What MUST hold
//! * Branches are not paused.
//! * The actor is the authority or, on an unprotected branch, holds `administer` for the repository or the branch.
//! * The policy is the repository's, at `policy_index`.
//!
//! Event: `BranchPolicySet`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::PAUSE_BRANCH,
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise_move, Branch, Config, Policy, Repo, Role, SCOPE_ADMINISTER, SEED_BRANCH,
        SEED_POLICY, SEED_REPO, SEED_ROLE,
    },
};

/// Arguments of `branch_set_policy`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct BranchSetPolicyArgs {
    /// The new policy.
    pub policy_index: u32,
}

/// Accounts of `branch_set_policy`.
#[event_cpi]
#[derive(Accounts)]
pub struct BranchSetPolicy {
    /// Whoever acts.
    pub actor: Signer,
    /// The actor's role; none for the authority.
    #[account(
        seeds = [SEED_ROLE, role.repo.as_ref(), role.branch.as_ref(), role.grantee.as_ref()],
        bump = role.bump
    )]
    pub role: Option<Account<Role>>,
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
    /// The new policy.
    #[account(
        seeds = [SEED_POLICY, policy.repo.as_ref(), policy.index.get().to_le_bytes()],
        bump = policy.bump,
        constraint = policy.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub policy: Account<Policy>,
}

impl BranchSetPolicy {
    fn validate(&self, args: &BranchSetPolicyArgs, now: i64) -> Result<()> {
        // actor, role
        authorise_move(
            &self.repo,
            &self.branch,
            self.actor.address(),
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // config
        self.config.require_running(PAUSE_BRANCH)?;
        // policy
        require!(
            self.policy.index == args.policy_index,
            FlairError::PolicyMismatch
        );
        Ok(())
    }
}

/// Sets the policy of a branch from the next round on; a live round keeps the one that it pins.
///
/// # Errors
/// Those of the rules above.
pub fn branch_set_policy(
    ctx: &mut Context<BranchSetPolicy>,
    args: BranchSetPolicyArgs,
) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    ctx.accounts.branch.policy_index = args.policy_index.into();
    ctx.accounts.branch.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        BranchPolicySet {
            branch: *ctx.accounts.branch.address(),
            policy_index: args.policy_index.into(),
        }
    );
    Ok(())
}
