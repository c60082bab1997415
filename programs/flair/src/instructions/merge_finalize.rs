//! Moves the head to a candidate and ends the round.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `config`
//! 3. `repo` `[writable]`
//! 4. `branch` `[writable]`
//! 5. `policy`: that the round pins
//! 6. `round` `[writable]`
//! 7. `candidate` `[writable]`: closed
//! 8. `candidate_payer` `[writable]`: as recorded
//!
//! Data expected: expected_head 32 bytes, expected_seq u64.
//!
//! What MUST hold
//! * Merging is not paused.
//! * The round is live and closed.
//! * Every accepted update was accumulated, and there are enough of them.
//! * On a protected branch the candidate is not older than the authority.
//! * The present authority approved it and enough attested it under this authority, where the policy asks for it.
//! * The challenge time of the candidate has passed.
//! * Head and sequence are the expected ones and the round's base.
//!
//! Event: `MergeFinalized`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::PAUSE_MERGE,
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        lambda, Branch, Config, MergeCandidate, Policy, Repo, Round, ROUND_CLOSED, ROUND_MERGED,
        SEED_BRANCH, SEED_MERGE, SEED_POLICY, SEED_REPO, SEED_ROUND,
    },
};

/// Arguments of `merge_finalize`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MergeFinalizeArgs {
    /// The head that the caller saw.
    pub expected_head: [u8; 32],
    /// Its sequence.
    pub expected_seq: u64,
}

/// Accounts of `merge_finalize`.
#[event_cpi]
#[derive(Accounts)]
pub struct MergeFinalize {
    /// Anyone.
    pub actor: Signer,
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
    /// The policy that the round pins.
    #[account(
        seeds = [SEED_POLICY, policy.repo.as_ref(), policy.index.get().to_le_bytes()],
        bump = policy.bump,
        address = round.policy @ FlairError::PolicyMismatch
    )]
    pub policy: Account<Policy>,
    /// The round.
    #[account(
        mut,
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
    /// The candidate.
    #[account(
        mut,
        close = candidate_payer,
        seeds = [SEED_MERGE, candidate.round.as_ref(), candidate.commit_id],
        bump = candidate.bump,
        constraint = candidate.round == *round.address() @ FlairError::AccountMismatch
    )]
    pub candidate: Account<MergeCandidate>,
    /// CHECK: `address` compares it with what `candidate` recorded. May be another account here: it only receives lamports.
    #[account(mut, unsafe(dup), address = candidate.payer @ FlairError::RentPayerMismatch)]
    pub candidate_payer: UncheckedAccount,
}

impl MergeFinalize {
    fn validate(&self, args: &MergeFinalizeArgs, now: i64) -> Result<()> {
        let (branch, policy, round) = (&self.branch, &self.policy, &self.round);
        // config
        self.config.require_running(PAUSE_MERGE)?;
        // branch
        branch.require_live(round)?;
        branch.require_head(&args.expected_head, args.expected_seq)?;
        branch.require_head(&round.base_commit, round.base_seq.get())?;
        // round
        require!(round.state == ROUND_CLOSED, FlairError::RoundNotClosed);
        // None can be left out silently.
        require!(
            round.n_accumulated == round.n_accepted,
            FlairError::NotAllAccumulated
        );
        require!(
            round.n_accepted >= policy.params.min_updates,
            FlairError::TooFewUpdates
        );
        // candidate
        self.validate_votes()?;
        let challenge_end = self
            .candidate
            .proposed_at
            .get()
            .checked_add(i64::from(policy.params.challenge_s.get()))
            .ok_or(FlairError::Overflow)?;
        require!(now >= challenge_end, FlairError::ChallengeOpen);
        Ok(())
    }

    fn validate_votes(&self) -> Result<()> {
        let (candidate, params) = (&self.candidate, &self.policy.params);
        let epoch = self.repo.authority_epoch;
        // Only its authority proposes for a protected branch, and that is another one now.
        require!(
            self.branch.protected == 0 || candidate.authority_epoch == epoch,
            FlairError::CandidateVoid
        );
        let (approvals, attestations) = candidate.votes(epoch);
        require!(
            approvals >= params.approvals_needed,
            FlairError::ApprovalMissing
        );
        require!(
            attestations >= params.attestations_needed,
            FlairError::AttestationsMissing
        );
        Ok(())
    }

    fn finalize(&mut self) -> Result<()> {
        let (branch, round) = (&mut self.branch, &mut self.round);
        let commit_id = self.candidate.commit_id;
        branch.move_head(commit_id)?;
        branch.end_round()?;
        round.state = ROUND_MERGED;
        round.merge_commit = commit_id;
        round.points_each = self
            .repo
            .points_per_merge
            .checked_div(u64::from(round.n_accepted.get()))
            .ok_or(FlairError::Overflow)?;
        branch.invariant()?;
        round.invariant()
    }
}

/// Moves the head to a candidate and ends the round.
///
/// # Errors
/// Those of the rules above.
pub fn merge_finalize(ctx: &mut Context<MergeFinalize>, args: MergeFinalizeArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    let old_head = ctx.accounts.branch.head_commit;
    ctx.accounts.finalize()?;
    let (eta_q24, weight_sum) = (
        ctx.accounts.policy.params.eta_q24,
        ctx.accounts.round.weight_sum,
    );
    let lambda = lambda(eta_q24.get(), weight_sum.get())?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        MergeFinalized {
            branch: ctx.accounts.round.branch,
            round_index: ctx.accounts.round.round_index,
            commit_id: ctx.accounts.round.merge_commit,
            old_head: old_head,
            new_seq: ctx.accounts.branch.head_seq,
            n_accepted: ctx.accounts.round.n_accepted,
            weight_sum: weight_sum,
            lambda: lambda.into(),
            update_root: ctx.accounts.round.update_root,
        }
    );
    Ok(())
}
