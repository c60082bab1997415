//! A variant per broken rule. Numbers are 6000 plus the position; they never change and are never used again.

use anchor_lang::prelude::*;

/// Why an instruction was refused.
#[error_code]
#[derive(Debug, PartialEq, Eq)]
pub enum FlairError {
    /// 6000: only the authority of the repository may do this.
    #[msg("only the authority of the repository may do this")]
    NotAuthority,
    /// 6001: the signer is not the authority and brought no role that holds here.
    #[msg("the signer is not the authority and brought no role that holds here")]
    RoleMissing,
    /// 6002: the role has expired.
    #[msg("the role has expired")]
    RoleExpired,
    /// 6003: the role was granted before the authority changed.
    #[msg("the role was granted before the authority changed")]
    RoleVoid,
    /// 6004: the role does not have this right.
    #[msg("the role does not have this right")]
    RoleScope,
    /// 6005: a protected branch moves by its authority alone.
    #[msg("a protected branch moves by its authority alone")]
    ProtectedBranch,
    /// 6006: only the upgrade authority of the program makes the Config.
    #[msg("only the upgrade authority of the program makes the Config")]
    NotUpgradeAuthority,
    /// 6007: paused by the program's admin.
    #[msg("paused by the program's admin")]
    Paused,
    /// 6008: not a valid name.
    #[msg("not a valid name")]
    NameInvalid,
    /// 6009: above the cap.
    #[msg("above the cap")]
    FeeTooHigh,
    /// 6010: unknown bits are set.
    #[msg("unknown bits are set")]
    UnknownBits,
    /// 6011: this mode is not supported yet.
    #[msg("this mode is not supported yet")]
    ModeNotBuilt,
    /// 6012: a field of the policy is outside its limits.
    #[msg("a field of the policy is outside its limits")]
    PolicyOutOfRange,
    /// 6013: not the policy that the branch or round names.
    #[msg("not the policy that the branch or round names")]
    PolicyMismatch,
    /// 6014: head or sequence is not the expected one.
    #[msg("head or sequence is not the expected one")]
    HeadMoved,
    /// 6015: the branch has no root commit yet.
    #[msg("the branch has no root commit yet")]
    HeadUnset,
    /// 6016: the branch already has a root commit.
    #[msg("the branch already has a root commit")]
    HeadAlreadySet,
    /// 6017: a commit id or digest that may not be zero is zero, or the head would not change.
    #[msg("a commit id or digest that may not be zero is zero, or the head would not change")]
    CommitInvalid,
    /// 6018: unknown kind of move.
    #[msg("unknown kind of move")]
    KindUnknown,
    /// 6019: a round is in progress on this branch.
    #[msg("a round is in progress on this branch")]
    RoundInProgress,
    /// 6020: the round is over.
    #[msg("the round is over")]
    RoundNotLive,
    /// 6021: the round takes no more updates.
    #[msg("the round takes no more updates")]
    RoundClosed,
    /// 6022: the round is not closed yet.
    #[msg("the round is not closed yet")]
    RoundNotClosed,
    /// 6023: not enough updates, or the deadline has not passed.
    #[msg("not enough updates, or the deadline has not passed")]
    RoundNotReady,
    /// 6024: the round can still be finished.
    #[msg("the round can still be finished")]
    RoundNotAbortable,
    /// 6025: the round has its maximum of updates.
    #[msg("the round has its maximum of updates")]
    RoundFull,
    /// 6026: the update was made for another base.
    #[msg("the update was made for another base")]
    StaleBase,
    /// 6027: weight is not a power of two within the cap.
    #[msg("weight is not a power of two within the cap")]
    WeightInvalid,
    /// 6028: the update's status does not allow this.
    #[msg("the update's status does not allow this")]
    UpdateStatus,
    /// 6029: the update belongs to another round.
    #[msg("the update belongs to another round")]
    UpdateMismatch,
    /// 6030: a rejection needs a reason code.
    #[msg("a rejection needs a reason code")]
    ReasonMissing,
    /// 6031: the round was not merged.
    #[msg("the round was not merged")]
    RoundNotMerged,
    /// 6032: the round was merged: settle, do not expire.
    #[msg("the round was merged: settle, do not expire")]
    RoundMerged,
    /// 6033: updates must come by weight descending, then contributor ascending, each once.
    #[msg("updates must come by weight descending, then contributor ascending, each once")]
    AccumulateOrder,
    /// 6034: no update was given.
    #[msg("no update was given")]
    AccumulateEmpty,
    /// 6035: not every accepted update was added.
    #[msg("not every accepted update was added")]
    NotAllAccumulated,
    /// 6036: fewer accepted updates than the policy's minimum.
    #[msg("fewer accepted updates than the policy's minimum")]
    TooFewUpdates,
    /// 6037: the challenge time has not passed.
    #[msg("the challenge time has not passed")]
    ChallengeOpen,
    /// 6038: the signer may not propose a merge for this round.
    #[msg("the signer may not propose a merge for this round")]
    NotProposer,
    /// 6039: the candidate's round is still in progress.
    #[msg("the candidate's round is still in progress")]
    CandidateLive,
    /// 6040: rent goes back to whoever paid it.
    #[msg("rent goes back to whoever paid it")]
    RentPayerMismatch,
    /// 6041: an account does not belong to the others.
    #[msg("an account does not belong to the others")]
    AccountMismatch,
    /// 6042: arithmetic overflow.
    #[msg("arithmetic overflow")]
    Overflow,
    /// 6043: the expiry has passed already.
    #[msg("the expiry has passed already")]
    ExpiryInPast,
    /// 6044: reserved bytes must be zero.
    #[msg("reserved bytes must be zero")]
    ReservedNotZero,
    /// 6045: the policy asks for no proof.
    #[msg("the policy asks for no proof")]
    StatementUnexpected,
    /// 6046: the bookkeeping of an account contradicts itself.
    #[msg("the bookkeeping of an account contradicts itself")]
    InvariantBroken,
    /// 6047: invites and requests cannot be for the right to administer.
    #[msg("invites and requests cannot be for the right to administer")]
    ScopeTooWide,
    /// 6048: uses of an invite are 1 to 1,000.
    #[msg("uses of an invite are 1 to 1,000")]
    InviteUses,
    /// 6049: the invite has expired.
    #[msg("the invite has expired")]
    InviteExpired,
    /// 6050: a delegation lasts at most 366 days.
    #[msg("a delegation lasts at most 366 days")]
    DelegationTooLong,
    /// 6051: a wallet needs no delegation to itself.
    #[msg("a wallet needs no delegation to itself")]
    DelegateSelf,
    /// 6052: only the wallet or the key of the delegation may do this.
    #[msg("only the wallet or the key of the delegation may do this")]
    NotDelegator,
    /// 6053: the delegation has expired.
    #[msg("the delegation has expired")]
    DelegationExpired,
    /// 6054: the signer is not the contributor and brought no delegation.
    #[msg("the signer is not the contributor and brought no delegation")]
    DelegationMissing,
    /// 6055: only the update's contributor or its signer may do this.
    #[msg("only the update's contributor or its signer may do this")]
    NotContributor,
    /// 6056: an offer is to another wallet than the authority's, and not the one that stands.
    #[msg("an offer is to another wallet than the authority's, and not the one that stands")]
    OfferInvalid,
    /// 6057: the repository was not offered to this wallet.
    #[msg("the repository was not offered to this wallet")]
    NotOffered,
    /// 6058: the updates are not those that the caller saw.
    #[msg("the updates are not those that the caller saw")]
    UpdatesChanged,
    /// 6059: the authority has approved the candidate already.
    #[msg("the authority has approved the candidate already")]
    ApprovedAlready,
    /// 6060: whoever proposed a merge does not attest it.
    #[msg("whoever proposed a merge does not attest it")]
    AttestsOwn,
    /// 6061: the authority has not approved the candidate.
    #[msg("the authority has not approved the candidate")]
    ApprovalMissing,
    /// 6062: fewer attestations than the policy asks for.
    #[msg("fewer attestations than the policy asks for")]
    AttestationsMissing,
    /// 6063: the candidate of a protected branch was proposed before the authority changed.
    #[msg("the candidate of a protected branch was proposed before the authority changed")]
    CandidateVoid,
    /// 6064: merged commits are 1 to 16, ascending, each once, and neither the head nor the merge.
    #[msg("merged commits are 1 to 16, ascending, each once, and neither the head nor the merge")]
    MergedInvalid,
    /// 6065: the strategy's promise needs more updates than min_updates.
    #[msg("the strategy's promise needs more updates than min_updates")]
    StrategyBound,
}

const _: () = assert!(FlairError::StrategyBound as u32 == 65);
