//! Takes a delegation back and closes it.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `repo` `[writable]`
//! 3. `delegation` `[writable]`: closed
//! 4. `rent_payer` `[writable]`: as recorded
//!
//! Data expected: none.
//!
//! What MUST hold
//! * The actor is the wallet or the key; anyone once the delegation has expired.
//!
//! Event: `DelegationRevoked`.

use anchor_lang::prelude::*;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{Delegation, Repo, SEED_DELEGATE, SEED_REPO},
};

/// Accounts of `delegation_revoke`.
#[event_cpi]
#[derive(Accounts)]
pub struct DelegationRevoke {
    /// Whoever acts.
    pub actor: Signer,
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
        seeds = [SEED_DELEGATE, delegation.repo.as_ref(), delegation.wallet.as_ref(), delegation.key.as_ref()],
        bump = delegation.bump,
        constraint = delegation.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub delegation: Account<Delegation>,
    /// CHECK: `address` compares it with what `delegation` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = delegation.rent_payer @ FlairError::RentPayerMismatch)]
    pub rent_payer: UncheckedAccount,
}

impl DelegationRevoke {
    fn validate(&self, now: i64) -> Result<()> {
        // actor
        let (actor, delegation) = (self.actor.address(), &self.delegation);
        require!(
            *actor == delegation.wallet || *actor == delegation.key || delegation.is_expired(now),
            FlairError::NotDelegator
        );
        Ok(())
    }
}

/// Takes a delegation back and closes it.
///
/// # Errors
/// Those of the rules above.
pub fn delegation_revoke(ctx: &mut Context<DelegationRevoke>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(now)?;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        DelegationRevoked {
            wallet: ctx.accounts.delegation.wallet,
            key: ctx.accounts.delegation.key,
        }
    );
    Ok(())
}
