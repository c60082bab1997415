"""Repositories and their branches."""

from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select

from flair_client.ids import Address, CommitId, Digest
from flair_indexer.queries.look import UNKNOWN, Source, looking
from flair_indexer.tables import BRANCHES, FOLDS, HEAD_CHECKS, RECONCILIATIONS, REPOS
from flair_indexer.views import BranchView, RepoView


def repos(
    source: Source, *, creator: Address | None = None, limit: int = 1000
) -> list[RepoView]:
    """Gives repositories by creator and name."""
    query = _repos().order_by(REPOS.c.creator, REPOS.c.name).limit(limit)
    if creator is not None:
        query = query.where(REPOS.c.creator == creator.raw)
    with looking(source) as connection:
        return [_repo(row) for row in connection.execute(query)]


def repo(source: Source, address: Address) -> RepoView | None:
    """Gives a repository, if it is known."""
    return _one_repo(source, _repos().where(REPOS.c.repo == address.raw))


def repo_named(source: Source, creator: Address, name: str) -> RepoView | None:
    """Gives the repository of this name that a wallet made, if it is known."""
    query = _repos().where(REPOS.c.creator == creator.raw, REPOS.c.name == name)
    return _one_repo(source, query)


def search_repos(
    source: Source,
    text: str = "",
    *,
    after: tuple[str, Address] | None = None,
    limit: int = 50,
) -> list[RepoView]:
    """Gives repositories whose name has the text in it, by name and address.

    Args:
        source: where to look.
        text: taken as it is; its capitals do not count.
        after: name and address of the last one of the page before.
        limit: repositories at most.
    """
    query = _repos().order_by(REPOS.c.name, REPOS.c.repo).limit(limit)
    if text:
        query = query.where(REPOS.c.name.contains(text.lower(), autoescape=True))
    if after is not None:
        name, address = after
        same = and_(REPOS.c.name == name, REPOS.c.repo > address.raw)
        query = query.where(or_(REPOS.c.name > name, same))
    with looking(source) as connection:
        return [_repo(row) for row in connection.execute(query)]


def repos_of(source: Source, wallet: Address, *, limit: int = 100) -> list[RepoView]:
    """Gives repositories that a wallet made, owns or was offered, by name."""
    is_theirs = or_(
        REPOS.c.creator == wallet.raw,
        REPOS.c.authority == wallet.raw,
        REPOS.c.pending_authority == wallet.raw,
    )
    query = _repos().where(is_theirs).order_by(REPOS.c.name, REPOS.c.repo)
    with looking(source) as connection:
        return [_repo(row) for row in connection.execute(query.limit(limit))]


def repo_names(
    source: Source, addresses: list[Address]
) -> dict[Address, tuple[Address, str]]:
    """Gives creator and name of these repositories, of those that are known."""
    if not addresses:
        return {}
    query = select(REPOS.c.repo, REPOS.c.creator, REPOS.c.name).where(
        REPOS.c.repo.in_([one.raw for one in set(addresses)])
    )
    with looking(source) as connection:
        return {
            Address(bytes(row.repo)): (Address(bytes(row.creator)), row.name)
            for row in connection.execute(query)
        }


def count_repos(source: Source) -> int:
    """Gives how many repositories there are."""
    with looking(source) as connection:
        return int(connection.scalar(select(func.count()).select_from(REPOS)) or 0)


def _one_repo(source: Source, query: Select[Any]) -> RepoView | None:
    with looking(source) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _repo(row)


def _repos() -> Select[Any]:
    joined = REPOS.join(FOLDS, REPOS.c.repo == FOLDS.c.repo).outerjoin(
        RECONCILIATIONS, REPOS.c.repo == RECONCILIATIONS.c.repo
    )
    return select(
        REPOS, FOLDS.c.seq, FOLDS.c.root, RECONCILIATIONS.c.state
    ).select_from(joined)


def _repo(row: Row[Any]) -> RepoView:
    return RepoView(
        Address(bytes(row.repo)),
        Address(bytes(row.creator)),
        row.name,
        Address(bytes(row.authority)),
        Address(bytes(row.pending_authority)),
        Address(bytes(row.sponsor)),
        row.points_per_merge,
        row.created_at,
        row.seq,
        Digest(bytes(row.root)),
        row.state or UNKNOWN,
    )


def branches(source: Source, address: Address) -> list[BranchView]:
    """Gives a repository's branches by name, each with the verdict about its head."""
    query = _branches().where(BRANCHES.c.repo == address.raw).order_by(BRANCHES.c.name)
    with looking(source) as connection:
        return [_branch(row) for row in connection.execute(query)]


def branch(source: Source, address: Address) -> BranchView | None:
    """Gives a branch by the address of its account, if it is known."""
    return _one_branch(source, _branches().where(BRANCHES.c.branch == address.raw))


def branch_named(source: Source, address: Address, name: str) -> BranchView | None:
    """Gives a repository's branch by its name, if it is known."""
    query = _branches().where(BRANCHES.c.repo == address.raw, BRANCHES.c.name == name)
    return _one_branch(source, query)


def branch_names(source: Source, addresses: list[Address]) -> dict[Address, str]:
    """Gives the names of these branches, of those that are known."""
    if not addresses:
        return {}
    query = select(BRANCHES.c.branch, BRANCHES.c.name).where(
        BRANCHES.c.branch.in_([one.raw for one in set(addresses)])
    )
    with looking(source) as connection:
        found = connection.execute(query)
        return {Address(bytes(row.branch)): row.name for row in found}


def _one_branch(source: Source, query: Select[Any]) -> BranchView | None:
    with looking(source) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _branch(row)


def _branches() -> Select[Any]:
    joined = BRANCHES.outerjoin(HEAD_CHECKS, BRANCHES.c.branch == HEAD_CHECKS.c.branch)
    return select(
        BRANCHES,
        HEAD_CHECKS.c.head_commit.label("checked_head"),
        HEAD_CHECKS.c.head_seq.label("checked_seq"),
        HEAD_CHECKS.c.state,
        HEAD_CHECKS.c.valid_head,
        HEAD_CHECKS.c.fault,
    ).select_from(joined)


def _branch(row: Row[Any]) -> BranchView:
    # A verdict about an older head says nothing about this one.
    is_of_head = row.checked_seq == row.head_seq and row.checked_head == row.head_commit
    valid = None if row.valid_head is None else CommitId(bytes(row.valid_head))
    return BranchView(
        Address(bytes(row.branch)),
        Address(bytes(row.repo)),
        row.name,
        row.policy_index,
        row.is_protected,
        row.round_index,
        row.is_round_live,
        CommitId(bytes(row.head_commit)),
        row.head_seq,
        row.state if is_of_head else UNKNOWN,
        valid,
        row.fault if is_of_head else None,
    )
