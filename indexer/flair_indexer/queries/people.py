"""Who may do what, who asks to, and who did."""

from typing import Any

from sqlalchemy import Row, Select, func, select

from flair_client.ids import Address, Digest
from flair_indexer.queries.look import Source, looking
from flair_indexer.tables import (
    BRANCHES,
    DELEGATIONS,
    INVITES,
    JOIN_REQUESTS,
    REPOS,
    ROLES,
    UPDATES,
)
from flair_indexer.views import (
    ContributorView,
    DelegationView,
    InviteView,
    JoinRequestView,
    RoleView,
)


def roles(source: Source, address: Address) -> list[RoleView]:
    """Gives a repository's roles, expired and void ones too."""
    query = _roles().where(ROLES.c.repo == address.raw)
    query = query.order_by(ROLES.c.grantee, ROLES.c.branch)
    with looking(source) as connection:
        return [_role(row) for row in connection.execute(query)]


def roles_of(source: Source, grantee: Address, *, limit: int = 100) -> list[RoleView]:
    """Gives a wallet's roles in all repositories, expired and void ones too."""
    query = _roles().where(ROLES.c.grantee == grantee.raw)
    query = query.order_by(ROLES.c.repo, ROLES.c.branch).limit(limit)
    with looking(source) as connection:
        return [_role(row) for row in connection.execute(query)]


def _roles() -> Select[Any]:
    joined = ROLES.join(REPOS, ROLES.c.repo == REPOS.c.repo)
    return select(ROLES, REPOS.c.authority_epoch.label("epoch")).select_from(joined)


def _role(row: Row[Any]) -> RoleView:
    return RoleView(
        Address(bytes(row.branch)),
        Address(bytes(row.grantee)),
        row.scope,
        row.expires_at,
        row.authority_epoch != row.epoch,
        Address(bytes(row.granted_by)),
        Address(bytes(row.repo)),
    )


def invites(source: Source, address: Address, *, limit: int = 1000) -> list[InviteView]:
    """Gives a repository's invites that are not used up; expired and void ones too."""
    query = (
        select(INVITES, REPOS.c.authority_epoch.label("epoch"))
        .select_from(INVITES.join(REPOS, INVITES.c.repo == REPOS.c.repo))
        .where(INVITES.c.repo == address.raw)
        .order_by(INVITES.c.invite_key)
        .limit(limit)
    )
    with looking(source) as connection:
        return [
            InviteView(
                Address(bytes(row.invite_key)),
                Address(bytes(row.branch)),
                row.scope,
                row.expires_at,
                row.role_expires_at,
                row.uses_left,
                row.authority_epoch != row.epoch,
                Address(bytes(row.created_by)),
            )
            for row in connection.execute(query)
        ]


def join_requests(
    source: Source, address: Address, *, limit: int = 1000
) -> list[JoinRequestView]:
    """Gives who asks to join a repository, oldest first."""
    query = (
        select(JOIN_REQUESTS)
        .where(JOIN_REQUESTS.c.repo == address.raw)
        .order_by(JOIN_REQUESTS.c.requested_at, JOIN_REQUESTS.c.applicant)
        .limit(limit)
    )
    with looking(source) as connection:
        return [
            JoinRequestView(
                Address(bytes(row.applicant)),
                Address(bytes(row.branch)),
                row.scope,
                Digest(bytes(row.note_digest)),
                row.requested_at,
            )
            for row in connection.execute(query)
        ]


def delegations(
    source: Source, address: Address, *, limit: int = 1000
) -> list[DelegationView]:
    """Gives the machine keys that push for wallets in a repository."""
    query = (
        select(DELEGATIONS)
        .where(DELEGATIONS.c.repo == address.raw)
        .order_by(DELEGATIONS.c.wallet, DELEGATIONS.c.machine_key)
        .limit(limit)
    )
    with looking(source) as connection:
        return [
            DelegationView(
                Address(bytes(row.wallet)),
                Address(bytes(row.machine_key)),
                row.expires_at,
            )
            for row in connection.execute(query)
        ]


def contributors(
    source: Source, address: Address, *, limit: int = 100
) -> list[ContributorView]:
    """Gives who pushed to a repository, those with most merged updates first."""
    n_merged = func.count().filter(UPDATES.c.state == "merged")
    query = (
        select(
            UPDATES.c.contributor,
            func.count().label("n_updates"),
            n_merged.label("n_merged"),
            func.max(UPDATES.c.pushed_at).label("last_at"),
        )
        .select_from(BRANCHES.join(UPDATES, UPDATES.c.branch == BRANCHES.c.branch))
        .where(BRANCHES.c.repo == address.raw)
        .group_by(UPDATES.c.contributor)
        .order_by(n_merged.desc(), func.count().desc(), UPDATES.c.contributor)
        .limit(limit)
    )
    with looking(source) as connection:
        return [
            ContributorView(
                Address(bytes(row.contributor)),
                row.n_updates,
                row.n_merged,
                row.last_at,
            )
            for row in connection.execute(query)
        ]
