"""Whose agreement a proposed merge waits for."""

from typing import TYPE_CHECKING

from flair_client.chain.accounts import MergeCandidateAccount, PolicyParams
from flair_client.ids import CommitId

if TYPE_CHECKING:
    from flair_aggregator.round import BranchView


def missing_votes(
    candidate: MergeCandidateAccount, authority_epoch: int, params: PolicyParams
) -> str:
    """Says whose agreement a candidate waits for; empty where it waits for nobody's.

    Args:
        candidate: as proposed.
        authority_epoch: of the repository; votes of an older one count no more.
        params: of the round's policy.
    """
    approvals, attestations = candidate.votes(authority_epoch)
    parts = []
    if approvals < params.approvals_needed:
        parts.append("the owner's approval")
    if attestations < params.attestations_needed:
        parts.append(f"attestations, {attestations} of {params.attestations_needed}")
    if not parts:
        return ""
    return f"commit {candidate.commit_id.short} waits for {' and '.join(parts)}"


def needs_votes(params: PolicyParams) -> bool:
    """Whether a merge under this policy needs anybody's agreement."""
    return bool(params.approvals_needed or params.attestations_needed)


def void_candidates(view: "BranchView") -> frozenset[CommitId]:
    """Merges of a protected branch that were proposed under an earlier owner."""
    if view.live is None or not view.branch.value.protected:
        return frozenset()
    return frozenset(
        one.value.commit_id
        for one in view.live.candidates
        if one.value.authority_epoch != view.authority_epoch
    )
