"""Every read that others may do, giving plain values. Nobody else reads the tables.

Each function is one consistent look: what the indexer writes meanwhile is not seen.
"""

import json
from typing import Any

from sqlalchemy import Connection, Row, Select, false, func, select

from flair_client.ids import Address, CommitId, Digest
from flair_indexer.cursor import read_cursor
from flair_indexer.db import Database
from flair_indexer.decode import signature_text
from flair_indexer.tables import (
    BRANCHES,
    COMMIT_OBJECTS,
    COMMITS,
    DEAD_LETTERS,
    EVENTS,
    FETCHES,
    FOLDS,
    HEAD_CHECKS,
    INVALID_COMMITS,
    PENDING,
    RECONCILIATIONS,
    REPOS,
    ROLES,
    ROUNDS,
    UPDATES,
)
from flair_indexer.views import (
    BranchView,
    CommitView,
    DeadLetter,
    EventView,
    Progress,
    RepoView,
    RoleView,
    RoundView,
    UpdateView,
)

UNKNOWN = "unknown"


def repos(
    database: Database, *, creator: Address | None = None, limit: int = 1000
) -> list[RepoView]:
    """Gives repositories by creator and name."""
    query = _repos().order_by(REPOS.c.creator, REPOS.c.name).limit(limit)
    if creator is not None:
        query = query.where(REPOS.c.creator == creator.raw)
    with database.reading() as connection:
        return [_repo(row) for row in connection.execute(query)]


def repo(database: Database, address: Address) -> RepoView | None:
    """Gives a repository, if it is known."""
    query = _repos().where(REPOS.c.repo == address.raw)
    with database.reading() as connection:
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


def branches(database: Database, address: Address) -> list[BranchView]:
    """Gives a repository's branches by name, each with the verdict about its head."""
    query = (
        select(
            BRANCHES,
            HEAD_CHECKS.c.head_commit.label("checked_head"),
            HEAD_CHECKS.c.head_seq.label("checked_seq"),
            HEAD_CHECKS.c.state,
            HEAD_CHECKS.c.valid_head,
            HEAD_CHECKS.c.fault,
        )
        .select_from(
            BRANCHES.outerjoin(HEAD_CHECKS, BRANCHES.c.branch == HEAD_CHECKS.c.branch)
        )
        .where(BRANCHES.c.repo == address.raw)
        .order_by(BRANCHES.c.name)
    )
    with database.reading() as connection:
        return [_branch(row) for row in connection.execute(query)]


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


def commits(
    database: Database, branch: Address, *, limit: int = 100
) -> list[CommitView]:
    """Gives a branch's heads, newest first."""
    query = (
        _commits()
        .where(COMMITS.c.branch == branch.raw)
        .order_by(COMMITS.c.head_seq.desc())
        .limit(limit)
    )
    with database.reading() as connection:
        return [_commit(row) for row in connection.execute(query)]


def commit(database: Database, commit_id: CommitId) -> list[CommitView]:
    """Gives every move to a commit: none, one, or several where branches share it."""
    query = _commits().where(COMMITS.c.commit_id == commit_id.raw)
    query = query.order_by(COMMITS.c.branch, COMMITS.c.head_seq)
    with database.reading() as connection:
        return [_commit(row) for row in connection.execute(query)]


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
    )


def rounds(database: Database, branch: Address, *, limit: int = 100) -> list[RoundView]:
    """Gives a branch's rounds, newest first."""
    query = (
        select(ROUNDS)
        .where(ROUNDS.c.branch == branch.raw)
        .order_by(ROUNDS.c.round_index.desc())
        .limit(limit)
    )
    with database.reading() as connection:
        return [_round(row) for row in connection.execute(query)]


def _round(row: Row[Any]) -> RoundView:
    merge = None if row.merge_commit is None else CommitId(bytes(row.merge_commit))
    return RoundView(
        Address(bytes(row.branch)),
        row.round_index,
        row.policy_index,
        CommitId(bytes(row.base_commit)),
        row.opened_at,
        row.deadline,
        row.state,
        row.closed_at,
        row.ended_at,
        row.n_accepted,
        row.weight_sum,
        row.n_accumulated,
        merge,
    )


def updates(database: Database, branch: Address, round_index: int) -> list[UpdateView]:
    """Gives a round's updates, by weight descending, then contributor ascending."""
    query = (
        select(UPDATES)
        .where(UPDATES.c.branch == branch.raw, UPDATES.c.round_index == round_index)
        .order_by(UPDATES.c.weight.desc(), UPDATES.c.contributor)
    )
    with database.reading() as connection:
        return [_update(row) for row in connection.execute(query)]


def _update(row: Row[Any]) -> UpdateView:
    return UpdateView(
        Address(bytes(row.branch)),
        row.round_index,
        Address(bytes(row.contributor)),
        Address(bytes(row.signer)),
        CommitId(bytes(row.commit_id)),
        Digest(bytes(row.payload_digest)),
        row.weight,
        row.pushed_at,
        row.state,
        row.reject_reason,
        row.points,
    )


