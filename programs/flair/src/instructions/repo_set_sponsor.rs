//! Names who pays for contributors; gives it no right.
//!
//! Accounts expected
//! 1. `authority` `[signer]`
//! 2. `repo` `[writable]`
//!
//! Data expected: sponsor address.
//!
//! What MUST hold
//! * The signer is the authority.
//!
//! Event: `RepoSponsorSet`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{Repo, SEED_REPO},
};

/// Arguments of `repo_set_sponsor`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RepoSetSponsorArgs {
    /// Zero: none.
    pub sponsor: Address,
}

/// Accounts of `repo_set_sponsor`.
#[event_cpi]
#[derive(Accounts)]
pub struct RepoSetSponsor {
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

/// Names who pays for contributors; gives it no right.
///
/// # Errors
/// Those of the rules above.
pub fn repo_set_sponsor(ctx: &mut Context<RepoSetSponsor>, args: RepoSetSponsorArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.repo.sponsor = args.sponsor;
    ctx.accounts.repo.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.authority.address(),
        now,
        RepoSponsorSet {
            sponsor: args.sponsor,
        }
    );
    Ok(())
}
