"""Policies: the rules of rounds."""

import json
from typing import Any

from sqlalchemy import Row, select

from flair_client.ids import Address, Digest
from flair_indexer.queries.look import Source, looking
from flair_indexer.tables import POLICIES
from flair_indexer.views import PolicyView


def policies(source: Source, repo: Address, *, limit: int = 100) -> list[PolicyView]:
    """Gives a repository's policies, newest first."""
    query = (
        select(POLICIES)
        .where(POLICIES.c.repo == repo.raw)
        .order_by(POLICIES.c.policy_index.desc())
        .limit(limit)
    )
    with looking(source) as connection:
        return [_policy(row) for row in connection.execute(query)]


def policy(source: Source, repo: Address, policy_index: int) -> PolicyView | None:
    """Gives a policy by its number, if it was made."""
    query = select(POLICIES).where(
        POLICIES.c.repo == repo.raw, POLICIES.c.policy_index == policy_index
    )
    with looking(source) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _policy(row)


def policy_named(source: Source, repo: Address, digest: Digest) -> PolicyView | None:
    """Gives a repository's policy by the digest that commits name."""
    query = (
        select(POLICIES)
        .where(POLICIES.c.repo == repo.raw, POLICIES.c.digest == digest.raw)
        .order_by(POLICIES.c.policy_index)
        .limit(1)
    )
    with looking(source) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _policy(row)


def _policy(row: Row[Any]) -> PolicyView:
    return PolicyView(
        row.policy_index,
        Address(bytes(row.policy)),
        Digest(bytes(row.digest)),
        json.loads(row.params),
        row.created_at,
    )
