//! Pushes an update into the live round: one per contributor and round.
//!
//! Accounts expected
//! 1. `payer` `[writable, signer]`: gives rent and deposit
//! 2. `signer` `[signer]`: the contributor, or a key that it delegated to
//! 3. `contributor`: whom the update counts for
//! 4. `delegation` `[optional]`: to the signer
//! 5. `role` `[optional]`: the contributor's
//! 6. `config`
//! 7. `repo` `[writable]`
//! 8. `branch`
//! 9. `policy`: that the round pins
//! 10. `round` `[writable]`
//! 11. `update` `[writable]`: made
//! 12. `contribution` `[writable]`: made at the first push
//! 13. `system_program`
//!
//! Data expected: commit_id 32 bytes, expected_base 32 bytes, weight u16, payload_digest 32 bytes, statement_digest 32 bytes, nonce 16 bytes.
//!
//! What MUST hold
//! * The signer is the contributor, or brought the delegation by which the contributor lets it act in this repository, and that has not expired.
//! * Pushing is not paused.
//! * The round is live, open, before its deadline and not full.
//! * Where the policy is "invited", the contributor is the authority or holds `contribute` for the repository or the branch.
//! * The expected base is the round's; commit id and payload digest are not zero, the statement digest is.
//! * The weight is a power of two within the policy's cap.
//!
//! Not checked: that the commit exists and trained from the base: the aggregator and every client do that.
//!
//! Event: `UpdatePushed`.

use anchor_lang::prelude::*;
use anchor_lang::{
    system_program::{transfer, Transfer},
    IdlType,
};

use crate::{
    constants::{ACCOUNT_VERSION, PAUSE_UPDATE},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise, Branch, Config, Contribution, Delegation, Policy, Repo, Role, Round, Update,
        CONTRIBUTE_INVITED, ROUND_OPEN, SCOPE_CONTRIBUTE, SEED_BRANCH, SEED_CONTRIB, SEED_DELEGATE,
        SEED_POLICY, SEED_REPO, SEED_ROLE, SEED_ROUND, SEED_UPDATE, STATUS_ACCEPTED,
    },
};

/// Arguments of `update_push`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct UpdatePushArgs {
    /// The update commit.
    pub commit_id: [u8; 32],
    /// What it was trained from.
    pub expected_base: [u8; 32],
    /// A power of two: samples, bucketed.
    pub weight: u16,
    /// Digest of the delta object.
    pub payload_digest: [u8; 32],
    /// Zero without proofs.
    pub statement_digest: [u8; 32],
    /// Chosen by the contributor.
    pub nonce: [u8; 16],
}

