"""Rounds and their updates."""

import json
from typing import Any

from sqlalchemy import Row, Select, func, or_, select

from flair_client.ids import Address, CommitId, Digest
from flair_indexer.queries.look import Source, looking
from flair_indexer.tables import BRANCHES, COMMIT_OBJECTS, ROUNDS, UPDATES
from flair_indexer.views import RoundView, UpdateView

_LIVE = ("open", "closed")


def rounds(
    source: Source, branch: Address, *, before: int | None = None, limit: int = 100
) -> list[RoundView]:
    """Gives a branch's rounds, newest first; with `before` those before it."""
    query = select(ROUNDS).where(ROUNDS.c.branch == branch.raw)
    if before is not None:
        query = query.where(ROUNDS.c.round_index < before)
    query = query.order_by(ROUNDS.c.round_index.desc()).limit(limit)
    with looking(source) as connection:
        return [_round(row) for row in connection.execute(query)]


def round_of(source: Source, branch: Address, round_index: int) -> RoundView | None:
    """Gives a round, if it was opened."""
    query = select(ROUNDS).where(
        ROUNDS.c.branch == branch.raw, ROUNDS.c.round_index == round_index
    )
    with looking(source) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _round(row)


def live_rounds(source: Source, repo: Address) -> list[RoundView]:
    """Gives the rounds of a repository that are open or being merged."""
    joined = BRANCHES.join(
        ROUNDS,
        (ROUNDS.c.branch == BRANCHES.c.branch)
        & (ROUNDS.c.round_index == BRANCHES.c.round_index),
    )
    query = (
        select(ROUNDS)
        .select_from(joined)
        .where(BRANCHES.c.repo == repo.raw, ROUNDS.c.state.in_(_LIVE))
        .order_by(BRANCHES.c.name)
    )
    with looking(source) as connection:
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


def updates(source: Source, branch: Address, round_index: int) -> list[UpdateView]:
    """Gives a round's updates, by weight descending, then contributor ascending."""
    query = (
        _updates()
        .where(UPDATES.c.branch == branch.raw, UPDATES.c.round_index == round_index)
        .order_by(UPDATES.c.weight.desc(), UPDATES.c.contributor)
    )
    with looking(source) as connection:
        return [_update(row) for row in connection.execute(query)]


def updates_by(
    source: Source,
    contributor: Address,
    *,
    before: tuple[int, Address] | None = None,
    limit: int = 100,
) -> list[UpdateView]:
    """Gives a contributor's updates in all repositories, newest first.

    Args:
        source: where to look.
        contributor: the wallet.
        before: time and branch of the last one of the page before.
        limit: updates at most.
    """
    query = _updates().where(UPDATES.c.contributor == contributor.raw)
    if before is not None:
        moment, branch = before
        is_later = (UPDATES.c.pushed_at == moment) & (UPDATES.c.branch > branch.raw)
        query = query.where(or_(UPDATES.c.pushed_at < moment, is_later))
    query = query.order_by(UPDATES.c.pushed_at.desc(), UPDATES.c.branch).limit(limit)
    with looking(source) as connection:
        return [_update(row) for row in connection.execute(query)]


def pending_updates(
    source: Source, repo: Address, *, limit: int = 200
) -> list[UpdateView]:
    """Gives updates of a repository's live rounds that wait, by branch and weight."""
    query = (
        _updates()
        .join(
            BRANCHES,
            (BRANCHES.c.branch == UPDATES.c.branch)
            & (BRANCHES.c.round_index == UPDATES.c.round_index),
        )
        .where(
            BRANCHES.c.repo == repo.raw,
            BRANCHES.c.is_round_live,
            UPDATES.c.state == "accepted",
        )
        .order_by(BRANCHES.c.name, UPDATES.c.weight.desc(), UPDATES.c.contributor)
        .limit(limit)
    )
    with looking(source) as connection:
        return [_update(row) for row in connection.execute(query)]


def updates_of(source: Source, commit_id: CommitId) -> list[UpdateView]:
    """Gives what a commit was pushed as: nothing, an update, or several."""
    query = _updates().where(UPDATES.c.commit_id == commit_id.raw)
    query = query.order_by(UPDATES.c.branch, UPDATES.c.round_index)
    with looking(source) as connection:
        return [_update(row) for row in connection.execute(query)]


def count_updates(source: Source, contributor: Address) -> tuple[int, int]:
    """Gives how many updates a wallet pushed in all, and how many were merged."""
    query = select(
        func.count(), func.count().filter(UPDATES.c.state == "merged")
    ).where(UPDATES.c.contributor == contributor.raw)
    with looking(source) as connection:
        row = connection.execute(query).one()
    return row[0], row[1]


def _updates() -> Select[Any]:
    joined = UPDATES.outerjoin(
        COMMIT_OBJECTS, UPDATES.c.commit_id == COMMIT_OBJECTS.c.commit_id
    )
    return select(
        UPDATES, COMMIT_OBJECTS.c.message, COMMIT_OBJECTS.c.metrics
    ).select_from(joined)


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
        Address(bytes(row.repo)),
        row.message,
        None if row.metrics is None else json.loads(row.metrics),
    )
