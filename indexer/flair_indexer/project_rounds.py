"""What events of rounds, updates and merges say about rows; see `project`."""

from collections.abc import Callable
from typing import Any, Final

from flair_client.chain import events as ev
from flair_client.ids import CommitId
from flair_indexer.changes import Change, Put, Set

_ZERO: Final = bytes(32)


def moved(
    event: ev.BranchAdvanced | ev.BranchMerged | ev.MergeFinalized,
    kind: str,
    new_head: CommitId,
    *,
    round_index: int | None = None,
    merged: bytes = b"",
) -> list[Change]:
    """Gives what follows from a move of a branch's head.

    Args:
        event: the move.
        kind: of the commit that it moves to.
        new_head: that commit.
        round_index: of the round that it merges.
        merged: ids of the other parents, where the event names them.
    """
    return [
        Put(
            "commits",
            {
                "branch": event.branch.raw,
                "head_seq": event.new_seq,
                "repo": event.repo.raw,
                "commit_id": new_head.raw,
                "kind": kind,
                "old_head": event.old_head.raw,
                "event_seq": event.repo_seq,
                "moved_at": event.unix_timestamp,
                "actor": event.actor.raw,
                "round_index": round_index,
                "merged": merged,
            },
        ),
        _branch(event, head_commit=new_head.raw, head_seq=event.new_seq),
    ]


def overtaken(event: ev.BranchAdvanced | ev.BranchMerged) -> list[Change]:
    """Gives what follows for the round that another move of the head ended, if any."""
    return _ended(event, "overtaken") if event.ended_round else []


def _branch(event: Any, **values: Any) -> Set:
    return Set("branches", {"branch": event.branch.raw}, values)


def _round_where(event: Any) -> dict[str, Any]:
    return {"branch": event.branch.raw, "round_index": event.round_index}


def _round(event: Any, **values: Any) -> Set:
    return Set("rounds", _round_where(event), values)


def _ended(event: Any, state: str, **values: Any) -> list[Change]:
    return [
        _round(event, state=state, ended_at=event.unix_timestamp, **values),
        _branch(event, round_index=event.round_index + 1, is_round_live=False),
    ]


def _round_opened(event: ev.RoundOpened, _: int) -> list[Change]:
    row = {
        **_round_where(event),
        "repo": event.repo.raw,
        "policy_index": event.policy_index,
        "base_commit": event.base_commit.raw,
        "base_seq": event.base_seq,
        "opened_at": event.unix_timestamp,
        "deadline": event.deadline,
        "state": "open",
        "closed_at": None,
        "ended_at": None,
        "n_accepted": 0,
        "weight_sum": 0,
        "n_accumulated": 0,
        "weight_accumulated": 0,
        "update_root": _ZERO,
        "abort_reason": None,
        "merge_commit": None,
        "merge_lambda": None,
    }
    live = _branch(event, round_index=event.round_index, is_round_live=True)
    return [Put("rounds", row), live]


def _round_closed(event: ev.RoundClosed, _: int) -> list[Change]:
    return [
        _round(
            event,
            state="closed",
            closed_at=event.unix_timestamp,
            n_accepted=event.n_accepted,
            weight_sum=event.weight_sum,
        )
    ]


def _round_aborted(event: ev.RoundAborted, _: int) -> list[Change]:
    return _ended(event, "aborted", abort_reason=event.reason)


def _update_pushed(event: ev.UpdatePushed, _: int) -> list[Change]:
    return [
        Put(
            "updates",
            {
                **_round_where(event),
                "contributor": event.contributor.raw,
                "repo": event.repo.raw,
                "commit_id": event.commit_id.raw,
                "payload_digest": event.payload_digest.raw,
                "statement_digest": event.statement_digest.raw,
                "nonce": event.nonce,
                "weight": event.weight,
                "signer": event.actor.raw,
                "pushed_seq": event.repo_seq,
                "pushed_at": event.unix_timestamp,
                "state": "accepted",
                "reject_reason": None,
                "points": None,
            },
        )
    ]


