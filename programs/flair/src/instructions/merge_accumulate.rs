//! Adds a batch of accepted updates to the round's sums.
//!
//! Accounts expected
//! 1. `actor` `[signer]`: anyone
//! 2. `config`
//! 3. `repo` `[writable]`
//! 4. `branch`
//! 5. `round` `[writable]`
//!
//! Data expected: none. After the event authority and the program come the updates, each `[writable]`.
//!
//! What MUST hold
//! * Merging is not paused.
//! * The round is live and closed.
//! * There is at least one update; each is an accepted one of this round, and behind the previous one in the order *weight descending, then contributor ascending*, also across batches. So each comes once.
//! * Each is at the PDA of its round and contributor.
//!
//! Event: `MergeAccumulated`.

use anchor_lang::{prelude::*, verify_program_address};

use crate::{
    constants::PAUSE_MERGE,
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        Branch, Config, Repo, Round, Update, DISCRIMINATOR_LEN, ROUND_CLOSED, SEED_BRANCH,
        SEED_REPO, SEED_ROUND, SEED_UPDATE, STATUS_ACCEPTED, STATUS_ACCUMULATED,
    },
};

/// Accounts of `merge_accumulate`.
#[event_cpi]
#[derive(Accounts)]
pub struct MergeAccumulate {
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
        seeds = [SEED_BRANCH, branch.repo.as_ref(), sha256(branch.name())],
        bump = branch.bump,
        constraint = branch.repo == *repo.address() @ FlairError::AccountMismatch
    )]
    pub branch: Account<Branch>,
    /// The round.
    #[account(
        mut,
        seeds = [SEED_ROUND, round.branch.as_ref(), round.round_index.get().to_le_bytes()],
        bump = round.bump,
        constraint = round.branch == *branch.address() @ FlairError::AccountMismatch
    )]
    pub round: Account<Round>,
}

impl MergeAccumulate {
    fn validate(&self) -> Result<()> {
        // config
        self.config.require_running(PAUSE_MERGE)?;
        // round
        self.branch.require_live(&self.round)?;
        require!(self.round.state == ROUND_CLOSED, FlairError::RoundNotClosed);
        Ok(())
    }

    /// Adds one update and marks it.
    fn accumulate(&mut self, mut account: AccountView) -> Result<()> {
        require!(
            account.owned_by(&crate::ID) && account.is_writable(),
            FlairError::AccountMismatch
        );
        let address = *account.address();
        let mut data = account.try_borrow_mut()?;
        let update = update_mut(&mut data).ok_or(FlairError::AccountMismatch)?;
        require!(
            update.round == *self.round.address(),
            FlairError::UpdateMismatch
        );
        verify_program_address(
            &[
                SEED_UPDATE,
                update.round.as_ref(),
                update.contributor.as_ref(),
                &[update.bump],
            ],
            &crate::ID,
            &address,
        )?;
        // Order first: an update that comes twice is out of order, whatever its status has become.
        self.round
            .accumulate(update.contributor, &update.commit_id, update.weight)?;
        require!(update.status == STATUS_ACCEPTED, FlairError::UpdateStatus);
        update.status = STATUS_ACCUMULATED;
        update.invariant()
    }
}

/// Adds a batch of accepted updates to the round's sums.
///
/// # Errors
/// Those of the rules above.
pub fn merge_accumulate(ctx: &mut Context<MergeAccumulate>) -> Result<()> {
    let now = unix_now()?;
    ctx.accounts.validate()?;
    let updates = ctx.remaining_accounts()?;
    require!(!updates.is_empty(), FlairError::AccumulateEmpty);
    let n_batch = u16::try_from(updates.len()).map_err(|_| FlairError::Overflow)?;
    for update in updates {
        ctx.accounts.accumulate(update)?;
    }
    ctx.accounts.round.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        MergeAccumulated {
            branch: ctx.accounts.round.branch,
            round_index: ctx.accounts.round.round_index,
            n_batch: n_batch.into(),
            n_accumulated: ctx.accounts.round.n_accumulated,
            weight_accumulated: ctx.accounts.round.weight_accumulated,
            update_root: ctx.accounts.round.update_root,
        }
    );
    Ok(())
}

/// The bytes of an `Update` account as one; `None` where discriminator or size say otherwise.
fn update_mut(data: &mut [u8]) -> Option<&mut Update> {
    let (discriminator, fields) = data.split_at_mut_checked(DISCRIMINATOR_LEN)?;
    if discriminator != Update::DISCRIMINATOR {
        return None;
    }
    bytemuck::try_from_bytes_mut(fields).ok()
}
