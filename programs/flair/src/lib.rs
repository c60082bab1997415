//! Flair's program: who may do what, the heads of branches, rounds, merges and the order of events.
//!
//! This file is the table of contents: one line of documentation and one call for each instruction. The rules stand in
//! `instructions/`, the bytes in `state/`, `events` and `docs/protocol.md`.
//!
//! **Security.** Report a weakness as `SECURITY.md` says, not in public. The program holds deposits and rent only; it
//! decides the head of a branch, not whether the commit behind it is honest: clients recompute every merge.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

extern crate alloc;

pub mod constants;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod state;

use anchor_lang::prelude::*;
use instructions::*;
use state::PolicyParams;

declare_id!("FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT");

/// Instructions: what each is for. Accounts, data and rules stand in the file of the same name.
#[program]
pub mod flair {
    use super::*;

    /// Makes the program's settings, once.
    pub fn config_create(ctx: &mut Context<ConfigCreate>, args: ConfigCreateArgs) -> Result<()> {
        instructions::config_create::config_create(ctx, args)
    }

    /// Changes the program's settings.
    pub fn config_set(ctx: &mut Context<ConfigSet>, args: ConfigSetArgs) -> Result<()> {
        instructions::config_set::config_set(ctx, args)
    }

    /// Makes a repository; its creator is the first authority.
    pub fn repo_create(ctx: &mut Context<RepoCreate>, args: RepoCreateArgs) -> Result<()> {
        instructions::repo_create::repo_create(ctx, args)
    }

    /// Makes a policy, which never changes.
    pub fn policy_create(ctx: &mut Context<PolicyCreate>, params: PolicyParams) -> Result<()> {
        instructions::policy_create::policy_create(ctx, params)
    }

    /// Makes a branch, without a head.
    pub fn branch_create(ctx: &mut Context<BranchCreate>, args: BranchCreateArgs) -> Result<()> {
        instructions::branch_create::branch_create(ctx, args)
    }

    /// Sets the policy of a branch from the next round on; a live round keeps the one that it pins.
    pub fn branch_set_policy(
        ctx: &mut Context<BranchSetPolicy>,
        args: BranchSetPolicyArgs,
    ) -> Result<()> {
        instructions::branch_set_policy::branch_set_policy(ctx, args)
    }

    /// Moves the head to a root, a snapshot or a revert; a live round ends by it.
    pub fn branch_advance(ctx: &mut Context<BranchAdvance>, args: BranchAdvanceArgs) -> Result<()> {
        instructions::branch_advance::branch_advance(ctx, args)
    }

    /// Moves the head to a merge of models; a live round ends by it.
    pub fn branch_merge(ctx: &mut Context<BranchMerge>, args: BranchMergeArgs) -> Result<()> {
        instructions::branch_merge::branch_merge(ctx, args)
    }

    /// Gives a wallet a role.
    pub fn role_grant(ctx: &mut Context<RoleGrant>, args: RoleGrantArgs) -> Result<()> {
        instructions::role_grant::role_grant(ctx, args)
    }

    /// Takes a role back and closes it.
    pub fn role_revoke(ctx: &mut Context<RoleRevoke>) -> Result<()> {
        instructions::role_revoke::role_revoke(ctx)
    }

    /// Makes an invite: whoever has its key may take a role.
    pub fn invite_create(ctx: &mut Context<InviteCreate>, args: InviteCreateArgs) -> Result<()> {
        instructions::invite_create::invite_create(ctx, args)
    }

    /// Takes the role of an invite.
    pub fn invite_redeem(ctx: &mut Context<InviteRedeem>) -> Result<()> {
        instructions::invite_redeem::invite_redeem(ctx)
    }

    /// Takes an invite back and closes it.
    pub fn invite_revoke(ctx: &mut Context<InviteRevoke>) -> Result<()> {
        instructions::invite_revoke::invite_revoke(ctx)
    }

    /// Asks for a role.
    pub fn join_request(ctx: &mut Context<RequestJoin>, args: JoinRequestArgs) -> Result<()> {
        instructions::join_request::join_request(ctx, args)
    }

    /// Closes a request for a role: it was answered or taken back.
    pub fn join_close(ctx: &mut Context<JoinClose>) -> Result<()> {
        instructions::join_close::join_close(ctx)
    }

    /// Lets another key push for a wallet in one repository.
    pub fn delegation_create(
        ctx: &mut Context<DelegationCreate>,
        args: DelegationCreateArgs,
    ) -> Result<()> {
        instructions::delegation_create::delegation_create(ctx, args)
    }

