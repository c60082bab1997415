//! Takes the role of an invite.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `grantee` `[signer]`: gets the role
//! 3. `invite_key` `[signer]`: by its secret, from the link
//! 4. `config`
//! 5. `repo` `[writable]`
//! 6. `invite` `[writable]`: closed by its last use
//! 7. `invite_payer` `[writable]`: as recorded
//! 8. `new_role` `[writable]`: made
//! 9. `system_program`
//!
//! Data expected: none.
//!
//! What MUST hold
//! * Granting is not paused.
//! * The invite's key has signed; so nobody who sees the transaction can use it for another grantee.
//! * The invite has not expired, is not older than the authority, and the roles' expiry is 0 or in the future.
//! * The grantee has no such role yet: its address would exist, and it must be revoked first.
//!
//! Not checked: that whoever made the invite may still administer: the authority revokes its invites with its role.
//!
//! Event: `InviteRedeemed`.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_ROLE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{validate_expiry, Config, Invite, Repo, Role, SEED_INVITE, SEED_REPO, SEED_ROLE},
};

/// Accounts of `invite_redeem`.
#[event_cpi]
#[derive(Accounts)]
pub struct InviteRedeem {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Gets the role.
    pub grantee: Signer,
    /// Proves that the grantee was given the invite.
    #[account(address = invite.key @ FlairError::AccountMismatch)]
    pub invite_key: Signer,
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
    /// The invite.
    #[account(
        mut,
        seeds = [SEED_INVITE, invite.repo.as_ref(), invite.key.as_ref()],
        bump = invite.bump,
        constraint = invite.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub invite: Account<Invite>,
    /// CHECK: `address` compares it with what `invite` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = invite.rent_payer @ FlairError::RentPayerMismatch)]
    pub invite_payer: UncheckedAccount,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_ROLE, repo.address(), invite.branch.as_ref(), grantee.address()],
        bump
    )]
    pub new_role: Account<Role>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl InviteRedeem {
    fn validate(&self, now: i64) -> Result<()> {
        // config
        self.config.require_running(PAUSE_ROLE)?;
        // invite
        require!(!self.invite.is_expired(now), FlairError::InviteExpired);
        // The authority changed: whoever was invited by the old one must be invited anew.
        require!(
            self.invite.authority_epoch == self.repo.authority_epoch,
            FlairError::RoleVoid
        );
        // new_role
        validate_expiry(self.invite.role_expires_at.get(), now)?;
        Ok(())
    }

    fn fill_role(&mut self, bump: u8) -> Result<()> {
        let (invite, role) = (&self.invite, &mut self.new_role);
        role.version = ACCOUNT_VERSION;
        role.bump = bump;
        role.scope = invite.scope;
        role.repo = invite.repo;
        role.branch = invite.branch;
        role.grantee = *self.grantee.address();
        role.granted_by = invite.created_by;
        role.rent_payer = *self.payer.address();
        role.expires_at = invite.role_expires_at;
        role.authority_epoch = invite.authority_epoch;
        role.invariant()?;
        Ok(())
    }
}

/// Takes the role of an invite.
///
/// # Errors
/// Those of the rules above.
pub fn invite_redeem(ctx: &mut Context<InviteRedeem>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(now)?;
    ctx.accounts.fill_role(ctx.bumps.new_role)?;
    let is_last = ctx.accounts.invite.take_use()?;
    ctx.accounts.invite.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.grantee.address(),
        now,
        InviteRedeemed {
            key: ctx.accounts.invite.key,
            grantee: *ctx.accounts.grantee.address(),
            branch: ctx.accounts.invite.branch,
            scope: ctx.accounts.invite.scope,
            role_expires_at: ctx.accounts.invite.role_expires_at,
            uses_left: ctx.accounts.invite.uses_left,
        }
    );
    if is_last {
        let payer = *ctx.accounts.invite_payer.account();
        ctx.accounts.invite.close(payer)?;
    }
    Ok(())
}
