//! Instructions, one file each: arguments, accounts, `validate`, handler.
//!
//! Everywhere: every account of the program is owned by it, has its discriminator and is the PDA of the seeds in its own
//! fields; accounts that may change are given once (Anchor refuses duplicates), except wallets that only pay or receive
//! lamports. After the accounts listed in a file come the event authority and the program.

pub mod config_create;
pub mod config_set;
pub mod repo_create;
pub mod policy_create;
pub mod branch_create;
pub mod branch_set_policy;
pub mod branch_advance;
pub mod role_grant;
pub mod role_revoke;
pub mod round_open;
pub mod round_close;
pub mod round_abort;
pub mod update_push;
pub mod update_withdraw;
pub mod update_reject;
pub mod update_expire;
pub mod update_settle;
pub mod merge_accumulate;
pub mod merge_propose;
pub mod merge_finalize;
pub mod merge_expire;

pub use {
    config_create::*, config_set::*, repo_create::*, policy_create::*, branch_create::*, branch_set_policy::*, branch_advance::*, role_grant::*, role_revoke::*, round_open::*, round_close::*, round_abort::*, update_push::*, update_withdraw::*, update_reject::*, update_expire::*, update_settle::*, merge_accumulate::*, merge_propose::*, merge_finalize::*, merge_expire::*,
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
