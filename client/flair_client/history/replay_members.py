"""Folds events about who may act: authority, roles, invites, delegations, sponsors.

One function per event; `replay` calls them. Records change in place.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.history.folding import ImpossibleEvent, must
from flair_client.history.records import (
    DelegationRecord,
    InviteRecord,
    RepoHistory,
    RoleRecord,
)
from flair_client.ids import ZERO_ADDRESS, Address

# The program's limits; a delegation's is 366 days.
MAX_DELEGATION_S: Final = 31_622_400
MAX_INVITE_USES: Final = 1_000


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
    must(bool(event.scope), "for the right 0")
    _check_right(history, event, event.branch, event.scope)
    _give(history, event, event.expires_at)


def _on_role_revoked(history: RepoHistory, event: ev.RoleRevoked) -> None:
    role = history.roles.get((event.grantee, event.branch))
    if role is None:
        raise ImpossibleEvent("there is no such role")
    _check_right(history, event, event.branch, role.scope)
    del history.roles[event.grantee, event.branch]


def _on_invite_created(history: RepoHistory, event: ev.InviteCreated) -> None:
    must(event.key not in history.invites, "there is such an invite")
    must(event.uses > 0, "without uses")
    must(event.uses <= MAX_INVITE_USES, f"for {event.uses} uses")
    must(event.unix_timestamp < event.expires_at, "expired when it was made")
    must(not _is_over(event, event.role_expires_at), "its roles have expired")
    _check_right(history, event, event.branch)
    _check_scope(event.scope)
    _check_branch(history, event.branch)
    history.invites[event.key] = InviteRecord(
        event.key,
        event.branch,
        int(event.scope),
        event.expires_at,
        event.role_expires_at,
        event.uses,
        event.actor,
        history.authority_epoch,
    )


def _on_invite_redeemed(history: RepoHistory, event: ev.InviteRedeemed) -> None:
    invite = _invite(history, event.key)
    offered = (event.branch, int(event.scope), event.role_expires_at)
    must(
        offered == (invite.branch, invite.scope, invite.role_expires_at),
        "not what the invite offers",
    )
    must(event.unix_timestamp < invite.expires_at, "the invite had expired")
    must(
        invite.authority_epoch == history.authority_epoch,
        "the invite is older than the authority",
    )
    must(event.uses_left == invite.uses_left - 1, "wrong number of uses")
    must(event.actor == event.grantee, "taken by somebody else")
    _give(history, event, event.role_expires_at)
    if event.uses_left:
        history.invites[event.key] = replace(invite, uses_left=event.uses_left)
    else:
        del history.invites[event.key]


def _on_invite_revoked(history: RepoHistory, event: ev.InviteRevoked) -> None:
    invite = _invite(history, event.key)
    may_end = event.actor == invite.created_by or (
        invite.expires_at <= event.unix_timestamp
    )
    _check_right(history, event, invite.branch, or_else=may_end)
    del history.invites[event.key]


def _invite(history: RepoHistory, key: Address) -> InviteRecord:
    invite = history.invites.get(key)
    if invite is None:
        raise ImpossibleEvent("there is no such invite")
    return invite


def _on_join_requested(history: RepoHistory, event: ev.JoinRequested) -> None:
    must(event.applicant not in history.join_requests, "asked already")
    must(event.actor == event.applicant, "asked by somebody else")
    _check_scope(event.scope)
    _check_branch(history, event.branch)
    history.join_requests[event.applicant] = event.branch


def _on_join_closed(history: RepoHistory, event: ev.JoinClosed) -> None:
    asked = history.join_requests.pop(event.applicant, None)
    must(asked == event.branch, "there is no such request")
    is_own = event.actor == event.applicant
    _check_right(history, event, event.branch, or_else=is_own)


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


def _on_authority_offered(history: RepoHistory, event: ev.AuthorityOffered) -> None:
    must(event.actor == history.authority, "offered by somebody else")
    must(event.new_authority != history.authority, "offered to its own authority")
    must(event.new_authority != history.offered_to, "changes no offer")
    history.offered_to = event.new_authority


def _on_authority_accepted(history: RepoHistory, event: ev.AuthorityAccepted) -> None:
    must(event.old_authority == history.authority, "taken from somebody else")
    must(event.actor == event.new_authority, "taken for somebody else")
    must(
        event.new_authority == history.offered_to != ZERO_ADDRESS,
        "it was not offered",
    )
    must(event.authority_epoch == history.authority_epoch + 1, "wrong epoch")
    history.authority = event.new_authority
    history.offered_to = ZERO_ADDRESS
    history.authority_epoch = event.authority_epoch


def _check_scope(scope: int) -> None:
    """Invites and requests are for some right, and never for that to administer."""
    must(bool(scope) and not scope & Scope.ADMINISTER, f"for the right {int(scope)}")


def _check_branch(history: RepoHistory, branch: Address) -> None:
    must(
        branch == ZERO_ADDRESS or branch in history.branches,
        f"there is no branch {branch}",
    )


def _is_over(event: ev.EventHeader, until: int) -> bool:
    """Whether a role with this expiry is none by now; 0 is never."""
    return until != 0 and until <= event.unix_timestamp


def _check_right(
    history: RepoHistory,
    event: ev.EventHeader,
    branch: Address,
    scope: int = 0,
    *,
    or_else: bool = False,
) -> None:
    """Refuses an actor that is not the owner and does not administer there.

    Args:
        history: what was folded so far.
        event: of the actor.
        branch: where the event takes effect; zero: the whole repository.
        scope: of the role that is given or ended: administrators are the owner's.
        or_else: whether the actor may for another reason than its right.
    """
    if or_else:
        return
    places = {ZERO_ADDRESS, branch}
    roles = (history.roles.get((event.actor, place)) for place in places)
    administers = not scope & Scope.ADMINISTER and any(
        role is not None
        and role.holds(
            branch, Scope.ADMINISTER, event.unix_timestamp, history.authority_epoch
        )
        for role in roles
    )
    must(
        event.actor == history.authority or administers,
        f"by {event.actor}, who may not",
    )


def _give(
    history: RepoHistory, event: ev.RoleGranted | ev.InviteRedeemed, until: int
) -> None:
    name = (event.grantee, event.branch)
    must(name not in history.roles, "there is such a role")
    must(not _is_over(event, until), "expired when it was given")
    _check_branch(history, event.branch)
    history.roles[name] = RoleRecord(
        *name, int(event.scope), until, history.authority_epoch
    )


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
    ev.AuthorityOffered: _on_authority_offered,
    ev.AuthorityAccepted: _on_authority_accepted,
}