def _update(event: Any, **values: Any) -> list[Change]:
    where = {**_round_where(event), "contributor": event.contributor.raw}
    return [Set("updates", where, values)]


def _update_withdrawn(event: ev.UpdateWithdrawn, _: int) -> list[Change]:
    return _update(event, state="withdrawn")


def _update_rejected(event: ev.UpdateRejected, _: int) -> list[Change]:
    return _update(event, state="rejected", reject_reason=event.reason)


def _update_expired(event: ev.UpdateExpired, _: int) -> list[Change]:
    return _update(event, state="expired")


def _update_settled(event: ev.UpdateSettled, _: int) -> list[Change]:
    state = "merged" if event.merged else "rejected"
    return _update(event, state=state, points=event.points)


def _merge_accumulated(event: ev.MergeAccumulated, _: int) -> list[Change]:
    return [
        _round(
            event,
            n_accumulated=event.n_accumulated,
            weight_accumulated=event.weight_accumulated,
            update_root=event.update_root.raw,
        )
    ]


def _merge_proposed(event: ev.MergeProposed, epoch: int) -> list[Change]:
    row = {
        **_candidate_where(event),
        "repo": event.repo.raw,
        "proposer": event.proposer.raw,
        "proposed_seq": event.repo_seq,
        "proposed_at": event.unix_timestamp,
        "authority_epoch": epoch,
        "state": "open",
    }
    return [Put("candidates", row)]


def _candidate_where(event: Any) -> dict[str, Any]:
    return {**_round_where(event), "commit_id": event.commit_id.raw}


def _vote(event: Any, kind: str, voter: bytes, epoch: int) -> list[Change]:
    row = {
        **_candidate_where(event),
        "kind": kind,
        "voter": voter,
        "authority_epoch": epoch,
        "repo": event.repo.raw,
        "event_seq": event.repo_seq,
        "voted_at": event.unix_timestamp,
    }
    return [Put("votes", row)]


def _merge_approved(event: ev.MergeApproved, epoch: int) -> list[Change]:
    return _vote(event, "approval", event.actor.raw, epoch)


def _merge_attested(event: ev.MergeAttested, epoch: int) -> list[Change]:
    return _vote(event, "attestation", event.attester.raw, epoch)


def _attestation_expired(_event: ev.AttestationExpired, _: int) -> list[Change]:
    # Its account gave the rent back; that it was made stays true.
    return []


def _merge_finalized(event: ev.MergeFinalized, _: int) -> list[Change]:
    ended = _ended(
        event,
        "merged",
        n_accepted=event.n_accepted,
        weight_sum=event.weight_sum,
        update_root=event.update_root.raw,
        merge_commit=event.commit_id.raw,
        merge_lambda=event.lambda_,
    )
    merged = {**_round_where(event), "state": "accepted"}
    return [
        *moved(event, "merge", event.commit_id, round_index=event.round_index),
        *ended,
        Set("candidates", _candidate_where(event), {"state": "merged"}),
        Set("updates", merged, {"state": "merged"}),
    ]


def _merge_expired(event: ev.MergeExpired, _: int) -> list[Change]:
    return [
        Set(
            "candidates",
            {**_candidate_where(event), "state": "open"},
            {"state": "expired"},
        )
    ]


HANDLERS: Final[dict[type, Callable[[Any, int], list[Change]]]] = {
    ev.RoundOpened: _round_opened,
    ev.RoundClosed: _round_closed,
    ev.RoundAborted: _round_aborted,
    ev.UpdatePushed: _update_pushed,
    ev.UpdateWithdrawn: _update_withdrawn,
    ev.UpdateRejected: _update_rejected,
    ev.UpdateExpired: _update_expired,
    ev.UpdateSettled: _update_settled,
    ev.MergeAccumulated: _merge_accumulated,
    ev.MergeProposed: _merge_proposed,
    ev.MergeApproved: _merge_approved,
    ev.MergeAttested: _merge_attested,
    ev.AttestationExpired: _attestation_expired,
    ev.MergeFinalized: _merge_finalized,
    ev.MergeExpired: _merge_expired,
}