def roles(database: Database, address: Address) -> list[RoleView]:
    """Gives a repository's roles, expired and void ones too."""
    query = (
        select(ROLES, REPOS.c.authority_epoch.label("epoch"))
        .select_from(ROLES.join(REPOS, ROLES.c.repo == REPOS.c.repo))
        .where(ROLES.c.repo == address.raw)
        .order_by(ROLES.c.grantee, ROLES.c.branch)
    )
    with database.reading() as connection:
        return [
            RoleView(
                Address(bytes(row.branch)),
                Address(bytes(row.grantee)),
                row.scope,
                row.expires_at,
                row.authority_epoch != row.epoch,
                Address(bytes(row.granted_by)),
            )
            for row in connection.execute(query)
        ]


def events(
    database: Database, address: Address, *, after: int = 0, limit: int = 1000
) -> list[EventView]:
    """Gives a repository's events after number `after`, as they were folded."""
    with database.reading() as connection:
        return read_events(connection, address, after=after, limit=limit)


def read_events(
    connection: Connection, address: Address, *, after: int, limit: int
) -> list[EventView]:
    """Does the same within a look that was begun already.

    Only what was folded is given: each names the one before it by its root.
    """
    folded = select(FOLDS.c.seq).where(FOLDS.c.repo == address.raw).scalar_subquery()
    query = (
        select(EVENTS)
        .where(
            EVENTS.c.repo == address.raw,
            EVENTS.c.repo_seq > after,
            EVENTS.c.repo_seq <= folded,
        )
        .order_by(EVENTS.c.repo_seq.desc(), EVENTS.c.slot)
    )
    # Where two slots have an event of this number, the next one names the right one.
    root = _root_at(connection, address, after + limit)
    found = []
    for row in connection.execute(query.where(EVENTS.c.repo_seq <= after + limit)):
        if bytes(row.root) == root:
            root = bytes(row.prev_root)
            found.append(_event(row))
    return found[::-1]


def _root_at(connection: Connection, address: Address, seq: int) -> bytes | None:
    fold = connection.execute(
        select(FOLDS).where(FOLDS.c.repo == address.raw)
    ).one_or_none()
    if fold is None:
        return None
    if fold.seq <= seq:
        return bytes(fold.root)
    following = select(EVENTS.c.prev_root).where(
        EVENTS.c.repo == address.raw, EVENTS.c.repo_seq == seq + 1
    )
    return bytes(connection.scalars(following.limit(1)).one())


def _event(row: Row[Any]) -> EventView:
    return EventView(
        row.repo_seq,
        row.kind,
        row.slot,
        signature_text(bytes(row.signature)),
        bytes(row.payload),
        Digest(bytes(row.root)),
        row.is_final,
    )


def dead_letters(database: Database, *, limit: int = 100) -> list[DeadLetter]:
    """Gives what was put aside, newest slot first."""
    query = (
        select(DEAD_LETTERS)
        .order_by(
            DEAD_LETTERS.c.slot.desc(),
            DEAD_LETTERS.c.signature,
            DEAD_LETTERS.c.outer,
            DEAD_LETTERS.c.inner,
        )
        .limit(limit)
    )
    with database.reading() as connection:
        return [
            DeadLetter(
                row.signature, row.outer, row.inner, row.slot, row.reason, row.detail
            )
            for row in connection.execute(query)
        ]


def progress(database: Database) -> Progress | None:
    """Gives how far the mirror is; None where no indexer has begun."""
    with database.reading() as connection:
        cursor = read_cursor(connection)
        if cursor is None:
            return None

        def count(table: Any, *where: Any) -> int:
            query = select(func.count()).select_from(table).where(*where)
            return int(connection.scalar(query) or 0)

        return Progress(
            genesis_hash=cursor.genesis_hash,
            program_id=Address(cursor.program_id),
            until_slot=cursor.until_slot,
            complete_slot=cursor.complete_slot,
            final_slot=cursor.final_slot,
            n_events=count(EVENTS),
            n_repos=count(REPOS),
            n_pending=count(PENDING),
            n_not_final=count(EVENTS, EVENTS.c.is_final == false()),
            n_dead_letters=count(DEAD_LETTERS),
            reconciled_at=cursor.reconciled_at,
            behind=_compared(connection, "behind"),
            different=_compared(connection, "different"),
            n_missing_commits=count(FETCHES, FETCHES.c.state == "missing"),
            n_invalid_heads=count(HEAD_CHECKS, HEAD_CHECKS.c.state == "invalid"),
        )


def _compared(connection: Connection, state: str) -> tuple[Address, ...]:
    query = select(RECONCILIATIONS.c.repo).where(RECONCILIATIONS.c.state == state)
    found = connection.scalars(query.order_by(RECONCILIATIONS.c.repo))
    return tuple(Address(bytes(one)) for one in found)
