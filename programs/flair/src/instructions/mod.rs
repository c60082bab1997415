//! Instructions, one file each: arguments, accounts, `validate`, handler.
//!
//! Everywhere: every account of the program is owned by it, has its discriminator and is the PDA of the seeds in its own
//! fields; accounts that may change are given once (Anchor refuses duplicates), except wallets that only pay or receive
//! lamports. After the accounts listed in a file come the event authority and the program.

pub mod attestation_expire;
pub mod authority_accept;
pub mod authority_offer;
pub mod branch_advance;
pub mod branch_create;
pub mod branch_merge;
pub mod branch_set_policy;
pub mod config_create;
pub mod config_set;
pub mod delegation_create;
pub mod delegation_revoke;
pub mod invite_create;
pub mod invite_redeem;
pub mod invite_revoke;
pub mod join_close;
pub mod join_request;
pub mod merge_accumulate;
pub mod merge_approve;
pub mod merge_attest;
pub mod merge_expire;
pub mod merge_finalize;
pub mod merge_propose;
pub mod policy_create;
pub mod repo_create;
pub mod repo_set_sponsor;
pub mod role_grant;
pub mod role_revoke;
pub mod round_abort;
pub mod round_close;
pub mod round_open;
pub mod update_expire;
pub mod update_push;
pub mod update_reject;
pub mod update_settle;
pub mod update_withdraw;

pub use {
    attestation_expire::*, authority_accept::*, authority_offer::*, branch_advance::*,
    branch_create::*, branch_merge::*, branch_set_policy::*, config_create::*, config_set::*,
    delegation_create::*, delegation_revoke::*, invite_create::*, invite_redeem::*,
    invite_revoke::*, join_close::*, join_request::*, merge_accumulate::*, merge_approve::*,
    merge_attest::*, merge_expire::*, merge_finalize::*, merge_propose::*, policy_create::*,
    repo_create::*, repo_set_sponsor::*, role_grant::*, role_revoke::*, round_abort::*,
    round_close::*, round_open::*, update_expire::*, update_push::*, update_reject::*,
    update_settle::*, update_withdraw::*,
};

use anchor_lang::prelude::*;
use pinocchio::sysvars::Sysvar;

/// Unix time of the cluster, in seconds.
///
/// # Errors
/// Those of the clock sysvar.
pub(crate) fn unix_now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}
