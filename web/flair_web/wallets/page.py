"""What a wallet's page shows."""

from dataclasses import dataclass

from sqlalchemy import Connection

from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.views import RepoView, RoleView, UpdateView

N_SHOWN = 25
N_ROLES = 30


@dataclass(frozen=True, slots=True)
class WalletUpdate:
    """An update, and where it was pushed to.

    Attributes:
        repo: `CREATOR/NAME`; None where the repository is not known.
    """

    update: UpdateView
    repo: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class WalletRole:
    """A role, and where it holds."""

    role: RoleView
    repo: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class WalletPage:
    """A wallet.

    Attributes:
        repos: that it made, owns or was offered.
        roles: the first thirty.
        has_more_roles: whether it has others.
        n_updates, n_merged: in all repositories.
        updates: newest first.
        next: what `before` of the next page is; None where there is none.
    """

    wallet: Address
    repos: tuple[RepoView, ...]
    roles: tuple[WalletRole, ...]
    has_more_roles: bool
    n_updates: int
    n_merged: int
    updates: tuple[WalletUpdate, ...]
    next: str | None


def wallet_page(
    source: Connection, wallet: Address, before: tuple[int, Address] | None
) -> WalletPage:
    """Gathers what a wallet did and may do."""
    found = queries.updates_by(source, wallet, before=before, limit=N_SHOWN + 1)
    shown = found[:N_SHOWN]
    every = queries.roles_of(source, wallet, limit=N_ROLES + 1)
    roles = every[:N_ROLES]
    names = queries.repo_names(
        source, [o.repo for o in shown] + [o.repo for o in roles]
    )
    lines = queries.branch_names(
        source, [o.branch for o in shown] + [o.branch for o in roles]
    )
    told = {key: "/".join(map(str, pair)) for key, pair in names.items()}
    n_updates, n_merged = queries.count_updates(source, wallet)
    last = shown[-1] if len(found) > N_SHOWN else None
    return WalletPage(
        wallet,
        tuple(queries.repos_of(source, wallet)),
        tuple(WalletRole(o, told.get(o.repo), lines.get(o.branch)) for o in roles),
        len(every) > N_ROLES,
        n_updates,
        n_merged,
        tuple(WalletUpdate(o, told.get(o.repo), lines.get(o.branch)) for o in shown),
        None if last is None else f"{last.pushed_at} {last.branch}",
    )
