//! Proposes a commit as the merge of a closed round.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `proposer` `[signer]`
//! 3. `role` `[optional]`
//! 4. `proposer_update` `[optional]`
//! 5. `config`
//! 6. `repo` `[writable]`
//! 7. `branch`
//! 8. `policy`: that the round pins
//! 9. `round`
//! 10. `candidate` `[writable]`: made
//! 11. `system_program`
//!
//! Data expected: commit_id 32 bytes, expected_head 32 bytes, expected_seq u64.
//!
//! What MUST hold
//! * Merging is not paused.
//! * The round is live and closed.
//! * The proposer is the authority or holds `merge` for the repository or the branch; or the deadline has passed and `proposer_update` is its own accepted or accumulated update of this round. On a protected branch the authority alone proposes.
//! * Head and sequence are the expected ones; the commit id is neither zero nor the head.
//!
//! Not checked: that the commit is the merge of these updates: every client recomputes it.
//!
//! Event: `MergeProposed`.

// Anchor's derive reads the arguments once more than it uses them.
#![allow(unused_variables)]

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_MERGE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise_move, Branch, Config, MergeCandidate, Policy, Repo, Role, Round, Update,
        ROUND_CLOSED, SCOPE_MERGE, SEED_BRANCH, SEED_MERGE, SEED_POLICY, SEED_REPO, SEED_ROLE,
        SEED_ROUND, SEED_UPDATE, STATUS_ACCEPTED, STATUS_ACCUMULATED,
    },
};

/// Arguments of `merge_propose`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MergeProposeArgs {
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// The head that the caller saw.
    pub expected_head: [u8; 32],
    /// Its sequence.
    pub expected_seq: u64,
}

/// Accounts of `merge_propose`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: MergeProposeArgs)]
pub struct MergePropose {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Who proposes.
    pub proposer: Signer,
    /// The proposer's role, if any.
    #[account(
        seeds = [SEED_ROLE, role.repo.as_ref(), role.branch.as_ref(), role.grantee.as_ref()],
        bump = role.bump
    )]
    pub role: Option<Account<Role>>,
    /// The proposer's update of this round, if it has no role.
    #[account(
        seeds = [SEED_UPDATE, proposer_update.round.as_ref(), proposer_update.contributor.as_ref()],
        bump = proposer_update.bump
    )]
    pub proposer_update: Option<Account<Update>>,
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
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Account<Branch>,
    /// The policy that the round pins.
    #[account(
        seeds = [SEED_POLICY, policy.repo.as_ref(), policy.index.get().to_le_bytes()],
        bump = policy.bump,
        address = round.policy @ FlairError::PolicyMismatch
    )]
    pub policy: Account<Policy>,
    /// The round.
    #[account(
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_MERGE, round.address(), args.commit_id],
        bump
    )]
    pub candidate: Account<MergeCandidate>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl MergePropose {
    fn validate(&self, args: &MergeProposeArgs, now: i64) -> Result<()> {
        // config
        self.config.require_running(PAUSE_MERGE)?;
        // round
        self.branch.require_live(&self.round)?;
        require!(self.round.state == ROUND_CLOSED, FlairError::RoundNotClosed);
        // proposer, role, proposer_update
        self.validate_proposer(now)?;
        // branch
        self.branch
            .require_head(&args.expected_head, args.expected_seq)?;
        // candidate
        require!(
            args.commit_id != [0; 32] && args.commit_id != self.branch.head_commit,
            FlairError::CommitInvalid
        );
        Ok(())
    }

    fn validate_proposer(&self, now: i64) -> Result<()> {
        let permission = authorise_move(
            &self.repo,
            &self.branch,
            self.proposer.address(),
            self.role.as_deref(),
            SCOPE_MERGE,
            now,
        );
        // A role that does not hold says best what is wrong; without one the signer is simply not a proposer.
        if permission.is_ok() || self.role.is_some() && self.proposer_update.is_none() {
            return permission;
        }
        require!(self.branch.protected == 0, FlairError::ProtectedBranch);
        let is_contributor = self.proposer_update.as_ref().is_some_and(|update| {
            update.round == *self.round.address()
                && update.contributor == *self.proposer.address()
                && matches!(update.status, STATUS_ACCEPTED | STATUS_ACCUMULATED)
        });
        // Contributors finish what the aggregator leaves lying.
        require!(
            is_contributor && now >= self.round.deadline.get(),
            FlairError::NotProposer
        );
        Ok(())
    }
}

/// Proposes a commit as the merge of a closed round.
///
/// # Errors
/// Those of the rules above.
pub fn merge_propose(ctx: &mut Context<MergePropose>, args: MergeProposeArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let (round, candidate) = (&ctx.accounts.round, &mut ctx.accounts.candidate);
    candidate.version = ACCOUNT_VERSION;
    candidate.bump = ctx.bumps.candidate;
    candidate.repo = round.repo;
    candidate.branch = round.branch;
    candidate.round = *round.address();
    candidate.round_index = round.round_index;
    candidate.commit_id = args.commit_id;
    candidate.proposer = *ctx.accounts.proposer.address();
    candidate.payer = *ctx.accounts.payer.address();
    candidate.proposed_at = now.into();
    candidate.authority_epoch = ctx.accounts.repo.authority_epoch;
    candidate.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.proposer.address(),
        now,
        MergeProposed {
            branch: ctx.accounts.candidate.branch,
            round_index: ctx.accounts.candidate.round_index,
            commit_id: args.commit_id,
            proposer: ctx.accounts.candidate.proposer,
        }
    );
    Ok(())
}
