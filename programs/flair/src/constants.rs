//! Limits, each with the reason for its number.

/// Layout version written into every account.
pub const ACCOUNT_VERSION: u8 = 1;

/// Version of the event header. Readers refuse another one.
pub const EVENT_SCHEMA: u8 = 1;

/// Prefix of what is hashed for an event's root. With it, the root is the digest of a raw block of the store.
pub const EVENT_PREFIX: &[u8] = b"flair-event-v1\n";

/// Prefix of what is hashed for `Round.update_root`.
pub const ACCUMULATE_PREFIX: &[u8] = b"flair-accumulate-v1\n";

/// Room for a name: fits a DNS label with one byte to spare, and two of them fit a transaction.
pub const MAX_NAME_LEN: usize = 64;

/// Highest fee: one tenth. An admin can never take more, whatever key it holds.
pub const MAX_FEE_BPS: u16 = 1_000;

/// Most updates of a round: bounds the sums on chain and keeps `lambda * sum` within 64-bit integers off chain.
pub const MAX_UPDATES: u16 = 64;

/// Highest weight of an update: with `MAX_UPDATES` the weight sum stays below 2^15.
pub const MAX_WEIGHT: u16 = 256;

/// Highest step `eta`, 4.0, in units of 2^-24.
pub const MAX_ETA_Q24: u32 = 1 << 26;

/// Smallest and largest exponent of a delta's unit: float32 models need about 2^-30 to 2^0.
pub const SCALE_EXP_RANGE: core::ops::RangeInclusive<i16> = -40..=20;

/// Longest round and merge grace: one year.
pub const MAX_ROUND_S: u32 = 31_536_000;

/// Longest challenge time: one week.
pub const MAX_CHALLENGE_S: u32 = 604_800;

/// Most models besides the head that one commit may merge: their ids fit a transaction and an event.
pub const MAX_MERGED: usize = 16;

/// Most attestations that a policy may ask for: more would only make merges wait.
pub const MAX_ATTESTATIONS: u8 = 16;

/// Highest deposit: one SOL. It only has to make spam dear, not participation.
pub const MAX_DEPOSIT_LAMPORTS: u64 = 1_000_000_000;

/// Most uses of an invite: a clinic's network fits, and a link that leaked cannot be used without end.
pub const MAX_INVITE_USES: u16 = 1_000;

/// Longest delegation, 366 days: a key that everybody forgot stops working.
pub const MAX_DELEGATION_S: i64 = 31_622_400;

/// `repo_create` is paused.
pub const PAUSE_REPO: u32 = 1;
/// `branch_create`, `branch_set_policy`, `branch_advance`, `branch_merge` and `policy_create` are paused.
pub const PAUSE_BRANCH: u32 = 2;
/// `round_open` is paused.
pub const PAUSE_ROUND: u32 = 4;
/// `update_push` is paused.
pub const PAUSE_UPDATE: u32 = 8;
/// `merge_accumulate`, `merge_propose`, `merge_approve`, `merge_attest` and `merge_finalize` are paused.
pub const PAUSE_MERGE: u32 = 16;
/// `role_grant`, `invite_create`, `invite_redeem`, `join_request` and `delegation_create` are paused.
pub const PAUSE_ROLE: u32 = 32;
/// Every pause bit. Nothing that closes, withdraws, expires, settles, aborts or revokes has one.
pub const PAUSE_ALL: u32 =
    PAUSE_REPO | PAUSE_BRANCH | PAUSE_ROUND | PAUSE_UPDATE | PAUSE_MERGE | PAUSE_ROLE;
