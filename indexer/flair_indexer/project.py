"""What an event says about rows: one function per kind of event. Pure.

An event suffices: no function reads a row, so that a million events take no more memory
than one. `project_rounds` has the rounds, updates and merges.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind
from flair_client.cli.jsonable import to_json
from flair_indexer.changes import Change, Put, Remove, Set
from flair_indexer.project_rounds import HANDLERS as ROUND_HANDLERS
from flair_indexer.project_rounds import moved, overtaken

_ZERO: Final = bytes(32)


def project(event: ev.Event, authority_epoch: int) -> list[Change]:
    """Gives the changes of rows that follow from an event.

    Args:
        event: one that counts.
        authority_epoch: of its repository before it.
    """
    return _HANDLERS[type(event)](event, authority_epoch)


def _config(event: ev.ConfigCreated | ev.ConfigSet, _: int) -> list[Change]:
    return [
        Put(
            "configs",
            {
                "repo": event.repo.raw,
                "admin": event.admin.raw,
                "treasury": event.treasury.raw,
                "fee_bps": event.fee_bps,
                "pause_bits": int(event.pause_bits),
                "genesis_tag": event.genesis_tag.raw,
            },
        )
    ]


def _repo_created(event: ev.RepoCreated, _: int) -> list[Change]:
    return [
        Put(
            "repos",
            {
                "repo": event.repo.raw,
                "creator": event.creator.raw,
                "name": event.name,
                "authority": event.creator.raw,
                "pending_authority": _ZERO,
                "authority_epoch": 0,
                "sponsor": _ZERO,
                "points_per_merge": event.points_per_merge,
                "created_at": event.unix_timestamp,
            },
        )
    ]


def _policy_created(event: ev.PolicyCreated, _: int) -> list[Change]:
    return [
        Put(
            "policies",
            {
                "repo": event.repo.raw,
                "policy_index": event.index,
                "policy": event.policy.raw,
                "digest": event.digest.raw,
                "params": json.dumps(to_json(event.params), sort_keys=True),
                "created_at": event.unix_timestamp,
            },
        )
    ]


def _branch_created(event: ev.BranchCreated, _: int) -> list[Change]:
    return [
        Put(
            "branches",
            {
                "branch": event.branch.raw,
                "repo": event.repo.raw,
                "name": event.name,
                "policy_index": event.policy_index,
                "is_protected": event.protected,
                "round_index": event.first_round,
                "is_round_live": False,
                "head_commit": _ZERO,
                "head_seq": 0,
                "created_at": event.unix_timestamp,
            },
        )
    ]


def _branch_policy_set(event: ev.BranchPolicySet, _: int) -> list[Change]:
    return [_branch(event, policy_index=event.policy_index)]


def _branch(event: Any, **values: Any) -> Set:
    return Set("branches", {"branch": event.branch.raw}, values)


def _branch_advanced(event: ev.BranchAdvanced, _: int) -> list[Change]:
    kind = MoveKind(event.kind).name.lower()
    return [*moved(event, kind, event.new_head), *overtaken(event)]


def _branch_merged(event: ev.BranchMerged, _: int) -> list[Change]:
    merged = b"".join(one.raw for one in event.merged_commits)
    return [
        *moved(event, "merge", event.new_head, merged=merged),
        *overtaken(event),
    ]


def _role(event: Any, epoch: int, expires_at: int) -> Put:
    return Put(
        "roles",
        {
            "repo": event.repo.raw,
            "branch": event.branch.raw,
            "grantee": event.grantee.raw,
            "scope": int(event.scope),
            "expires_at": expires_at,
            "authority_epoch": epoch,
            "granted_by": event.actor.raw,
        },
    )


def _role_granted(event: ev.RoleGranted, epoch: int) -> list[Change]:
    return [_role(event, epoch, event.expires_at)]


def _role_revoked(event: ev.RoleRevoked, _: int) -> list[Change]:
    return [
        Remove(
            "roles",
            {
                "repo": event.repo.raw,
                "branch": event.branch.raw,
                "grantee": event.grantee.raw,
            },
        )
    ]


def _invite_created(event: ev.InviteCreated, epoch: int) -> list[Change]:
    return [
        Put(
            "invites",
            {
                "repo": event.repo.raw,
                "invite_key": event.key.raw,
                "branch": event.branch.raw,
                "scope": int(event.scope),
                "expires_at": event.expires_at,
                "role_expires_at": event.role_expires_at,
                "uses_left": event.uses,
                "authority_epoch": epoch,
                "created_by": event.actor.raw,
            },
        )
    ]


def _invite_where(event: Any) -> dict[str, bytes]:
    return {"repo": event.repo.raw, "invite_key": event.key.raw}


def _invite_redeemed(event: ev.InviteRedeemed, epoch: int) -> list[Change]:
    used: Change = Remove("invites", _invite_where(event))
    if event.uses_left:
        used = Set("invites", _invite_where(event), {"uses_left": event.uses_left})
    return [_role(event, epoch, event.role_expires_at), used]


def _invite_revoked(event: ev.InviteRevoked, _: int) -> list[Change]:
    return [Remove("invites", _invite_where(event))]


def _join_requested(event: ev.JoinRequested, _: int) -> list[Change]:
    return [
        Put(
            "join_requests",
            {
                "repo": event.repo.raw,
                "applicant": event.applicant.raw,
                "branch": event.branch.raw,
                "scope": int(event.scope),
                "note_digest": event.note_digest.raw,
                "requested_at": event.unix_timestamp,
            },
        )
    ]


def _join_closed(event: ev.JoinClosed, _: int) -> list[Change]:
    where = {"repo": event.repo.raw, "applicant": event.applicant.raw}
    return [Remove("join_requests", where)]


def _delegation_created(event: ev.DelegationCreated, _: int) -> list[Change]:
    return [
        Put(
            "delegations",
            {
                "repo": event.repo.raw,
                "wallet": event.wallet.raw,
                "machine_key": event.key.raw,
                "expires_at": event.expires_at,
            },
        )
    ]


def _delegation_revoked(event: ev.DelegationRevoked, _: int) -> list[Change]:
    return [
        Remove(
            "delegations",
            {
                "repo": event.repo.raw,
                "wallet": event.wallet.raw,
                "machine_key": event.key.raw,
            },
        )
    ]


def _repo(event: Any, **values: Any) -> list[Change]:
    return [Set("repos", {"repo": event.repo.raw}, values)]


def _repo_sponsor_set(event: ev.RepoSponsorSet, _: int) -> list[Change]:
    return _repo(event, sponsor=event.sponsor.raw)


def _authority_offered(event: ev.AuthorityOffered, _: int) -> list[Change]:
    return _repo(event, pending_authority=event.new_authority.raw)


def _authority_accepted(event: ev.AuthorityAccepted, _: int) -> list[Change]:
    return _repo(
        event,
        authority=event.new_authority.raw,
        pending_authority=_ZERO,
        authority_epoch=event.authority_epoch,
    )


_HANDLERS: Final[dict[type, Callable[[Any, int], list[Change]]]] = {
    ev.ConfigCreated: _config,
    ev.ConfigSet: _config,
    ev.RepoCreated: _repo_created,
    ev.PolicyCreated: _policy_created,
    ev.BranchCreated: _branch_created,
    ev.BranchPolicySet: _branch_policy_set,
    ev.BranchAdvanced: _branch_advanced,
    ev.BranchMerged: _branch_merged,
    ev.RoleGranted: _role_granted,
    ev.RoleRevoked: _role_revoked,
    ev.InviteCreated: _invite_created,
    ev.InviteRedeemed: _invite_redeemed,
    ev.InviteRevoked: _invite_revoked,
    ev.JoinRequested: _join_requested,
    ev.JoinClosed: _join_closed,
    ev.DelegationCreated: _delegation_created,
    ev.DelegationRevoked: _delegation_revoked,
    ev.RepoSponsorSet: _repo_sponsor_set,
    ev.AuthorityOffered: _authority_offered,
    ev.AuthorityAccepted: _authority_accepted,
    **ROUND_HANDLERS,
}
