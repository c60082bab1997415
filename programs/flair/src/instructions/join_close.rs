//! Closes a request for a role: it was answered or taken back.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `role` `[optional]`: the actor's
//! 3. `repo` `[writable]`
//! 4. `request` `[writable]`: closed
//! 5. `rent_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The actor is the applicant, the authority, or holds `administer` for the repository or for the branch of the request.
//!
//! Event: `JoinClosed`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, JoinRequest, Repo, Role, SCOPE_ADMINISTER, SEED_JOIN, SEED_REPO, SEED_ROLE,
    },
};

/// Accounts of `join_close`.
#[event_cpi]
#[derive(Accounts)]
pub struct JoinClose {
    /// Whoever acts.
    pub actor: Signer,
    /// The actor's role; none for the authority and the applicant.
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
        seeds = [SEED_JOIN, request.repo.as_ref(), request.applicant.as_ref()],
        bump = request.bump,
        constraint = request.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub request: Account<JoinRequest>,
    /// CHECK: `address` compares it with what `request` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = request.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
}

impl JoinClose {
    fn validate(&self, now: i64) -> Result<()> {
        // actor, role
        let actor = self.actor.address();
        if *actor == self.request.applicant {
            return Ok(());
        }
        authorise(
            &self.repo,
            &self.request.branch,
            actor,
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        Ok(())
    }
}

/// Closes a request for a role: it was answered or taken back.
///
/// # Errors
/// Those of the rules above.
pub fn join_close(ctx: &mut Context<JoinClose>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(now)?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        JoinClosed {
            applicant: ctx.accounts.request.applicant,
            branch: ctx.accounts.request.branch,
        }
    );
    Ok(())
}
