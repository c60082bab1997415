"""What the page of people shows."""

from dataclasses import dataclass

from sqlalchemy import Connection

from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.views import (
    BranchView,
    DelegationView,
    InviteView,
    JoinRequestView,
    RepoView,
    RoleView,
)


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Who may do what; expired and void rights too, called so."""

    repo: RepoView
    branches: tuple[BranchView, ...]
    roles: tuple[RoleView, ...]
    invites: tuple[InviteView, ...]
    requests: tuple[JoinRequestView, ...]
    delegations: tuple[DelegationView, ...]

    def branch_name(self, address: Address) -> str:
        """Gives a branch's name, or that a right holds everywhere."""
        if not any(address.raw):
            return "all branches"
        names = (one.name for one in self.branches if one.branch == address)
        return next(names, str(address))


def people_page(source: Connection, repo: RepoView) -> PeoplePage:
    """Gathers who may do what."""
    return PeoplePage(
        repo,
        tuple(queries.branches(source, repo.repo)),
        tuple(queries.roles(source, repo.repo)),
        tuple(queries.invites(source, repo.repo)),
        tuple(queries.join_requests(source, repo.repo)),
        tuple(queries.delegations(source, repo.repo)),
    )
