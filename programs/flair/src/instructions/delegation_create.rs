//! Lets another key push for a wallet in one repository.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `wallet` `[signer]`: whom pushes will count for
//! 3. `config`
//! 4. `repo` `[writable]`
//! 5. `delegation` `[writable]`: made
//! 6. `system_program`
//!
//! Data expected: key address, expires_at i64.
//!
//! What MUST hold
//! * Granting is not paused.
//! * The key is not the wallet.
//! * The expiry is in the future, at most 366 days away.
//! * There is no such delegation yet: its address would exist, and it must be revoked first.
//!
//! Event: `DelegationCreated`.

// Anchor's derive reads the arguments once more than it uses them.
#![allow(unused_variables)]

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_ROLE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{validate_delegation_expiry, Config, Delegation, Repo, SEED_DELEGATE, SEED_REPO},
};

/// Arguments of `delegation_create`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct DelegationCreateArgs {
    /// Who may sign pushes.
    pub key: Address,
    /// Unix time.
    pub expires_at: i64,
}

/// Accounts of `delegation_create`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: DelegationCreateArgs)]
pub struct DelegationCreate {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Whom pushes will count for.
    pub wallet: Signer,
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
        seeds = [SEED_DELEGATE, repo.address(), wallet.address(), args.key],
        bump
    )]
    pub delegation: Account<Delegation>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl DelegationCreate {
    fn validate(&self, args: &DelegationCreateArgs, now: i64) -> Result<()> {
        // config
        self.config.require_running(PAUSE_ROLE)?;
        // delegation
        require!(args.key != *self.wallet.address(), FlairError::DelegateSelf);
        validate_delegation_expiry(args.expires_at, now)?;
        Ok(())
    }
}

/// Lets another key push for a wallet in one repository.
///
/// # Errors
/// Those of the rules above.
pub fn delegation_create(
    ctx: &mut Context<DelegationCreate>,
    args: DelegationCreateArgs,
) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let delegation = &mut ctx.accounts.delegation;
    delegation.version = ACCOUNT_VERSION;
    delegation.bump = ctx.bumps.delegation;
    delegation.repo = *ctx.accounts.repo.address();
    delegation.wallet = *ctx.accounts.wallet.address();
    delegation.key = args.key;
    delegation.rent_payer = *ctx.accounts.payer.address();
    delegation.created_at = now.into();
    delegation.expires_at = args.expires_at.into();
    delegation.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.wallet.address(),
        now,
        DelegationCreated {
            wallet: *ctx.accounts.wallet.address(),
            key: args.key,
            expires_at: args.expires_at.into(),
        }
    );
    Ok(())
}
