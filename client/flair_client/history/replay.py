"""Folds a repository's events into records. Pure: neither chain nor store is asked.

The program has checked every change before it sent the event. Replay still refuses what
the program cannot have sent: a wrong list is named at its first wrong event.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind, Scope
from flair_client.errors import FlairError, VerificationError
from flair_client.history import replay_members, replay_votes
from flair_client.history.folding import ImpossibleEvent, must
from flair_client.history.records import (
    ZERO_COMMIT,
    BranchRecord,
    CandidateVotes,
    MoveRecord,
    PolicyRecord,
    RepoHistory,
    RoundPhase,
    RoundRecord,
    UpdateRecord,
)
from flair_client.ids import Address
from flair_client.objects import CommitKind

_MOVES = {
    MoveKind.ROOT: CommitKind.ROOT,
    MoveKind.SNAPSHOT: CommitKind.SNAPSHOT,
    MoveKind.REVERT: CommitKind.REVERT,
}


def replay(
    repo: Address, events: Iterable[bytes], *, history: RepoHistory | None = None
) -> RepoHistory:
    """Folds events, oldest first, each in the program's bytes without prefix.

    Args:
        repo: address of the repository that the events must name.
        events: from the first one on, or from where `history` ends.
        history: records to go on from; changed in place.

    Raises:
        VerificationError: `event N` does not decode, does not follow the one before it,
            belongs to another repository, or cannot have happened.
    """
    history = history if history is not None else RepoHistory(repo)
    for event_bytes in events:
        _fold(history, event_bytes)
    return history


def _fold(history: RepoHistory, event_bytes: bytes) -> None:
    expected_seq = history.event_seq + 1
    where = f"event {expected_seq}"
    try:
        event = ev.decode_event(event_bytes)
    except FlairError as exc:
        raise VerificationError(where, str(exc)) from exc
    if event.repo != history.repo:
        raise VerificationError(where, f"belongs to {event.repo}")
    if event.repo_seq != expected_seq:
        raise VerificationError(where, f"is numbered {event.repo_seq}")
    if event.prev_root != history.root:
        raise VerificationError(where, "does not follow from the events before it")
    if (expected_seq == 1) != isinstance(event, ev.RepoCreated):
        raise VerificationError(
            where, "a history begins with RepoCreated, and only there"
        )
    try:
        _HANDLERS[type(event)](history, event)
    except ImpossibleEvent as exc:
        raise VerificationError(where, f"{type(event).__name__}: {exc}") from exc
    except KeyError as exc:
        raise VerificationError(where, f"{type(event).__name__} is unexpected") from exc
    history.event_seq = expected_seq
    history.root = ev.event_root(event_bytes)


def _branch(history: RepoHistory, address: Address) -> BranchRecord:
    branch = history.branches.get(address)
    if branch is None:
        raise ImpossibleEvent(f"there is no branch {address}")
    return branch


def _live_round(history: RepoHistory, event: Any) -> RoundRecord:
    live = _branch(history, event.branch).live_round
    if live is None or live.round_index != event.round_index:
        raise ImpossibleEvent(f"round {event.round_index} is not in progress")
    return live


def _end_round(branch: BranchRecord, phase: RoundPhase) -> None:
    if branch.live_round is not None:
        branch.live_round.phase = phase
        branch.live_round = None
        branch.round_index += 1


def _administrators(
    history: RepoHistory, branch: BranchRecord, now: int
) -> frozenset[Address]:
    """Who may move the branch by hand at that time."""
    allowed = {history.authority}
    if not branch.protected:
        allowed.update(
            role.grantee
            for role in history.roles.values()
            if role.holds(
                branch.address, Scope.ADMINISTER, now, history.authority_epoch
            )
        )
    return frozenset(allowed)


def _on_repo_created(history: RepoHistory, event: ev.RepoCreated) -> None:
    history.creator = history.authority = event.creator
    history.name = event.name


def _on_policy_created(history: RepoHistory, event: ev.PolicyCreated) -> None:
    must(event.index == len(history.policies), f"policy {event.index} is out of order")
    history.policies[event.index] = PolicyRecord(
        event.policy, event.index, event.digest, event.params
    )


def _on_branch_created(history: RepoHistory, event: ev.BranchCreated) -> None:
    must(event.branch not in history.branches, f"branch {event.name} exists")
    must(event.policy_index in history.policies, f"no policy {event.policy_index}")
    history.branches[event.branch] = BranchRecord(
        event.branch,
        event.name,
        event.policy_index,
        bool(event.protected),
        event.first_round,
    )


def _on_branch_policy_set(history: RepoHistory, event: ev.BranchPolicySet) -> None:
    must(event.policy_index in history.policies, f"no policy {event.policy_index}")
    _branch(history, event.branch).policy_index = event.policy_index


def _on_branch_advanced(history: RepoHistory, event: ev.BranchAdvanced) -> None:
    branch = _branch(history, event.branch)
    kind = _MOVES[MoveKind(event.kind)]
    must(event.old_head == branch.head, "does not start from the head")
    must(
        (kind is CommitKind.ROOT) == (branch.head == ZERO_COMMIT),
        f"{kind} out of place",
    )
    must(event.new_seq == len(branch.moves) + 1, "wrong sequence of the head")
    must(
        bool(event.ended_round) == (branch.live_round is not None), "wrong ended round"
    )
    branch.moves.append(
        MoveRecord(
            kind,
            event.branch,
            event.repo_seq,
            event.old_head,
            event.new_head,
            event.new_seq,
            event.unix_timestamp,
            _administrators(history, branch, event.unix_timestamp),
        )
    )
    _end_round(branch, RoundPhase.OVERTAKEN)


def _on_branch_merged(history: RepoHistory, event: ev.BranchMerged) -> None:
    branch = _branch(history, event.branch)
    merged = event.merged_commits
    must(event.old_head == branch.head != ZERO_COMMIT, "does not start from the head")
    must(event.new_seq == len(branch.moves) + 1, "wrong sequence of the head")
    must(
        bool(event.ended_round) == (branch.live_round is not None), "wrong ended round"
    )
    must(
        bool(merged) and list(merged) == sorted({*merged}) and any(merged[0].raw),
        "merges nothing, or not in order",
    )
    must(not any(event.merged[len(merged) * 32 :]), "merges more than it counts")
    must(not {event.old_head, event.new_head} & {*merged}, "merges itself")
    allowed = _administrators(history, branch, event.unix_timestamp)
    must(event.actor in allowed, f"by {event.actor}, who may not")
    branch.moves.append(
        MoveRecord(
            CommitKind.MERGE,
            event.branch,
            event.repo_seq,
            event.old_head,
            event.new_head,
            event.new_seq,
            event.unix_timestamp,
            allowed,
            merged=merged,
        )
    )
    _end_round(branch, RoundPhase.OVERTAKEN)


def _on_round_opened(history: RepoHistory, event: ev.RoundOpened) -> None:
    branch = _branch(history, event.branch)
    must(branch.live_round is None, "a round is in progress")
    must(event.round_index == branch.round_index, "wrong index")
    must(event.policy_index == branch.policy_index, "not the branch's policy")
    must(event.base_commit == branch.head != ZERO_COMMIT, "base is not the head")
    must(event.base_seq == len(branch.moves), "wrong sequence of the head")
    branch.live_round = history.rounds[event.branch, event.round_index] = RoundRecord(
        event.branch,
        event.round_index,
        event.policy_index,
        event.base_commit,
        event.base_seq,
        event.repo_seq,
        event.deadline,
    )


def _on_round_closed(history: RepoHistory, event: ev.RoundClosed) -> None:
    live = _live_round(history, event)
    accepted = live.accepted()
    must(live.phase is RoundPhase.OPEN, "the round is closed already")
    must(event.n_accepted == len(accepted), "wrong number of updates")
    must(event.weight_sum == sum(u.weight for u in accepted), "wrong weight sum")
    live.phase = RoundPhase.CLOSED
    live.closed_at = event.unix_timestamp


def _on_round_aborted(history: RepoHistory, event: ev.RoundAborted) -> None:
    branch = _branch(history, event.branch)
    round_record = history.rounds[event.branch, event.round_index]
    must(round_record.phase is not RoundPhase.MERGED, "the round was merged")
    if branch.live_round is round_record:
        _end_round(branch, RoundPhase.ABORTED)
    round_record.phase = RoundPhase.ABORTED


def _on_update_pushed(history: RepoHistory, event: ev.UpdatePushed) -> None:
    live = _live_round(history, event)
    must(live.phase is RoundPhase.OPEN, "the round is closed")
    must(event.contributor not in live.updates, "second update of one contributor")
    replay_members.check_signer(history, event)
    live.updates[event.contributor] = UpdateRecord(
        event.contributor,
        event.actor,
        event.commit_id,
        event.payload_digest,
        event.weight,
        event.repo_seq,
        event.unix_timestamp,
    )


def _on_update_withdrawn(history: RepoHistory, event: ev.UpdateWithdrawn) -> None:
    live = _live_round(history, event)
    update = live.updates.pop(event.contributor)
    must(live.phase is RoundPhase.OPEN, "the round is closed")
    must(update.commit_id == event.commit_id, "another commit")
    must(
        event.actor in (update.contributor, update.signer), "withdrawn by somebody else"
    )


def _on_update_rejected(history: RepoHistory, event: ev.UpdateRejected) -> None:
    live = _live_round(history, event)
    update = live.updates[event.contributor]
    must(update.commit_id == event.commit_id, "another commit")
    must(event.reason != 0, "without a reason")
    must(not update.reject_reason, "rejected already")
    live.updates[event.contributor] = replace(update, reject_reason=event.reason)
    _freeze(live, event.repo_seq)


def _on_update_closed(
    history: RepoHistory, event: ev.UpdateExpired | ev.UpdateSettled
) -> None:
    round_record = history.rounds[event.branch, event.round_index]
    merged = round_record.phase is RoundPhase.MERGED
    must(merged == isinstance(event, ev.UpdateSettled), "the round ended otherwise")
    update = round_record.updates[event.contributor]
    must(update.commit_id == event.commit_id, "another commit")


def _on_merge_accumulated(history: RepoHistory, event: ev.MergeAccumulated) -> None:
    live = _live_round(history, event)
    must(live.phase is RoundPhase.CLOSED, "the round is not closed")
    must(event.n_accumulated == live.n_accumulated + event.n_batch, "wrong count")
    live.n_accumulated = event.n_accumulated
    live.weight_accumulated = event.weight_accumulated
    live.update_root = event.update_root
    _freeze(live, event.repo_seq)


def _freeze(live: RoundRecord, event_seq: int) -> None:
    """Notes from which event on nothing can be rejected or added any more."""
    if live.phase is RoundPhase.CLOSED and live.n_accumulated == len(live.accepted()):
        live.frozen_seq = event_seq


def _on_merge_proposed(history: RepoHistory, event: ev.MergeProposed) -> None:
    live = _live_round(history, event)
    must(live.phase is RoundPhase.CLOSED, "the round is not closed")
    live.proposers[event.commit_id] = event.proposer
    live.votes[event.commit_id] = CandidateVotes(history.authority_epoch)


def _on_merge_finalized(history: RepoHistory, event: ev.MergeFinalized) -> None:
    live = _live_round(history, event)
    branch = _branch(history, event.branch)
    accepted = live.accepted()
    must(event.commit_id in live.proposers, "a commit that nobody proposed")
    must(
        event.old_head == branch.head == live.base_commit,
        "does not start from the head",
    )
    must(event.new_seq == len(branch.moves) + 1, "wrong sequence of the head")
    must(
        event.n_accepted == len(accepted) == live.n_accumulated, "updates are left out"
    )
    must(event.weight_sum == sum(u.weight for u in accepted), "wrong weight sum")
    must(event.update_root == live.update_root, "another sum of updates")
    replay_votes.check_votes(history, branch, live, event.commit_id)
    live.merge_lambda = event.lambda_
    branch.moves.append(
        MoveRecord(
            CommitKind.MERGE,
            event.branch,
            event.repo_seq,
            event.old_head,
            event.commit_id,
            event.new_seq,
            event.unix_timestamp,
            frozenset((live.proposers[event.commit_id],)),
            live,
        )
    )
    _end_round(branch, RoundPhase.MERGED)


def _on_merge_expired(history: RepoHistory, event: ev.MergeExpired) -> None:
    round_record = history.rounds[event.branch, event.round_index]
    must(event.commit_id in round_record.proposers, "a commit that nobody proposed")


_HANDLERS: dict[type, Callable[[RepoHistory, Any], None]] = {
    ev.RepoCreated: _on_repo_created,
    ev.PolicyCreated: _on_policy_created,
    ev.BranchCreated: _on_branch_created,
    ev.BranchPolicySet: _on_branch_policy_set,
    ev.BranchAdvanced: _on_branch_advanced,
    ev.BranchMerged: _on_branch_merged,
    **replay_members.HANDLERS,
    **replay_votes.HANDLERS,
    ev.RoundOpened: _on_round_opened,
    ev.RoundClosed: _on_round_closed,
    ev.RoundAborted: _on_round_aborted,
    ev.UpdatePushed: _on_update_pushed,
    ev.UpdateWithdrawn: _on_update_withdrawn,
    ev.UpdateRejected: _on_update_rejected,
    ev.UpdateExpired: _on_update_closed,
    ev.UpdateSettled: _on_update_closed,
    ev.MergeAccumulated: _on_merge_accumulated,
    ev.MergeProposed: _on_merge_proposed,
    ev.MergeFinalized: _on_merge_finalized,
    ev.MergeExpired: _on_merge_expired,
}
