//! Takes an invite back and closes it.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `role` `[optional]`: the actor's
//! 3. `repo` `[writable]`
//! 4. `invite` `[writable]`: closed
//! 5. `rent_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The actor is the authority, holds `administer` for the repository or for the branch of the invite, or made the invite; anyone once it has expired.
//!
//! Event: `InviteRevoked`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{authorise, Invite, Repo, Role, SCOPE_ADMINISTER, SEED_INVITE, SEED_REPO, SEED_ROLE},
};

/// Accounts of `invite_revoke`.
#[event_cpi]
#[derive(Accounts)]
pub struct InviteRevoke {
    /// Whoever acts.
    pub actor: Signer,
    /// The actor's role; none for the authority, for whoever made the invite, and for an expired one.
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
        seeds = [SEED_INVITE, invite.repo.as_ref(), invite.key.as_ref()],
        bump = invite.bump,
        constraint = invite.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub invite: Account<Invite>,
    /// CHECK: `address` compares it with what `invite` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = invite.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
}

impl InviteRevoke {
    fn validate(&self, now: i64) -> Result<()> {
        // actor, role
        let actor = self.actor.address();
        // Whoever made it may be no administrator any more, and an expired one is of use to nobody.
        if *actor == self.invite.created_by || self.invite.is_expired(now) {
            return Ok(());
        }
        authorise(
            &self.repo,
            &self.invite.branch,
            actor,
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        Ok(())
    }
}

/// Takes an invite back and closes it.
///
/// # Errors
/// Those of the rules above.
pub fn invite_revoke(ctx: &mut Context<InviteRevoke>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(now)?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        InviteRevoked {
            key: ctx.accounts.invite.key,
        }
    );
    Ok(())
}
