//! Makes a repository; its creator is the first authority.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `creator` `[signer]`
//! 3. `config`
//! 4. `repo` `[writable]`: made
//! 5. `system_program`
//!
//! Data expected: name bytes, points_per_merge u64.
//!
//! What MUST hold
//! * Making repositories is not paused.
//! * The name is valid. The creator has no repository of this name: its address would exist.
//!
//! Event: `RepoCreated`.

// Anchor's derive reads the arguments once more than it uses them.
#![allow(unused_variables)]

use alloc::vec::Vec;
use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_REPO},
    events::record,
    instructions::unix_now,
    state::{name::stored_name, Config, Repo, SEED_REPO},
};

/// Arguments of `repo_create`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RepoCreateArgs {
    /// 1 to 64 bytes of `a-z 0-9 . _ -`, first a letter or a digit.
    pub name: Vec<u8>,
    /// Points that one merge may give out.
    pub points_per_merge: u64,
}

/// Accounts of `repo_create`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: RepoCreateArgs)]
pub struct RepoCreate {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Becomes creator and authority.
    pub creator: Signer,
    /// Settings of the program.
    #[account(seeds = [b"config"], bump)]
    pub config: Account<Config>,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_REPO, creator.address(), sha256(&args.name)],
        bump
    )]
    pub repo: Account<Repo>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl RepoCreate {
    fn validate(&self) -> Result<()> {
        // config
        self.config.require_running(PAUSE_REPO)
    }
}

/// Makes a repository; its creator is the first authority.
///
/// # Errors
/// Those of the rules above.
pub fn repo_create(ctx: &mut Context<RepoCreate>, args: RepoCreateArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let now = unix_now()?;
    let (name, name_len) = stored_name(&args.name)?;
    let creator = *ctx.accounts.creator.address();
    let repo = &mut ctx.accounts.repo;
    repo.version = ACCOUNT_VERSION;
    repo.bump = ctx.bumps.repo;
    repo.name_len = name_len;
    repo.name = name;
    repo.creator = creator;
    repo.authority = creator;
    repo.points_per_merge = args.points_per_merge.into();
    repo.created_at = now.into();
    repo.invariant()?;
    record!(
        ctx.repo,
        &creator,
        now,
        RepoCreated {
            creator: creator,
            name_len: name_len,
            name: name,
            points_per_merge: args.points_per_merge.into(),
        }
    );
    Ok(())
}