    /// Takes a delegation back and closes it.
    pub fn delegation_revoke(ctx: &mut Context<DelegationRevoke>) -> Result<()> {
        instructions::delegation_revoke::delegation_revoke(ctx)
    }

    /// Names who pays for contributors; gives it no right.
    pub fn repo_set_sponsor(
        ctx: &mut Context<RepoSetSponsor>,
        args: RepoSetSponsorArgs,
    ) -> Result<()> {
        instructions::repo_set_sponsor::repo_set_sponsor(ctx, args)
    }

    /// Offers the repository to another wallet, or takes the offer back.
    pub fn authority_offer(
        ctx: &mut Context<AuthorityOffer>,
        args: AuthorityOfferArgs,
    ) -> Result<()> {
        instructions::authority_offer::authority_offer(ctx, args)
    }

    /// Takes the repository that was offered; whatever the old authority allowed is void.
    pub fn authority_accept(ctx: &mut Context<AuthorityAccept>) -> Result<()> {
        instructions::authority_accept::authority_accept(ctx)
    }

    /// The authority approves a candidate.
    pub fn merge_approve(ctx: &mut Context<MergeApprove>, args: MergeApproveArgs) -> Result<()> {
        instructions::merge_approve::merge_approve(ctx, args)
    }

    /// Somebody attests that it made a candidate again, and it came out the same.
    pub fn merge_attest(ctx: &mut Context<MergeAttest>, args: MergeAttestArgs) -> Result<()> {
        instructions::merge_attest::merge_attest(ctx, args)
    }

    /// Closes an attestation whose round is over.
    pub fn attestation_expire(ctx: &mut Context<AttestationExpire>) -> Result<()> {
        instructions::attestation_expire::attestation_expire(ctx)
    }

    /// Opens the next round of a branch; it pins the branch's policy and head.
    pub fn round_open(ctx: &mut Context<RoundOpen>) -> Result<()> {
        instructions::round_open::round_open(ctx)
    }

    /// Closes a round: it takes no more updates and waits for its merge.
    pub fn round_close(ctx: &mut Context<RoundClose>) -> Result<()> {
        instructions::round_close::round_close(ctx)
    }

    /// Ends a round that cannot be merged any more.
    pub fn round_abort(ctx: &mut Context<RoundAbort>) -> Result<()> {
        instructions::round_abort::round_abort(ctx)
    }

    /// Pushes an update into the live round: one per contributor and round.
    pub fn update_push(ctx: &mut Context<UpdatePush>, args: UpdatePushArgs) -> Result<()> {
        instructions::update_push::update_push(ctx, args)
    }

    /// Takes an update back while the round is open.
    pub fn update_withdraw(ctx: &mut Context<UpdateWithdraw>) -> Result<()> {
        instructions::update_withdraw::update_withdraw(ctx)
    }

    /// Leaves an update out of the merge, in public and with a reason.
    pub fn update_reject(ctx: &mut Context<UpdateReject>, args: UpdateRejectArgs) -> Result<()> {
        instructions::update_reject::update_reject(ctx, args)
    }

    /// Closes an update of a round that ended without a merge; the last one closes the round too.
    pub fn update_expire(ctx: &mut Context<UpdateExpire>) -> Result<()> {
        instructions::update_expire::update_expire(ctx)
    }

    /// Credits an update of a merged round and closes it; the last one closes the round too.
    pub fn update_settle(ctx: &mut Context<UpdateSettle>) -> Result<()> {
        instructions::update_settle::update_settle(ctx)
    }

    /// Adds a batch of accepted updates to the round's sums.
    pub fn merge_accumulate(ctx: &mut Context<MergeAccumulate>) -> Result<()> {
        instructions::merge_accumulate::merge_accumulate(ctx)
    }

    /// Proposes a commit as the merge of a closed round.
    pub fn merge_propose(ctx: &mut Context<MergePropose>, args: MergeProposeArgs) -> Result<()> {
        instructions::merge_propose::merge_propose(ctx, args)
    }

    /// Moves the head to a candidate and ends the round.
    pub fn merge_finalize(ctx: &mut Context<MergeFinalize>, args: MergeFinalizeArgs) -> Result<()> {
        instructions::merge_finalize::merge_finalize(ctx, args)
    }

    /// Closes the candidate of a round that is over.
    pub fn merge_expire(ctx: &mut Context<MergeExpire>) -> Result<()> {
        instructions::merge_expire::merge_expire(ctx)
    }
}
