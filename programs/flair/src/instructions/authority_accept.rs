//! Takes the repository that was offered; whatever the old authority allowed is void.
//!
//! Accounts expected
//! 1. `new_authority` `[signer]`: whom the repository was offered to
//! 2. `repo` `[writable]`
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The repository was offered to the signer, and the offer stands.
//!
//! The epoch goes up by one: roles, invites, approvals and attestations of an older one count no more. Who pays for
//! contributors (`sponsor`) stays: it gives no right, and the sponsor's own door decides.
//!
//! Event: `AuthorityAccepted`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{Repo, SEED_REPO},
};

/// Accounts of `authority_accept`.
#[event_cpi]
#[derive(Accounts)]
pub struct AuthorityAccept {
    /// Whom the repository was offered to. Without an offer that is the zero address, for which nobody can sign.
    #[account(address = repo.pending_authority @ FlairError::NotOffered)]
    pub new_authority: Signer,
    /// The repository.
    #[account(
        mut,
        seeds = [SEED_REPO, repo.creator.as_ref(), sha256(repo.name())],
        bump = repo.bump
    )]
    pub repo: Account<Repo>,
}

/// Takes the repository that was offered; whatever the old authority allowed is void.
///
/// # Errors
/// Those of the rules above.
pub fn authority_accept(ctx: &mut Context<AuthorityAccept>) -> Result<()> {
    let now = unix_now()?;
    let old_authority = ctx.accounts.repo.authority;
    ctx.accounts.repo.hand_over()?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.new_authority.address(),
        now,
        AuthorityAccepted {
            old_authority: old_authority,
            new_authority: ctx.accounts.repo.authority,
            authority_epoch: ctx.accounts.repo.authority_epoch,
        }
    );
    Ok(())
}
