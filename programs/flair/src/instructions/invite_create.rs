//! Makes an invite: whoever has its key may take a role.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `actor` `[signer]`
//! 3. `role` `[optional]`: the actor's
//! 4. `config`
//! 5. `repo` `[writable]`
//! 6. `branch` `[optional]`: where the roles will hold; none: the whole repository
//! 7. `invite` `[writable]`: made
//! 8. `system_program`
//!
//! Data expected: key address, scope u16, expires_at i64, role_expires_at i64, uses u16.
//!
//! What MUST hold
//! * Granting is not paused.
//! * The actor is the authority, or holds `administer` for the repository or for the branch of the invite.
//! * The scope has a bit, no unknown one and not `administer`.
//! * The invite's expiry is in the future; the roles' is 0 or in the future; uses are 1 to 1,000.
//!
//! Event: `InviteCreated`.

// Anchor's derive reads the arguments once more than it uses them.
#![allow(unused_variables)]

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, MAX_INVITE_USES, PAUSE_ROLE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, branch_or_zero, validate_expiry, validate_plain_scope, Branch, Config, Invite,
        Repo, Role, SCOPE_ADMINISTER, SEED_BRANCH, SEED_INVITE, SEED_REPO, SEED_ROLE,
    },
};

/// Arguments of `invite_create`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct InviteCreateArgs {
    /// Whoever has its secret may redeem.
    pub key: Address,
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: u16,
    /// Unix time: the invite's.
    pub expires_at: i64,
    /// Unix time: the roles'; 0: never.
    pub role_expires_at: i64,
    /// How often it can be redeemed.
    pub uses: u16,
}

/// Accounts of `invite_create`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: InviteCreateArgs)]
pub struct InviteCreate {
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
    /// Where the roles will hold; none: the whole repository.
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
        seeds = [SEED_INVITE, repo.address(), args.key],
        bump
    )]
    pub invite: Account<Invite>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl InviteCreate {
    fn validate(&self, args: &InviteCreateArgs, now: i64) -> Result<()> {
        // actor, role
        authorise(
            &self.repo,
            &branch_or_zero(&self.branch),
            self.actor.address(),
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // config
        self.config.require_running(PAUSE_ROLE)?;
        // invite: a link may reach anyone, so it never makes an administrator
        validate_plain_scope(args.scope)?;
        require!(args.expires_at > now, FlairError::ExpiryInPast);
        validate_expiry(args.role_expires_at, now)?;
        require!(
            (1..=MAX_INVITE_USES).contains(&args.uses),
            FlairError::InviteUses
        );
        Ok(())
    }
}

/// Makes an invite: whoever has its key may take a role.
///
/// # Errors
/// Those of the rules above.
pub fn invite_create(ctx: &mut Context<InviteCreate>, args: InviteCreateArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let branch = branch_or_zero(&ctx.accounts.branch);
    let invite = &mut ctx.accounts.invite;
    invite.version = ACCOUNT_VERSION;
    invite.bump = ctx.bumps.invite;
    invite.scope = args.scope.into();
    invite.repo = *ctx.accounts.repo.address();
    invite.branch = branch;
    invite.key = args.key;
    invite.created_by = *ctx.accounts.actor.address();
    invite.rent_payer = *ctx.accounts.payer.address();
    invite.expires_at = args.expires_at.into();
    invite.role_expires_at = args.role_expires_at.into();
    invite.uses_left = args.uses.into();
    invite.authority_epoch = ctx.accounts.repo.authority_epoch;
    invite.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        InviteCreated {
            key: args.key,
            branch: branch,
            scope: args.scope.into(),
            expires_at: args.expires_at.into(),
            role_expires_at: args.role_expires_at.into(),
            uses: args.uses.into(),
        }
    );
    Ok(())
}
