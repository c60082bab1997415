//! Makes a branch, without a head.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `actor` `[signer]`
//! 3. `role` `[optional]`
//! 4. `config`
//! 5. `repo` `[writable]`
//! 6. `policy`: for its first round
//! 7. `branch` `[writable]`: made
//! 8. `system_program`
//!
//! Data expected: name bytes, policy_index u32, protected u8, first_round u8.
//!
//! What MUST hold
//! * Branches are not paused.
//! * The actor is the authority or holds `administer` for the whole repository; a protected branch is made by the authority alone.
//! * The policy is the repository's, at `policy_index`.
//! * `protected` and `first_round` are 0 or 1; the name is valid and new.
//!
//! Event: `BranchCreated`.

// Anchor's derive reads the arguments once more than it uses them.
#![allow(unused_variables)]

use alloc::vec::Vec;
use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_BRANCH},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, name::stored_name, Branch, Config, Policy, Repo, Role, SCOPE_ADMINISTER,
        SEED_BRANCH, SEED_POLICY, SEED_REPO, SEED_ROLE, WHOLE_REPO,
    },
};

/// Arguments of `branch_create`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct BranchCreateArgs {
    /// 1 to 64 bytes of `a-z 0-9 . _ -`, first a letter or a digit.
    pub name: Vec<u8>,
    /// Policy for the first round.
    pub policy_index: u32,
    /// 1: the authority alone may move it or set its policy.
    pub protected: u8,
    /// Index of the first round: 0 where the recipe wants statistics before training, else 1.
    pub first_round: u8,
}

/// Accounts of `branch_create`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: BranchCreateArgs)]
pub struct BranchCreate {
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
    /// The policy for its first round.
    #[account(
        seeds = [SEED_POLICY, policy.repo.as_ref(), policy.index.get().to_le_bytes()],
        bump = policy.bump,
        constraint = policy.repo == *repo.address() @ FlairError::AccountMismatch,
        constraint = policy.index == args.policy_index @ FlairError::PolicyMismatch
    )]
    pub policy: Account<Policy>,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_BRANCH, repo.address(), sha256(&args.name)],
        bump
    )]
    pub branch: Account<Branch>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl BranchCreate {
    fn validate(&self, args: &BranchCreateArgs, now: i64) -> Result<()> {
        // actor, role
        authorise(
            &self.repo,
            &WHOLE_REPO,
            self.actor.address(),
            self.role.as_deref(),
            SCOPE_ADMINISTER,
            now,
        )?;
        // Who may not move a protected branch may not make one either.
        require!(
            args.protected == 0 || *self.actor.address() == self.repo.authority,
            FlairError::ProtectedBranch
        );
        // config
        self.config.require_running(PAUSE_BRANCH)?;
        // branch
        require!(
            args.protected <= 1 && args.first_round <= 1,
            FlairError::UnknownBits
        );
        Ok(())
    }
}

/// Makes a branch, without a head.
///
/// # Errors
/// Those of the rules above.
pub fn branch_create(ctx: &mut Context<BranchCreate>, args: BranchCreateArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let (name, name_len) = stored_name(&args.name)?;
    let branch = &mut ctx.accounts.branch;
    branch.version = ACCOUNT_VERSION;
    branch.bump = ctx.bumps.branch;
    branch.name_len = name_len;
    branch.protected = args.protected;
    branch.name = name;
    branch.repo = *ctx.accounts.repo.address();
    branch.round_index = u64::from(args.first_round).into();
    branch.policy_index = args.policy_index.into();
    branch.created_at = now.into();
    branch.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        BranchCreated {
            branch: *ctx.accounts.branch.address(),
            name_len: name_len,
            name: name,
            policy_index: args.policy_index.into(),
            protected: args.protected,
            first_round: args.first_round,
        }
    );
    Ok(())
}