/// Accounts of `update_push`.
#[event_cpi]
#[derive(Accounts)]
pub struct UpdatePush {
    /// Gives rent and deposit. May be the signer: it only gives lamports.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The contributor, or a key that it delegated to.
    pub signer: Signer,
    /// CHECK: nothing of it but its address is used: by `validate` it has signed, or delegated to the signer. Whom the update counts for.
    pub contributor: UncheckedAccount,
    /// By which the contributor lets the signer push for it; none where it signs itself.
    #[account(
        seeds = [SEED_DELEGATE, delegation.repo.as_ref(), delegation.wallet.as_ref(), delegation.key.as_ref()],
        bump = delegation.bump,
        constraint = delegation.repo == *repo.address() @ FlairError::AccountMismatch,
        constraint = delegation.wallet == *contributor.address() @ FlairError::AccountMismatch,
        constraint = delegation.key == *signer.address() @ FlairError::AccountMismatch
    )]
    pub delegation: Option<Account<Delegation>>,
    /// The contributor's role; none where the policy is open.
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
    /// Made here.
    #[account(
        init,
        payer = payer,
        seeds = [SEED_UPDATE, round.address(), contributor.address()],
        bump
    )]
    pub update: Account<Update>,
    /// Made at the first push. One that exists is checked like any other: owner, discriminator, size, seeds.
    #[account(
        init_if_needed,
        payer = payer,
        seeds = [SEED_CONTRIB, repo.address(), contributor.address()],
        bump = contribution.bump
    )]
    pub contribution: Account<Contribution>,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl UpdatePush {
    fn validate(&self, args: &UpdatePushArgs, now: i64) -> Result<()> {
        // signer, contributor, delegation
        if self.signer.address() != self.contributor.address() {
            self.delegation
                .as_deref()
                .ok_or(FlairError::DelegationMissing)?
                .require_holding(now)?;
        }
        // contributor, role
        let params = &self.policy.params;
        if params.contribute == CONTRIBUTE_INVITED {
            authorise(
                &self.repo,
                self.branch.address(),
                self.contributor.address(),
                self.role.as_deref(),
                SCOPE_CONTRIBUTE,
                now,
            )?;
        }
        // config
        self.config.require_running(PAUSE_UPDATE)?;
        // round
        self.branch.require_live(&self.round)?;
        require!(
            self.round.state == ROUND_OPEN && now < self.round.deadline.get(),
            FlairError::RoundClosed
        );
        require!(
            self.round.n_accepted < params.max_updates,
            FlairError::RoundFull
        );
        // update
        require!(
            args.expected_base == self.round.base_commit,
            FlairError::StaleBase
        );
        require!(
            args.commit_id != [0; 32] && args.payload_digest != [0; 32],
            FlairError::CommitInvalid
        );
        require!(
            args.statement_digest == [0; 32],
            FlairError::StatementUnexpected
        );
        require!(
            args.weight.is_power_of_two() && args.weight <= params.weight_cap.get(),
            FlairError::WeightInvalid
        );
        Ok(())
    }

    fn fill_update(&mut self, args: &UpdatePushArgs, bump: u8, now: i64) -> Result<()> {
        let (round, update) = (&self.round, &mut self.update);
        update.version = ACCOUNT_VERSION;
        update.bump = bump;
        update.status = STATUS_ACCEPTED;
        update.weight = args.weight.into();
        update.repo = round.repo;
        update.branch = round.branch;
        update.round = *round.address();
        update.contributor = *self.contributor.address();
        update.commit_id = args.commit_id;
        update.payload_digest = args.payload_digest;
        update.statement_digest = args.statement_digest;
        update.nonce = args.nonce;
        update.pushed_at = now.into();
        update.deposit_lamports = self.policy.params.deposit_lamports;
        update.rent_payer = *self.payer.address();
        update.signer = *self.signer.address();
        update.invariant()
    }

    fn count(&mut self, weight: u16, contribution_bump: u8) -> Result<()> {
        self.round.add_update(weight)?;
        let contribution = &mut self.contribution;
        if contribution.version == 0 {
            contribution.version = ACCOUNT_VERSION;
            contribution.bump = contribution_bump;
            contribution.repo = *self.repo.address();
            contribution.contributor = *self.contributor.address();
        }
        contribution.updates = contribution
            .updates
            .checked_add(1u64)
            .ok_or(FlairError::Overflow)?;
        contribution.invariant()?;
        self.round.invariant()
    }

    fn take_deposit(&mut self) -> Result<()> {
        let deposit_lamports = self.policy.params.deposit_lamports.get();
        if deposit_lamports == 0 {
            return Ok(());
        }
        let accounts = Transfer {
            from: self.payer.try_cpi_handle_mut()?,
            to: self.update.try_cpi_handle_mut()?,
        };
        let context = CpiContext::new(self.system_program.address(), accounts);
        transfer(context, deposit_lamports)
    }
}

/// Pushes an update into the live round: one per contributor and round.
///
/// # Errors
/// Those of the rules above.
pub fn update_push(ctx: &mut Context<UpdatePush>, args: UpdatePushArgs) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate(&args, now)?;
    ctx.accounts.fill_update(&args, ctx.bumps.update, now)?;
    ctx.accounts.count(args.weight, ctx.bumps.contribution)?;
    ctx.accounts.take_deposit()?;
    record!(
        ctx.repo,
        ctx.accounts.signer.address(),
        now,
        UpdatePushed {
            branch: ctx.accounts.update.branch,
            round_index: ctx.accounts.round.round_index,
            contributor: ctx.accounts.update.contributor,
            commit_id: args.commit_id,
            payload_digest: args.payload_digest,
            statement_digest: args.statement_digest,
            nonce: args.nonce,
            weight: args.weight.into(),
            n_columns: 0,
        }
    );
    Ok(())
}
