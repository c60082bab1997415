//! Offers the repository to another wallet, or takes the offer back.
//!
//! Accounts expected
//! 1. `authority` `[signer]`
//! 2. `repo` `[writable]`
//!
//! Data expected: new_authority address; zero takes the offer back.
//!
//! What MUST hold
//! * The signer is the authority.
//! * The offer is to somebody else than the authority, and not the one that stands already.
//!
//! Nothing changes hands by it: the other wallet must sign `authority_accept`, so that no repository is lost to a typing error.
//!
//! Event: `AuthorityOffered`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{Repo, SEED_REPO},
};

/// Arguments of `authority_offer`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct AuthorityOfferArgs {
    /// Zero: none.
    pub new_authority: Address,
}

/// Accounts of `authority_offer`.
#[event_cpi]
#[derive(Accounts)]
pub struct AuthorityOffer {
    /// The authority of the repository.
    #[account(address = repo.authority @ FlairError::NotAuthority)]
    pub authority: Signer,
    /// The repository.
    #[account(
        mut,
        seeds = [SEED_REPO, repo.creator.as_ref(), sha256(repo.name())],
        bump = repo.bump
    )]
    pub repo: Account<Repo>,
}

impl AuthorityOffer {
    fn validate(&self, args: &AuthorityOfferArgs) -> Result<()> {
        // repo
        require!(
            args.new_authority != self.repo.authority
                && args.new_authority != self.repo.pending_authority,
            FlairError::OfferInvalid
        );
        Ok(())
    }
}

/// Offers the repository to another wallet, or takes the offer back.
///
/// # Errors
/// Those of the rules above.
pub fn authority_offer(ctx: &mut Context<AuthorityOffer>, args: AuthorityOfferArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args)?;
    ctx.accounts.repo.pending_authority = args.new_authority;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.authority.address(),
        now,
        AuthorityOffered {
            new_authority: args.new_authority,
        }
    );
    Ok(())
}
