"""Folds what owner and attesters say about proposed merges, and who may say it.

`replay` calls these. An approval or attestation counts under the authority under which
it was given, and lapses when that changes.
"""

from collections.abc import Callable
from typing import Any, Final

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.history.folding import ImpossibleEvent, must
from flair_client.history.records import (
    BranchRecord,
    CandidateVotes,
    RepoHistory,
    RoundPhase,
    RoundRecord,
)
from flair_client.ids import ZERO_ADDRESS, Address, CommitId


def check_votes(
    history: RepoHistory, branch: BranchRecord, live: RoundRecord, commit_id: CommitId
) -> None:
    """Refuses a merge without the approval and attestations that its policy wants.

    Raises:
        ImpossibleEvent: what is missing.
    """
    votes, epoch = live.votes[commit_id], history.authority_epoch
    params = history.policies[live.policy_index].params
    must(
        not branch.protected or votes.proposed_in == epoch,
        "proposed before the authority changed",
    )
    must(not params.approvals_needed or epoch in votes.approved_in, "nobody approved")
    attested = len(votes.attesters(epoch))
    needed = params.attestations_needed
    must(attested >= needed, f"{attested} attested it where {needed} must")


def _on_merge_approved(history: RepoHistory, event: ev.MergeApproved) -> None:
    votes = _final_candidate(history, event)
    must(event.actor == history.authority, "approved by somebody else")
    must(history.authority_epoch not in votes.approved_in, "approved already")
    votes.approved_in.add(history.authority_epoch)


def _on_merge_attested(history: RepoHistory, event: ev.MergeAttested) -> None:
    votes = _final_candidate(history, event)
    live = history.rounds[event.branch, event.round_index]
    must(event.actor == event.attester, "attested by somebody else")
    must(live.proposers[event.commit_id] != event.attester, "attested by its proposer")
    must(
        _may_attest(history, event.attester, event.branch, event.unix_timestamp),
        f"attested by {event.attester}, who may not",
    )
    vote = history.authority_epoch, event.attester
    must(vote not in votes.attested_in, "attested already")
    votes.attested_in.add(vote)


def _on_attestation_expired(history: RepoHistory, event: ev.AttestationExpired) -> None:
    record = history.rounds[event.branch, event.round_index]
    branch = history.branches[event.branch]
    must(branch.live_round is not record, "its round is in progress")
    votes = record.votes[event.commit_id]
    attesters = {who for _, who in votes.attested_in}
    must(event.attester in attesters, "there is no such attestation")


def _final_candidate(
    history: RepoHistory, event: ev.MergeApproved | ev.MergeAttested
) -> CandidateVotes:
    """What was said about the candidate, whose updates cannot change any more."""
    branch = history.branches.get(event.branch)
    live = None if branch is None else branch.live_round
    if live is None or live.round_index != event.round_index:
        raise ImpossibleEvent(f"round {event.round_index} is not in progress")
    must(live.phase is RoundPhase.CLOSED, "the round is not closed")
    must(live.n_accumulated == len(live.accepted()), "updates are left out")
    must(event.update_root == live.update_root, "another sum of updates")
    must(event.commit_id in live.votes, "a commit that nobody proposed")
    return live.votes[event.commit_id]


def _may_attest(history: RepoHistory, who: Address, branch: Address, now: int) -> bool:
    roles = (history.roles.get((who, place)) for place in (ZERO_ADDRESS, branch))
    return who == history.authority or any(
        role is not None
        and role.holds(branch, Scope.ATTEST, now, history.authority_epoch)
        for role in roles
    )


HANDLERS: Final[dict[type, Callable[[RepoHistory, Any], None]]] = {
    ev.MergeApproved: _on_merge_approved,
    ev.MergeAttested: _on_merge_attested,
    ev.AttestationExpired: _on_attestation_expired,
}
