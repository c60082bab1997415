//! Moves the head to a merge of models; a live round ends by it.
//!
//! Accounts expected
//! 1. `actor` `[signer]`
//! 2. `role` `[optional]`
//! 3. `config`
//! 4. `repo` `[writable]`
//! 5. `branch` `[writable]`
//!
//! Data expected: expected_head 32 bytes, expected_seq u64, new_head 32 bytes, merged 512 bytes: commit ids, zero-filled.
//!
//! What MUST hold
//! * Branches are not paused.
//! * The actor is the authority or, on an unprotected branch, holds `administer` for the repository or the branch.
//! * The branch has a head; head and sequence are the expected ones; the new head is neither zero nor the old one.
//! * Merged commits are 1 to 16, ascending, each once; none of them is the old or the new head.
//!
//! Not checked: that the merged commits exist and the new head is their merge. They may be of any branch and repository,
//! and need be no heads any more; clients make the merge again.
//!
//! Event: `BranchMerged`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::{MAX_MERGED, PAUSE_BRANCH},
    errors::FlairError,
    events::record,
    instructions::unix_now,
    state::{
        authorise_move, Branch, Config, Repo, Role, SCOPE_ADMINISTER, SEED_BRANCH, SEED_REPO,
        SEED_ROLE,
    },
};

/// Arguments of `branch_merge`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct BranchMergeArgs {
    /// The head that the caller saw: the merge's first parent.
    pub expected_head: [u8; 32],
    /// Its sequence.
    pub expected_seq: u64,
    /// The merge.
    pub new_head: [u8; 32],
    /// The merge's other parents, 32 bytes each, zero-filled.
    pub merged: [u8; 512],
}

/// Bytes of a commit id.
const ID_LEN: usize = 32;

/// Accounts of `branch_merge`.
#[event_cpi]
#[derive(Accounts)]
pub struct BranchMerge {
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

impl BranchMerge {
    fn validate(&self, args: &BranchMergeArgs, now: i64) -> Result<u8> {
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
        require!(self.branch.has_head(), FlairError::HeadUnset);
        self.branch
            .require_head(&args.expected_head, args.expected_seq)?;
        require!(
            args.new_head != [0; 32] && args.new_head != self.branch.head_commit,
            FlairError::CommitInvalid
        );
        count_merged(&args.merged, &[args.expected_head, args.new_head])
    }
}

/// The number of merged commits: those before the first zero one.
///
/// # Errors
/// `MergedInvalid`: there is none, they are not ascending, bytes follow the last, or one is among `others`.
fn count_merged(merged: &[u8; 512], others: &[[u8; ID_LEN]]) -> Result<u8> {
    let ids: [[u8; ID_LEN]; MAX_MERGED] = bytemuck::cast(*merged);
    let mut last = [0; ID_LEN];
    let mut count = 0u8;
    let mut is_over = false;
    for id in ids {
        if id == [0; ID_LEN] {
            is_over = true;
            continue;
        }
        let is_next = !is_over && id > last && !others.contains(&id);
        require!(is_next, FlairError::MergedInvalid);
        last = id;
        count = count.checked_add(1).ok_or(FlairError::Overflow)?;
    }
    require!(count > 0, FlairError::MergedInvalid);
    Ok(count)
}

/// Moves the head to a merge of models; a live round ends by it.
///
/// # Errors
/// Those of the rules above.
pub fn branch_merge(ctx: &mut Context<BranchMerge>, args: BranchMergeArgs) -> Result<()> {
    let now = unix_now()?;
    let n_merged = ctx.accounts.validate(&args, now)?;
    let branch = &mut ctx.accounts.branch;
    let (ended_round, round_index) = branch.advance(args.new_head)?;
    branch.invariant()?;
    record!(
        ctx.repo,
        ctx.accounts.actor.address(),
        now,
        BranchMerged {
            branch: *ctx.accounts.branch.address(),
            old_head: args.expected_head,
            new_head: args.new_head,
            new_seq: ctx.accounts.branch.head_seq,
            ended_round: ended_round,
            round_index: round_index,
            n_merged: n_merged,
            merged: args.merged,
        }
    );
    Ok(())
}

const _: () = assert!(MAX_MERGED * ID_LEN == 512);

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(ids: &[u8]) -> [u8; 512] {
        let mut merged = [0; 512];
        for (place, id) in merged.chunks_exact_mut(ID_LEN).zip(ids) {
            place.fill(*id);
        }
        merged
    }

    #[test]
    fn ascending_commits_are_counted() {
        let all: [u8; MAX_MERGED] = core::array::from_fn(|at| at as u8 + 1);
        for (ids, count) in [(&[1u8][..], 1), (&[1, 2, 255][..], 3), (&all[..], 16)] {
            assert_eq!(
                count_merged(&packed(ids), &[[0; 32], [77; 32]]).unwrap(),
                count
            );
        }
    }

    #[test]
    fn commits_in_another_form_are_refused() {
        let cases: [&[u8]; 7] = [&[], &[0, 1], &[1, 0, 2], &[2, 1], &[1, 1], &[8], &[3, 9]];
        for ids in cases {
            assert_eq!(
                count_merged(&packed(ids), &[[8; 32], [9; 32]]).unwrap_err(),
                FlairError::MergedInvalid.into(),
                "{ids:?}"
            );
        }
    }
}
