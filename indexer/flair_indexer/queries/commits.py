"""Moves of heads, and what the commits say."""

import json
from typing import Any

from sqlalchemy import Row, Select, func, select

from flair_client.ids import Address, CommitId
from flair_indexer.queries.look import UNKNOWN, Source, looking
from flair_indexer.tables import (
    BRANCHES,
    COMMIT_OBJECTS,
    COMMITS,
    FETCHES,
    INVALID_COMMITS,
    REPOS,
)
from flair_indexer.views import Activity, CommitObject, CommitView

_ID = 32


def commits(
    source: Source, branch: Address, *, before: int | None = None, limit: int = 100
) -> list[CommitView]:
    """Gives a branch's heads, newest first.

    Args:
        source: where to look.
        branch: its address.
        before: only those before this number of the head.
        limit: commits at most.
    """
    query = _commits().where(COMMITS.c.branch == branch.raw)
    if before is not None:
        query = query.where(COMMITS.c.head_seq < before)
    query = query.order_by(COMMITS.c.head_seq.desc()).limit(limit)
    with looking(source) as connection:
        return [_commit(row) for row in connection.execute(query)]


def history(
    source: Source, repo: Address, *, before: int | None = None, limit: int = 100
) -> list[CommitView]:
    """Gives the moves of all branches of a repository, newest first.

    Args:
        source: where to look.
        repo: its address.
        before: only those before this event.
        limit: commits at most.
    """
    query = _commits().where(COMMITS.c.repo == repo.raw)
    if before is not None:
        query = query.where(COMMITS.c.event_seq < before)
    query = query.order_by(COMMITS.c.event_seq.desc()).limit(limit)
    with looking(source) as connection:
        return [_commit(row) for row in connection.execute(query)]


def activity(source: Source, *, limit: int = 20) -> list[Activity]:
    """Gives the newest moves of all repositories, newest first."""
    # Which ones first: what belongs to them is looked up for these alone.
    order = (COMMITS.c.moved_at.desc(), COMMITS.c.branch, COMMITS.c.head_seq.desc())
    newest = (
        select(COMMITS.c.branch, COMMITS.c.head_seq)
        .order_by(*order)
        .limit(limit)
        .subquery()
    )
    is_one = (newest.c.branch == COMMITS.c.branch) & (
        newest.c.head_seq == COMMITS.c.head_seq
    )
    query = (
        _commits()
        .add_columns(REPOS.c.creator, REPOS.c.name, BRANCHES.c.name.label("line"))
        .join(newest, is_one)
        .join(REPOS, REPOS.c.repo == COMMITS.c.repo)
        .join(BRANCHES, BRANCHES.c.branch == COMMITS.c.branch)
        .order_by(*order)
    )
    with looking(source) as connection:
        return [
            Activity(Address(bytes(row.creator)), row.name, row.line, _commit(row))
            for row in connection.execute(query)
        ]


def commit(source: Source, commit_id: CommitId) -> list[CommitView]:
    """Gives every move to a commit: none, one, or several where branches share it."""
    query = _commits().where(COMMITS.c.commit_id == commit_id.raw)
    query = query.order_by(COMMITS.c.branch, COMMITS.c.head_seq)
    with looking(source) as connection:
        return [_commit(row) for row in connection.execute(query)]


def commits_from(source: Source, start: bytes, *, limit: int = 20) -> list[CommitView]:
    """Gives moves to commits whose ids begin with these bytes."""
    low, high = start.ljust(_ID, b"\x00"), start.ljust(_ID, b"\xff")
    query = _commits().where(COMMITS.c.commit_id.between(low, high))
    query = query.order_by(COMMITS.c.commit_id, COMMITS.c.branch).limit(limit)
    with looking(source) as connection:
        return [_commit(row) for row in connection.execute(query)]


def commit_objects(source: Source, ids: list[CommitId]) -> dict[CommitId, CommitObject]:
    """Gives what the blocks of these commits say, of those that are here."""
    if not ids:
        return {}
    query = select(COMMIT_OBJECTS).where(
        COMMIT_OBJECTS.c.commit_id.in_([one.raw for one in ids])
    )
    with looking(source) as connection:
        found = [_object(row) for row in connection.execute(query)]
    return {one.commit_id: one for one in found}


def count_commits(source: Source, repo: Address | None = None) -> int:
    """Gives how often heads moved, in one repository or in all."""
    query = select(func.count()).select_from(COMMITS)
    if repo is not None:
        query = query.where(COMMITS.c.repo == repo.raw)
    with looking(source) as connection:
        return int(connection.scalar(query) or 0)


def _commits() -> Select[Any]:
    joined = (
        COMMITS.outerjoin(
            COMMIT_OBJECTS, COMMITS.c.commit_id == COMMIT_OBJECTS.c.commit_id
        )
        .outerjoin(FETCHES, COMMITS.c.commit_id == FETCHES.c.commit_id)
        .outerjoin(
            INVALID_COMMITS,
            (COMMITS.c.branch == INVALID_COMMITS.c.branch)
            & (COMMITS.c.head_seq == INVALID_COMMITS.c.head_seq),
        )
    )
    return select(
        COMMITS,
        COMMIT_OBJECTS.c.author,
        COMMIT_OBJECTS.c.message,
        COMMIT_OBJECTS.c.authored_at,
        COMMIT_OBJECTS.c.metrics,
        COMMIT_OBJECTS.c.parents,
        FETCHES.c.state,
        INVALID_COMMITS.c.fault,
    ).select_from(joined)


def _commit(row: Row[Any]) -> CommitView:
    is_here = row.author is not None
    return CommitView(
        Address(bytes(row.branch)),
        row.head_seq,
        CommitId(bytes(row.commit_id)),
        row.kind,
        CommitId(bytes(row.old_head)),
        row.event_seq,
        row.moved_at,
        Address(bytes(row.actor)),
        row.round_index,
        "present" if is_here else row.state or UNKNOWN,
        Address(bytes(row.author)) if is_here else None,
        row.message,
        row.authored_at,
        json.loads(row.metrics) if is_here else None,
        row.fault,
        Address(bytes(row.repo)),
        _parents(row),
    )


def _parents(row: Row[Any]) -> tuple[CommitId, ...]:
    """As the block says; without it as far as the move itself tells."""
    if row.parents is not None:
        return _ids(row.parents)
    old = CommitId(bytes(row.old_head))
    own = (old,) if any(old.raw) else ()
    return (*own, *_ids(row.merged))


def _ids(raw: bytes | None) -> tuple[CommitId, ...]:
    found = bytes(raw or b"")
    return tuple(
        CommitId(found[place : place + _ID]) for place in range(0, len(found), _ID)
    )


def _object(row: Row[Any]) -> CommitObject:
    return CommitObject(
        CommitId(bytes(row.commit_id)),
        row.kind,
        Address(bytes(row.author)),
        row.message,
        row.authored_at,
        _ids(row.parents),
        json.loads(row.metrics),
    )
