//! Asks for a role.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `applicant` `[signer]`
//! 3. `config`
//! 4. `repo` `[writable]`
//! 5. `branch` `[optional]`: where the role would hold; none: the whole repository
//! 6. `request` `[writable]`: made
//! 7. `system_program`
//!
//! Data expected: scope u16, note_digest 32 bytes.
//!
//! What MUST hold
//! * Granting is not paused.
//! * The scope has a bit, no unknown one and not `administer`.
//! * The applicant has no other request here: its address would exist, and it must be closed first.
//!
//! Event: `JoinRequested`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_ROLE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        branch_or_zero, validate_plain_scope, Branch, Config, JoinRequest, Repo, SEED_BRANCH,
        SEED_JOIN, SEED_REPO,
    },
};

/// Arguments of `join_request`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct JoinRequestArgs {
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: u16,
    /// Digest of a raw block with the applicant's words; zero: none.
    pub note_digest: [u8; 32],
}

/// Accounts of `join_request`; `JoinRequest` is what it makes.
#[event_cpi]
#[derive(Accounts)]
pub struct RequestJoin {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Who asks.
    pub applicant: Signer,
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
    /// Where the role would hold; none: the whole repository.
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
        seeds = [SEED_JOIN, repo.address(), applicant.address()],
        bump
    )]
    pub request: Account<JoinRequest>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl RequestJoin {
    fn validate(&self, args: &JoinRequestArgs) -> Result<()> {
        // config
        self.config.require_running(PAUSE_ROLE)?;
        // request
        validate_plain_scope(args.scope)?;
        Ok(())
    }
}

/// Asks for a role.
///
/// # Errors
/// Those of the rules above.
pub fn join_request(ctx: &mut Context<RequestJoin>, args: JoinRequestArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args)?;
    let branch = branch_or_zero(&ctx.accounts.branch);
    let request = &mut ctx.accounts.request;
    request.version = ACCOUNT_VERSION;
    request.bump = ctx.bumps.request;
    request.scope = args.scope.into();
    request.repo = *ctx.accounts.repo.address();
    request.branch = branch;
    request.applicant = *ctx.accounts.applicant.address();
    request.rent_payer = *ctx.accounts.payer.address();
    request.note_digest = args.note_digest;
    request.requested_at = now.into();
    request.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.applicant.address(),
        now,
        JoinRequested {
            applicant: *ctx.accounts.applicant.address(),
            branch: branch,
            scope: args.scope.into(),
            note_digest: args.note_digest,
        }
    );
    Ok(())
}
