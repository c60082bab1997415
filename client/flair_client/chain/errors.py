"""The program's error numbers and the runtime's refusals as Python errors.

The table mirrors docs/protocol.md, section 4; numbers never change.
"""

from collections.abc import Mapping
from typing import Any, Final

from flair_client.errors import ProgramRefused

PROGRAM_ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    6000: ("NotAuthority", "only the authority of the repository may do this"),
    6001: (
        "RoleMissing",
        "the signer is not the authority and brought no role that holds here",
    ),
    6002: ("RoleExpired", "the role has expired"),
    6003: ("RoleVoid", "the role was granted before the authority changed"),
    6004: ("RoleScope", "the role does not have this right"),
    6005: ("ProtectedBranch", "a protected branch moves by its authority alone"),
    6006: (
        "NotUpgradeAuthority",
        "only the upgrade authority of the program makes the Config",
    ),
    6007: ("Paused", "paused by the program's admin"),
    6008: ("NameInvalid", "not a valid name"),
    6009: ("FeeTooHigh", "above the cap"),
    6010: ("UnknownBits", "unknown bits are set"),
    6011: ("ModeNotBuilt", "this mode is not supported yet"),
    6012: ("PolicyOutOfRange", "a field of the policy is outside its limits"),
    6013: ("PolicyMismatch", "not the policy that the branch or round names"),
    6014: ("HeadMoved", "head or sequence is not the expected one"),
    6015: ("HeadUnset", "the branch has no root commit yet"),
    6016: ("HeadAlreadySet", "the branch already has a root commit"),
    6017: (
        "CommitInvalid",
        (
            "a commit id or digest that may not be zero is zero, "
            "or the head would not change"
        ),
    ),
    6018: ("KindUnknown", "unknown kind of move"),
    6019: ("RoundInProgress", "a round is in progress on this branch"),
    6020: ("RoundNotLive", "the round is over"),
    6021: ("RoundClosed", "the round takes no more updates"),
    6022: ("RoundNotClosed", "the round is not closed yet"),
    6023: ("RoundNotReady", "not enough updates, or the deadline has not passed"),
    6024: ("RoundNotAbortable", "the round can still be finished"),
    6025: ("RoundFull", "the round has its maximum of updates"),
    6026: ("StaleBase", "the update was made for another base"),
    6027: ("WeightInvalid", "weight is not a power of two within the cap"),
    6028: ("UpdateStatus", "the update's status does not allow this"),
    6029: ("UpdateMismatch", "the update belongs to another round"),
    6030: ("ReasonMissing", "a rejection needs a reason code"),
    6031: ("RoundNotMerged", "the round was not merged"),
    6032: ("RoundMerged", "the round was merged: settle, do not expire"),
    6033: (
        "AccumulateOrder",
        "updates must come by weight descending, then contributor ascending, each once",
    ),
    6034: ("AccumulateEmpty", "no update was given"),
    6035: ("NotAllAccumulated", "not every accepted update was added"),
    6036: ("TooFewUpdates", "fewer accepted updates than the policy's minimum"),
    6037: ("ChallengeOpen", "the challenge time has not passed"),
    6038: ("NotProposer", "the signer may not propose a merge for this round"),
    6039: ("CandidateLive", "the candidate's round is still in progress"),
    6040: ("RentPayerMismatch", "rent goes back to whoever paid it"),
    6041: ("AccountMismatch", "an account does not belong to the others"),
    6042: ("Overflow", "arithmetic overflow"),
    6043: ("ExpiryInPast", "the expiry has passed already"),
    6044: ("ReservedNotZero", "reserved bytes must be zero"),
    6045: ("StatementUnexpected", "the policy asks for no proof"),
    6046: ("InvariantBroken", "the bookkeeping of an account contradicts itself"),
    6047: (
        "ScopeTooWide",
        "invites and requests cannot be for the right to administer",
    ),
    6048: ("InviteUses", "uses of an invite are 1 to 1,000"),
    6049: ("InviteExpired", "the invite has expired"),
    6050: ("DelegationTooLong", "a delegation lasts at most 366 days"),
    6051: ("DelegateSelf", "a wallet needs no delegation to itself"),
    6052: (
        "NotDelegator",
        "only the wallet or the key of the delegation may do this",
    ),
    6053: ("DelegationExpired", "the delegation has expired"),
    6054: (
        "DelegationMissing",
        "the signer is not the contributor and brought no delegation",
    ),
    6055: (
        "NotContributor",
        "only the update's contributor or its signer may do this",
    ),
    6056: (
        "OfferInvalid",
        (
            "an offer is to another wallet than the authority's, "
            "and not the one that stands"
        ),
    ),
    6057: ("NotOffered", "the repository was not offered to this wallet"),
    6058: ("UpdatesChanged", "the updates are not those that the caller saw"),
    6059: ("ApprovedAlready", "the authority has approved the candidate already"),
    6060: ("AttestsOwn", "whoever proposed a merge does not attest it"),
    6061: ("ApprovalMissing", "the authority has not approved the candidate"),
    6062: ("AttestationsMissing", "fewer attestations than the policy asks for"),
    6063: (
        "CandidateVoid",
        (
            "the candidate of a protected branch was proposed "
            "before the authority changed"
        ),
    ),
    6064: (
        "MergedInvalid",
        (
            "merged commits are 1 to 16, ascending, each once, "
            "and neither the head nor the merge"
        ),
    ),
    6065: (
        "StrategyBound",
        "the strategy's promise needs more updates than min_updates",
    ),
}


