//! Somebody attests that it made a candidate again, and it came out the same.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`
//! 2. `attester` `[signer]`
//! 3. `role` `[optional]`
//! 4. `config`
//! 5. `repo` `[writable]`
//! 6. `branch`
//! 7. `round`
//! 8. `candidate` `[writable]`
//! 9. `attestation` `[writable]`: made
//! 10. `system_program`
//!
//! Data expected: update_root 32 bytes: the round's, as the caller saw it.
//!
//! What MUST hold
//! * The attester is the authority or holds `attest` for the repository or the branch, and did not propose the candidate.
//! * Merging is not paused.
//! * The round is live and closed, and every accepted update was accumulated: what is attested cannot change any more.
//! * The updates are those that the caller saw.
//! * The attester has not attested the candidate under this authority: the address would exist.
//!
//! Not checked: that the attester recomputed anything; its name stands for it.
//!
//! Event: `MergeAttested`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_MERGE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, Attestation, Branch, Config, MergeCandidate, Repo, Role, Round, SCOPE_ATTEST,
        SEED_ATTEST, SEED_BRANCH, SEED_MERGE, SEED_REPO, SEED_ROLE, SEED_ROUND,
    },
};

/// Arguments of `merge_attest`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MergeAttestArgs {
    /// Chained digest over the updates that the caller saw.
    pub update_root: [u8; 32],
}

/// Accounts of `merge_attest`.
#[event_cpi]
#[derive(Accounts)]
pub struct MergeAttest {
    /// Pays the rent. May be the same wallet as another one here: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Who attests.
    pub attester: Signer,
    /// The attester's role; none for the authority.
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
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Account<Branch>,
    /// The round.
    #[account(
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
    /// The candidate.
    #[account(
        mut,
        seeds = [SEED_MERGE, candidate.round.as_ref(), candidate.commit_id],
        bump = candidate.bump,
        constraint = candidate.round == *round.address() @ FlairError::AccountMismatch
    )]
    pub candidate: Account<MergeCandidate>,
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [
            SEED_ATTEST,
            candidate.address(),
            repo.authority_epoch.get().to_le_bytes(),
            attester.address()
        ],
        bump
    )]
    pub attestation: Account<Attestation>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl MergeAttest {
    fn validate(&self, args: &MergeAttestArgs, now: i64) -> Result<()> {
        // attester, role
        authorise(
            &self.repo,
            self.branch.address(),
            self.attester.address(),
            self.role.as_deref(),
            SCOPE_ATTEST,
            now,
        )?;
        // Whoever proposed it has said so already.
        require!(
            self.candidate.proposer != *self.attester.address(),
            FlairError::AttestsOwn
        );
        // config
        self.config.require_running(PAUSE_MERGE)?;
        // round
        self.branch.require_live(&self.round)?;
        self.round.require_final_updates(&args.update_root)
    }

    fn fill_attestation(&mut self, bump: u8, now: i64) -> Result<()> {
        let (candidate, attestation) = (&self.candidate, &mut self.attestation);
        attestation.version = ACCOUNT_VERSION;
        attestation.bump = bump;
        attestation.repo = candidate.repo;
        attestation.branch = candidate.branch;
        attestation.candidate = *candidate.address();
        attestation.attester = *self.attester.address();
        attestation.rent_payer = *self.payer.address();
        attestation.round_index = candidate.round_index;
        attestation.commit_id = candidate.commit_id;
        attestation.authority_epoch = self.repo.authority_epoch;
        attestation.attested_at = now.into();
        attestation.invariant()
    }
}

/// Somebody attests that it made a candidate again, and it came out the same.
///
/// # Errors
/// Those of the rules above.
pub fn merge_attest(ctx: &mut Context<MergeAttest>, args: MergeAttestArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    ctx.accounts.fill_attestation(ctx.bumps.attestation, now)?;
    let epoch = ctx.accounts.repo.authority_epoch;
    ctx.accounts.candidate.attest(epoch)?;
    ctx.accounts.candidate.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.attester.address(),
        now,
        MergeAttested {
            branch: ctx.accounts.candidate.branch,
            round_index: ctx.accounts.candidate.round_index,
            commit_id: ctx.accounts.candidate.commit_id,
            attester: ctx.accounts.attestation.attester,
            update_root: args.update_root,
        }
    );
    Ok(())
}
