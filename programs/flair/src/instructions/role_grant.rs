//! Gives a wallet a role.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `actor` `[signer]`
//! 3. `role` `[optional]`: the actor's
//! 4. `config`
//! 5. `repo` `[writable]`
//! 6. `branch` `[optional]`: where the new role holds; none: the whole repository
//! 7. `new_role` `[writable]`: made
//! 8. `system_program`
//!
//! Data expected: grantee address, scope u16, expires_at i64.
//!
//! What MUST hold
//! * Granting is not paused.
//! * The actor is the authority, or holds `administer` for the repository or for the branch of the new role; only the authority grants `administer`.
//! * The scope has a bit and no unknown one; the expiry is 0 or in the future.
//! * There is no such role yet: its address would exist, and it must be revoked first.
//!
//! Event: `RoleGranted`.

// Anchor's derive reads the arguments once more than it uses them.
#![allow(unused_variables)]

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_ROLE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, branch_or_zero, validate_expiry, validate_scope, Branch, Config, Repo, Role,
        SCOPE_ADMINISTER, SEED_BRANCH, SEED_REPO, SEED_ROLE,
    },
};

/// Arguments of `role_grant`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RoleGrantArgs {
    /// Who may act.
    pub grantee: Address,
    /// Bits: 1 contribute, 2 merge, 4 attest, 8 administer.
    pub scope: u16,
    /// Unix time; 0: never.
    pub expires_at: i64,
}

/// Accounts of `role_grant`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: RoleGrantArgs)]
pub struct RoleGrant {
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
    /// Where the new role holds; none: the whole repository.
    #[account(
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Option<Account<Branch>>,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_ROLE, repo.address(), branch_or_zero(&branch), args.grantee],
        bump
    )]
    pub new_role: Account<Role>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl RoleGrant {
    fn validate(&self, args: &RoleGrantArgs, now: i64) -> Result<()> {
        // actor, role
        let actor = self.actor.address();
        authorise(
            &self.repo,
            &branch_or_zero(&self.branch),
            actor,
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // config
        self.config.require_running(PAUSE_ROLE)?;
        // new_role
        validate_scope(args.scope)?;
        // An administrator cannot make another one, so the authority knows them all.
        require!(
            args.scope & SCOPE_ADMINISTER == 0 || *actor == self.repo.authority,
            FlairError::NotAuthority
        );
        validate_expiry(args.expires_at, now)?;
        Ok(())
    }
}

/// Gives a wallet a role.
///
/// # Errors
/// Those of the rules above.
pub fn role_grant(ctx: &mut Context<RoleGrant>, args: RoleGrantArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let branch = branch_or_zero(&ctx.accounts.branch);
    let role = &mut ctx.accounts.new_role;
    role.version = ACCOUNT_VERSION;
    role.bump = ctx.bumps.new_role;
    role.scope = args.scope.into();
    role.repo = *ctx.accounts.repo.address();
    role.branch = branch;
    role.grantee = args.grantee;
    role.granted_by = *ctx.accounts.actor.address();
    role.rent_payer = *ctx.accounts.payer.address();
    role.expires_at = args.expires_at.into();
    role.authority_epoch = ctx.accounts.repo.authority_epoch;
    role.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        RoleGranted {
            grantee: args.grantee,
            branch: branch,
            scope: args.scope.into(),
            expires_at: args.expires_at.into(),
        }
    );
    Ok(())
}
