//! Makes a policy, which never changes.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `actor` `[signer]`
//! 3. `role` `[optional]`
//! 4. `config`
//! 5. `repo` `[writable]`
//! 6. `policy` `[writable]`: made, at the index `repo.policy_count`
//! 7. `system_program`
//!
//! Data expected: `PolicyParams`.
//!
//! What MUST hold
//! * Branches and policies are not paused.
//! * The actor is the authority or holds `administer` for the whole repository.
//! * Every parameter is within its limits, and what it asks for is built.
//!
//! Event: `PolicyCreated`.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_BRANCH},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, Config, Policy, PolicyParams, Repo, Role, SCOPE_ADMINISTER, SEED_POLICY,
        SEED_REPO, SEED_ROLE, WHOLE_REPO,
    },
};

/// Accounts of `policy_create`.
#[event_cpi]
#[derive(Accounts)]
pub struct PolicyCreate {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
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
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_POLICY, repo.address(), repo.policy_count.get().to_le_bytes()],
        bump
    )]
    pub policy: Account<Policy>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl PolicyCreate {
    fn validate(&self, params: &PolicyParams, now: i64) -> Result<()> {
        // actor, role
        authorise(
            &self.repo,
            &WHOLE_REPO,
            self.actor.address(),
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // config
        self.config.require_running(PAUSE_BRANCH)?;
        // policy
        params.validate()
    }
}

/// Makes a policy, which never changes.
///
/// # Errors
/// Those of the rules above.
pub fn policy_create(ctx: &mut Context<PolicyCreate>, params: PolicyParams) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&params, now)?;
    let (repo, policy) = (&mut ctx.accounts.repo, &mut ctx.accounts.policy);
    let index = repo.policy_count;
    policy.version = ACCOUNT_VERSION;
    policy.bump = ctx.bumps.policy;
    policy.index = index;
    policy.repo = *repo.address();
    policy.params = params;
    policy.created_at = now.into();
    repo.policy_count = index.checked_add(1u32).ok_or(FlairError::Overflow)?;
    repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        PolicyCreated {
            policy: *ctx.accounts.policy.address(),
            index: index,
            digest: ctx.accounts.policy.digest(),
            params: params,
        }
    );
    Ok(())
}