# Numbers of the system program, which makes accounts and moves money for ours; ours
# and Anchor's begin above them.
SYSTEM_ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    0: ("AccountAlreadyInUse", "an account that would be made exists already"),
    1: ("InsufficientLamports", "insufficient lamports for the rent or transfer"),
}


# The runtime's own words, where people meet them.
RUNTIME_WORDS: Final[Mapping[str, str]] = {
    "UninitializedAccount": "an account that it needs is not there (any more)",
    "AccountDataTooSmall": "an account that it needs is not there (any more)",
    "IllegalOwner": "an account that it needs is not there (any more)",
    "InvalidAccountData": "an account is not of the kind that it must be",
    "InsufficientFundsForRent": "insufficient lamports for the rent of an account",
    "InsufficientFundsForFee": "insufficient lamports for the fee",
    "BlockhashNotFound": "it was signed too long ago, or not yet",
}


def program_error(number: int, instruction_index: int | None = None) -> ProgramRefused:
    """Gives the error for a custom number that the program returned."""
    name, meaning = {**SYSTEM_ERRORS, **PROGRAM_ERRORS}.get(
        number, (f"custom error {number}", f"custom program error {number}")
    )
    where = "" if instruction_index is None else f"instruction {instruction_index}: "
    return ProgramRefused(number, name, f"{where}{meaning} ({name}, {number})")


def transaction_error(err: Any) -> ProgramRefused:
    """Gives the error for the `err` of a transaction as RPC nodes write it.

    Args:
        err: such as `{"InstructionError": [0, {"Custom": 6014}]}` or
            `"BlockhashNotFound"`.
    """
    match err:
        case {"InstructionError": [int(index), {"Custom": int(number)}]}:
            return program_error(number, index)
        case {"InstructionError": [int(index), reason]}:
            text = _words(reason)
            return ProgramRefused(None, text, f"instruction {index}: {_plain(text)}")
        case "AccountNotFound":
            # The runtime's word for a payer that never had any.
            text = "insufficient lamports: the wallet that pays has none"
            return ProgramRefused(None, err, f"{text} ({err})")
        case _:
            text = _words(err)
            return ProgramRefused(None, text, f"transaction refused: {_plain(text)}")


def _plain(name: str) -> str:
    """What a word of the runtime means, with the word; unknown ones as they are."""
    meaning = RUNTIME_WORDS.get(name)
    return name if meaning is None else f"{meaning} ({name})"


def _words(reason: Any) -> str:
    if isinstance(reason, str):
        return reason[:200]
    if isinstance(reason, dict) and len(reason) == 1:
        (name,) = reason
        return str(name)[:200]
    return str(reason)[:200]
