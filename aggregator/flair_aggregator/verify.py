"""Why an update cannot be merged, with the public reason code for its owner."""

from dataclasses import dataclass
from typing import Final

from flair_aggregator.round import Fault
from flair_client.chain.accounts import MergeCandidateAccount
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    NormExceeded,
    NotFinite,
    ObjectInvalid,
    ObjectTooLarge,
    OutOfRange,
    SignatureInvalid,
    TensorMismatch,
    VerificationError,
)
from flair_client.history.checked import CheckedCommit, Evidence
from flair_client.history.records import RoundRecord
from flair_client.history.verify_candidate import verify_candidate
from flair_client.history.verify_update import Pushed, RoundTerms, verify_update
from flair_client.objects import Commit, Delta, Manifest
from flair_client.porcelain.update import RejectReason
from flair_client.store.base import Store

_REASONS: Final[dict[type, RejectReason]] = {
    SignatureInvalid: RejectReason.SIGNATURE,
    BlockMissing: RejectReason.MISSING,
    DigestMismatch: RejectReason.MISSING,
    TensorMismatch: RejectReason.SHAPE,
    OutOfRange: RejectReason.RANGE,
    NotFinite: RejectReason.RANGE,
    NormExceeded: RejectReason.NORM,
    ObjectInvalid: RejectReason.MALFORMED,
    ObjectTooLarge: RejectReason.MALFORMED,
}


def examine_update(
    store: Store, terms: RoundTerms, pushed: Pushed, base: Manifest
) -> tuple[Commit, Delta] | Fault:
    """Gives the update's commit and delta, or what is wrong with it.

    Raises:
        StoreUnavailable: nothing can be said.
    """
    try:
        return verify_update(store, terms, pushed, base)
    except VerificationError as exc:
        return fault_of(exc)


def fault_of(error: VerificationError) -> Fault:
    """The reason code that goes with what verification found.

    A block that is missing or damaged may still be put right by who pushed it.
    """
    reason = _REASONS.get(type(error.__cause__), RejectReason.BASE)
    return Fault(int(reason), error.reason, is_final=reason is not RejectReason.MISSING)


@dataclass(frozen=True, slots=True)
class CandidateVerdict:
    """What verification says about a proposed merge.

    Attributes:
        reason: why it is not valid; None where it is.
        is_final: False while blocks that are missing may still come.
    """

    reason: str | None
    is_final: bool = True


def examine_candidate(
    evidence: Evidence,
    record: RoundRecord,
    head: CheckedCommit,
    candidate: MergeCandidateAccount,
) -> CandidateVerdict:
    """Checks a proposed merge as clients will once it is the head.

    Args:
        evidence: with every update of the round accumulated.
        record: the round.
        head: the branch's head.
        candidate: as proposed.
    """
    commit_id, proposer = candidate.commit_id, candidate.proposer
    try:
        verify_candidate(evidence, record, head, commit_id, proposer)
    except VerificationError as exc:
        is_final = not isinstance(exc.__cause__, BlockMissing | DigestMismatch)
        return CandidateVerdict(str(exc), is_final)
    return CandidateVerdict(None)
