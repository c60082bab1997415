"""Compares what was folded with the accounts: the proof that nothing was missed.

An account counts its events and names the newest one's root. Where the fold has the
same root at that number, no event is missing and none was invented. Where it has not,
the repository's own transactions are listed again, and the pages say "behind".
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from flair_client.ids import Address
from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.decode import signature_bytes
from flair_indexer.fold import Fold
from flair_indexer.parts import parts
from flair_indexer.source import AccountHead, Listed, Source, UnknownBefore
from flair_indexer.tables import EVENTS, FOLDS, PENDING, RECONCILIATIONS
from flair_indexer.write import add_rows, put_rows

SAME: Final = "same"
BEHIND: Final = "behind"
DIFFERENT: Final = "different"
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison found.

    Attributes:
        n_same: repositories whose fold gives the account's root.
        behind: whose account counts more events.
        different: whose root at the account's number is another one.
        n_listed: transactions that were listed again for them.
    """

    n_same: int
    behind: tuple[bytes, ...]
    different: tuple[bytes, ...]
    n_listed: int


def reconcile(database: Database, source: Source, owner: Owner, now: int) -> Reconciled:
    """Compares every repository, and the Config, with its account.

    One that was behind already at the last comparison, at the same number of events, is
    looked for in its own history; so is one that is different.
    """
    heads = source.account_heads()
    with database.reading() as connection:
        folds = {
            bytes(row.repo): Fold(bytes(row.repo), row.seq, bytes(row.root))
            for row in connection.execute(select(FOLDS))
        }
        before = {
            bytes(row.repo): (row.state, row.chain_seq)
            for row in connection.execute(select(RECONCILIATIONS))
        }
        states = {one.address: _state(connection, one, folds) for one in heads}
    # Folded, and the chain knows nothing of it.
    states |= dict.fromkeys(folds.keys() - states.keys(), DIFFERENT)
    seqs = {one.address: one.seq for one in heads}
    stuck = [
        repo
        for repo, state in sorted(states.items())
        if state == DIFFERENT
        or (state == BEHIND and before.get(repo) == (BEHIND, seqs.get(repo, 0)))
    ]
    n_listed = 0
    for repo in stuck:
        reached = folds[repo].seq if repo in folds else 0
        whole = states[repo] == DIFFERENT
        n_listed += _list_again(database, source, owner, repo, 0 if whole else reached)
    rows = [
        {
            "repo": repo,
            "state": state,
            "chain_seq": seqs.get(repo, 0),
            "compared_at": now,
        }
        for repo, state in states.items()
    ]
    with database.unit() as connection:
        owner.keep(connection, reconciled_at=now)
        put_rows(connection, RECONCILIATIONS, rows)
    return Reconciled(
        sum(state == SAME for state in states.values()),
        _those(states, BEHIND),
        _those(states, DIFFERENT),
        n_listed,
    )


def _those(states: dict[bytes, str], wanted: str) -> tuple[bytes, ...]:
    return tuple(sorted(repo for repo, state in states.items() if state == wanted))


def _state(connection: Connection, head: AccountHead, folds: dict[bytes, Fold]) -> str:
    folded = folds.get(head.address, Fold(head.address))
    if folded.seq < head.seq:
        return BEHIND
    if folded.seq == head.seq:
        return SAME if folded.root == head.root else DIFFERENT
    # Folded further than the account was read: its root must be on the way.
    query = select(EVENTS.c.root).where(
        EVENTS.c.repo == head.address, EVENTS.c.repo_seq == head.seq
    )
    roots = set(map(bytes, connection.scalars(query)))
    return SAME if head.root in roots else DIFFERENT


def _list_again(
    database: Database, source: Source, owner: Owner, repo: bytes, reached: int
) -> int:
    """Lists a repository's own transactions and queues those that are not here."""
    with database.reading() as connection:
        last = connection.scalar(
            select(EVENTS.c.slot)
            .where(EVENTS.c.repo == repo, EVENTS.c.repo_seq == reached)
            .limit(1)
        )
    n_new = 0
    before: str | None = None
    while True:
        try:
            page = source.signatures(
                Address(repo), before=before, until=None, limit=_PAGE
            )
        except UnknownBefore:
            return n_new
        n_new += _queue(database, owner, [one for one in page if not one.is_failed])
        is_enough = last is not None and page and page[-1].slot < last
        if len(page) < _PAGE or is_enough:
            return n_new
        before = page[-1].signature


def _queue(database: Database, owner: Owner, page: list[Listed]) -> int:
    with database.unit() as connection:
        owner.keep(connection)
        known: set[bytes] = set()
        raw = {signature_bytes(one.signature): one for one in page}
        for part in parts(raw):
            query = select(EVENTS.c.signature).where(EVENTS.c.signature.in_(part))
            known |= set(map(bytes, connection.scalars(query)))
        rows = [
            {
                "signature": one.signature,
                "slot": one.slot,
                "rank": -place,
                "is_final": one.is_final,
                "n_attempts": 0,
                "next_try_at": 0.0,
            }
            for place, (signature, one) in enumerate(raw.items())
            if signature not in known
        ]
        add_rows(connection, PENDING, rows)
    return len(rows)
