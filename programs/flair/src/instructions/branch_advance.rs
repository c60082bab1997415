//! Moves the head to a root, a snapshot or a revert; a live round ends by it.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `role` `[optional]`
//! 3. `config`
//! 4. `repo` `[writable]`
//! 5. `branch` `[writable]`
//!
//! Data expected: kind u8 (0 root, 1 snapshot, 2 revert), expected_head 32 bytes, expected_seq u64, new_head 32 bytes.
//!
//! What MUST hold
//! * Branches are not paused.
//! * The actor is the authority or, on an unprotected branch, holds `administer` for the repository or the branch.
//! * A root is set where no head is, the other kinds where one is.
//! * Head and sequence are the expected ones; the new head is neither zero nor the old one.
//!
//! Not checked: that the new head is a commit, and of this kind: clients do that.
//!
//! Event: `BranchAdvanced`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::PAUSE_BRANCH,
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise_move, Branch, Config, Repo, Role, SCOPE_ADMINISTER, SEED_BRANCH, SEED_REPO,
        SEED_ROLE,
    },
};

/// Arguments of `branch_advance`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct BranchAdvanceArgs {
    /// 0 root, 1 snapshot, 2 revert.
    pub kind: u8,
    /// The head that the caller saw; zero for a root.
    pub expected_head: [u8; 32],
    /// Its sequence.
    pub expected_seq: u64,
    /// The commit.
    pub new_head: [u8; 32],
}

/// The first commit of a branch.
const KIND_ROOT: u8 = 0;
/// Undoes a merge.
const KIND_REVERT: u8 = 2;

/// Accounts of `branch_advance`.
#[event_cpi]
#[derive(Accounts)]
pub struct BranchAdvance {
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
    /// The branch.
    #[account(
        mut,
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Account<Branch>,
}

impl BranchAdvance {
    fn validate(&self, args: &BranchAdvanceArgs, now: i64) -> Result<()> {
        // actor, role
        authorise_move(
            &self.repo,
            &self.branch,
            self.actor.address(),
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // config
        self.config.require_running(PAUSE_BRANCH)?;
        // branch
        require!(args.kind <= KIND_REVERT, FlairError::KindUnknown);
        let is_root = args.kind == KIND_ROOT;
        require!(
            !(is_root && self.branch.has_head()),
            FlairError::HeadAlreadySet
        );
        require!(is_root || self.branch.has_head(), FlairError::HeadUnset);
        self.branch
            .require_head(&args.expected_head, args.expected_seq)?;
        require!(
            args.new_head != [0; 32] && args.new_head != self.branch.head_commit,
            FlairError::CommitInvalid
        );
        Ok(())
    }
}

/// Moves the head to a root, a snapshot or a revert; a live round ends by it.
///
/// # Errors
/// Those of the rules above.
pub fn branch_advance(ctx: &mut Context<BranchAdvance>, args: BranchAdvanceArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let branch = &mut ctx.accounts.branch;
    let old_head = branch.head_commit;
    let (ended_round, round_index) = branch.advance(args.new_head)?;
    branch.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        BranchAdvanced {
            branch: *ctx.accounts.branch.address(),
            kind: args.kind,
            old_head: old_head,
            new_head: args.new_head,
            new_seq: ctx.accounts.branch.head_seq,
            ended_round: ended_round,
            round_index: round_index,
        }
    );
    Ok(())
}
