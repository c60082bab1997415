//! Takes a role back and closes it.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `role` `[optional]`: the actor's
//! 3. `repo` `[writable]`
//! 4. `old_role` `[writable]`: closed
//! 5. `rent_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The actor is the authority, or holds `administer` for the repository or for the branch of the role; only the authority revokes `administer`.
//!
//! Event: `RoleRevoked`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{authorise, Repo, Role, SCOPE_ADMINISTER, SEED_REPO, SEED_ROLE},
};

/// Accounts of `role_revoke`.
#[event_cpi]
#[derive(Accounts)]
pub struct RoleRevoke {
    /// Whoever acts.
    pub actor: Signer,
    /// The actor's role; none for the authority.
    #[account(
        seeds = [SEED_ROLE, role.repo.as_ref(), role.branch.as_ref(), role.grantee.as_ref()],
        bump = role.bump
    )]
    pub role: Option<Account<Role>>,
    /// The repository.
    #[account(
        mut,
        seeds = [SEED_REPO, repo.creator.as_ref(), sha256(repo.name())],
        bump = repo.bump
    )]
    pub repo: Account<Repo>,
    /// Closed here.
    #[account(
        mut,
        close = rent_payer,
        seeds = [SEED_ROLE, old_role.repo.as_ref(), old_role.branch.as_ref(), old_role.grantee.as_ref()],
        bump = old_role.bump,
        constraint = old_role.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub old_role: Account<Role>,
    /// CHECK: `address` compares it with what `old_role` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = old_role.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
}

impl RoleRevoke {
    fn validate(&self, now: i64) -> Result<()> {
        // actor, role
        let actor = self.actor.address();
        authorise(
            &self.repo,
            &self.old_role.branch,
            actor,
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // old_role
        require!(
            self.old_role.scope.get() & SCOPE_ADMINISTER == 0 || *actor == self.repo.authority,
            FlairError::NotAuthority
        );
        Ok(())
    }
}

/// Takes a role back and closes it.
///
/// # Errors
/// Those of the rules above.
pub fn role_revoke(ctx: &mut Context<RoleRevoke>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(now)?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        RoleRevoked {
            grantee: ctx.accounts.old_role.grantee,
            branch: ctx.accounts.old_role.branch,
        }
    );
    Ok(())
}
