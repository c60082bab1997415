"""Fetches the blocks of commits: what they say, or that no store has them.

A block that is missing, or that the store has under a wrong name, is asked for again,
later and later; pages show it as missing meanwhile. A block that is what its id says
and still no commit never becomes one.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select, union

from flair_client.encoding import decode_commit
from flair_client.errors import BlockMissing, DigestMismatch, ObjectError
from flair_client.ids import CommitId
from flair_client.limits import MAX_COMMIT_SIZE
from flair_client.objects import Commit
from flair_client.store.base import Store
from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.parts import parts
from flair_indexer.settings import Options
from flair_indexer.tables import COMMIT_OBJECTS, COMMITS, FETCHES, UPDATES
from flair_indexer.write import put_rows

PRESENT: Final = "present"
MISSING: Final = "missing"
INVALID: Final = "invalid"
_AT_ONCE: Final = 200
# Never asked for again.
_NEVER: Final = 1e18
_DETAIL_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class FetchedCommit:
    """What the store said about a commit."""

    commit_id: bytes
    state: str
    detail: str = ""
    row: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    commit_id: bytes
    n_attempts: int


def fetch_commits(
    database: Database, store: Store, owner: Owner, *, options: Options, now: float
) -> tuple[int, int]:
    """Fetches the commits that are due.

    Returns:
        How many are here now, and how many are missing or invalid.

    Raises:
        StoreUnavailable: no verdict could be reached; nothing is noted.
    """
    n_here = n_not = 0
    while wanted := _wanted(database, now):
        found = [_fetch(store, one) for one in wanted]
        _keep(database, owner, zip(wanted, found, strict=True), options, now)
        n_here += sum(one.state == PRESENT for one in found)
        n_not += sum(one.state != PRESENT for one in found)
    return n_here, n_not


def _wanted(database: Database, now: float) -> list[_Wanted]:
    named = union(select(COMMITS.c.commit_id), select(UPDATES.c.commit_id)).subquery()
    query = (
        select(named.c.commit_id, FETCHES.c.n_attempts)
        .select_from(
            named.outerjoin(
                FETCHES, named.c.commit_id == FETCHES.c.commit_id
            ).outerjoin(COMMIT_OBJECTS, named.c.commit_id == COMMIT_OBJECTS.c.commit_id)
        )
        .where(
            COMMIT_OBJECTS.c.commit_id.is_(None),
            FETCHES.c.next_try_at.is_(None) | (FETCHES.c.next_try_at <= now),
        )
        .order_by(named.c.commit_id)
        .limit(_AT_ONCE)
    )
    with database.reading() as connection:
        return [
            _Wanted(bytes(row.commit_id), row.n_attempts or 0)
            for row in connection.execute(query)
        ]


def _fetch(store: Store, wanted: _Wanted) -> FetchedCommit:
    commit_id = CommitId(wanted.commit_id)
    try:
        block = store.get(commit_id.cid, max_size=MAX_COMMIT_SIZE)
        commit = decode_commit(block)
    except (BlockMissing, DigestMismatch) as exc:
        return FetchedCommit(wanted.commit_id, MISSING, str(exc)[:_DETAIL_LIMIT])
    except ObjectError as exc:
        return FetchedCommit(wanted.commit_id, INVALID, str(exc)[:_DETAIL_LIMIT])
    row = _commit_row(wanted.commit_id, commit, len(block))
    return FetchedCommit(wanted.commit_id, PRESENT, row=row)


def _commit_row(commit_id: bytes, commit: Commit, n_bytes: int) -> dict[str, Any]:
    return {
        "commit_id": commit_id,
        "kind": str(commit.kind),
        "author": commit.author.raw,
        "message": commit.message,
        "authored_at": commit.time,
        "parents": b"".join(one.raw for one in commit.parents),
        "metrics": json.dumps(dict(commit.metrics or {}), sort_keys=True),
        "n_bytes": n_bytes,
    }


def _keep(
    database: Database,
    owner: Owner,
    found: Iterable[tuple[_Wanted, FetchedCommit]],
    options: Options,
    now: float,
) -> None:
    here, not_here = [], []
    for wanted, one in found:
        if one.row is not None:
            here.append(one.row)
            continue
        pause = min(
            options.check_s * 2 ** min(wanted.n_attempts, 20), options.fetch_limit_s
        )
        not_here.append(
            {
                "commit_id": one.commit_id,
                "state": one.state,
                "detail": one.detail,
                "n_attempts": wanted.n_attempts + 1,
                "next_try_at": now + pause if one.state == MISSING else _NEVER,
            }
        )
    with database.unit() as connection:
        owner.keep(connection)
        put_rows(connection, COMMIT_OBJECTS, here)
        put_rows(connection, FETCHES, not_here)
        for part in parts(row["commit_id"] for row in here):
            connection.execute(delete(FETCHES).where(FETCHES.c.commit_id.in_(part)))
