"""Folds events about who may act: roles, invites, requests, delegations, sponsors.

One function per event; `replay` calls them. Records change in place.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.history.folding import must
from flair_client.history.records import (
    DelegationRecord,
    InviteRecord,
    RepoHistory,
    RoleRecord,
)
from flair_client.ids import ZERO_ADDRESS, Address

# The program's limit: 366 days.
MAX_DELEGATION_S: Final = 31_622_400


def check_signer(history: RepoHistory, event: ev.UpdatePushed) -> None:
    """Refuses a push by a key that did not act for the contributor at that time.

    Raises:
        ImpossibleEvent: there is no delegation, or it had expired.
    """
    if event.actor == event.contributor:
        return
    held = history.delegations.get((event.contributor, event.actor))
    must(
        held is not None and event.unix_timestamp < held.expires_at,
        f"{event.actor} did not act for {event.contributor}",
    )


def _on_role_granted(history: RepoHistory, event: ev.RoleGranted) -> None:
    _give(history, event.grantee, event.branch, event.scope, event.expires_at)


def _on_role_revoked(history: RepoHistory, event: ev.RoleRevoked) -> None:
    must((event.grantee, event.branch) in history.roles, "there is no such role")
    del history.roles[event.grantee, event.branch]


def _on_invite_created(history: RepoHistory, event: ev.InviteCreated) -> None:
    must(event.key not in history.invites, "there is such an invite")
    must(event.uses > 0, "without uses")
    must(event.unix_timestamp < event.expires_at, "expired when it was made")
    _check_scope(event.scope)
    _check_branch(history, event.branch)
    history.invites[event.key] = InviteRecord(
        event.key,
        event.branch,
        int(event.scope),
        event.expires_at,
        event.role_expires_at,
        event.uses,
    )


def _on_invite_redeemed(history: RepoHistory, event: ev.InviteRedeemed) -> None:
    invite = history.invites.get(event.key)
    offered = (event.branch, int(event.scope), event.role_expires_at)
    must(invite is not None, "there is no such invite")
    if invite is None:
        return
    must(
        offered == (invite.branch, invite.scope, invite.role_expires_at),
        "not what the invite offers",
    )
    must(event.unix_timestamp < invite.expires_at, "the invite had expired")
    must(event.uses_left == invite.uses_left - 1, "wrong number of uses")
    must(event.actor == event.grantee, "taken by somebody else")
    _give(history, event.grantee, event.branch, event.scope, event.role_expires_at)
    if event.uses_left:
        history.invites[event.key] = replace(invite, uses_left=event.uses_left)
    else:
        del history.invites[event.key]


def _on_invite_revoked(history: RepoHistory, event: ev.InviteRevoked) -> None:
    must(event.key in history.invites, "there is no such invite")
    del history.invites[event.key]


def _on_join_requested(history: RepoHistory, event: ev.JoinRequested) -> None:
    must(event.applicant not in history.join_requests, "asked already")
    must(event.actor == event.applicant, "asked by somebody else")
    _check_scope(event.scope)
    _check_branch(history, event.branch)
    history.join_requests[event.applicant] = event.branch


def _on_join_closed(history: RepoHistory, event: ev.JoinClosed) -> None:
    asked = history.join_requests.pop(event.applicant, None)
    must(asked == event.branch, "there is no such request")


def _on_delegation_created(history: RepoHistory, event: ev.DelegationCreated) -> None:
    name = (event.wallet, event.key)
    must(name not in history.delegations, "there is such a delegation")
    must(event.wallet != event.key, "of a wallet to itself")
    must(event.actor == event.wallet, "made by somebody else")
    lasts_s = event.expires_at - event.unix_timestamp
    must(0 < lasts_s <= MAX_DELEGATION_S, f"lasts {lasts_s} s")
    history.delegations[name] = DelegationRecord(
        event.wallet, event.key, event.expires_at
    )


def _on_delegation_revoked(history: RepoHistory, event: ev.DelegationRevoked) -> None:
    name = (event.wallet, event.key)
    must(name in history.delegations, "there is no such delegation")
    must(
        event.actor in name
        or history.delegations[name].expires_at <= event.unix_timestamp,
        "taken back by somebody else",
    )
    del history.delegations[name]


def _on_repo_sponsor_set(history: RepoHistory, event: ev.RepoSponsorSet) -> None:
    must(event.actor == history.authority, "named by somebody else")
    history.sponsor = event.sponsor


def _check_scope(scope: int) -> None:
    """Invites and requests are for some right, and never for that to administer."""
    must(bool(scope) and not scope & Scope.ADMINISTER, f"for the right {int(scope)}")


def _check_branch(history: RepoHistory, branch: Address) -> None:
    must(
        branch == ZERO_ADDRESS or branch in history.branches,
        f"there is no branch {branch}",
    )


def _give(
    history: RepoHistory, grantee: Address, branch: Address, scope: int, until: int
) -> None:
    _check_branch(history, branch)
    history.roles[grantee, branch] = RoleRecord(grantee, branch, int(scope), until)


HANDLERS: Final[dict[type, Callable[[RepoHistory, Any], None]]] = {
    ev.RoleGranted: _on_role_granted,
    ev.RoleRevoked: _on_role_revoked,
    ev.InviteCreated: _on_invite_created,
    ev.InviteRedeemed: _on_invite_redeemed,
    ev.InviteRevoked: _on_invite_revoked,
    ev.JoinRequested: _on_join_requested,
    ev.JoinClosed: _on_join_closed,
    ev.DelegationCreated: _on_delegation_created,
    ev.DelegationRevoked: _on_delegation_revoked,
    ev.RepoSponsorSet: _on_repo_sponsor_set,
}
