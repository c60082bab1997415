"""Carries out changes of rows, folds what is new, and undoes what was dropped.

Everything here happens in a unit of work that the caller began.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    Connection,
    Row,
    Table,
    delete,
    func,
    select,
)

from flair_client.chain.events import decode_event
from flair_indexer.bulk import delete_many, insert_many, key_names, update_many
from flair_indexer.changes import Change, Put, Remove, Set
from flair_indexer.decode import IndexedEvent, Letter, order_of
from flair_indexer.fold import Candidate, Fold, fold
from flair_indexer.net import net_waves
from flair_indexer.parts import parts
from flair_indexer.tables import (
    DEAD_LETTERS,
    EVENTS,
    FOLDED,
    FOLDS,
    HEAD_CHECKS,
    INVALID_COMMITS,
    METADATA,
)

_FOLD_CHUNK: Final = 2000


def put_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Writes rows; those with the same key are replaced."""
    insert_many(connection, table, rows, replaces=True)


def add_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Writes rows; those whose key is there stay as they are."""
    insert_many(connection, table, rows, replaces=False)


def carry_out(connection: Connection, stories: Iterable[Sequence[Change]]) -> None:
    """Carries out changes, like ones together.

    Args:
        connection: of a unit of work.
        stories: the changes of one repository each, in their order. Repositories share
            no row and tables do not depend on one another, so that only the order
            within a repository and a table is kept.
    """
    waves: dict[tuple[str, int], dict[_Shape, list[Change]]] = {}
    for story in stories:
        by_table: dict[str, list[Change]] = {}
        for change in story:
            by_table.setdefault(change.table, []).append(change)
        for name, own in by_table.items():
            keys = key_names(METADATA.tables[name])
            for number, wave in enumerate(net_waves(own, keys)):
                for change in wave:
                    alike = waves.setdefault((name, number), {})
                    alike.setdefault(_shape(change), []).append(change)
    for name, number in sorted(waves):
        for changes in waves[name, number].values():
            _carry_out_alike(connection, METADATA.tables[name], changes)


_Shape: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]


def _shape(change: Change) -> _Shape:
    match change:
        case Put(values=values):
            return "put", (), tuple(values)
        case Set(where=where, values=values):
            return "set", tuple(where), tuple(values)
        case Remove(where=where):
            return "remove", tuple(where), ()


def _carry_out_alike(
    connection: Connection, table: Table, changes: list[Change]
) -> None:
    verb, _, _ = _shape(changes[0])
    if verb == "put":
        # A wave has a row once, and one statement may not meet it twice.
        put_rows(connection, table, [c.values for c in changes if isinstance(c, Put)])
    elif verb == "set":
        sets = [c for c in changes if isinstance(c, Set)]
        update_many(connection, table, [(c.where, c.values) for c in sets])
    else:
        gone = [c.where for c in changes if isinstance(c, Remove)]
        delete_many(connection, table, gone)


def store_events(connection: Connection, events: Sequence[IndexedEvent]) -> None:
    """Writes events and folds the repositories that they belong to."""
    add_rows(connection, EVENTS, [_event_row(one) for one in events])
    by_repo: dict[bytes, list[IndexedEvent]] = {}
    for one in events:
        by_repo.setdefault(one.event.repo.raw, []).append(one)
    for part in parts(by_repo):
        _fold_new(connection, {repo: by_repo[repo] for repo in part})


def _event_row(one: IndexedEvent) -> dict[str, Any]:
    return {
        "signature": one.signature,
        "outer": one.outer,
        "inner": one.inner,
        "slot": one.slot,
        "tx_index": one.tx_index,
        "block_time": one.block_time,
        "repo": one.event.repo.raw,
        "repo_seq": one.event.repo_seq,
        "kind": type(one.event).__name__,
        "prev_root": one.event.prev_root.raw,
        "root": one.root,
        "payload": one.payload,
        "is_final": one.is_final,
    }


def _fold_new(
    connection: Connection, by_repo: Mapping[bytes, list[IndexedEvent]]
) -> None:
    states = read_folds(connection, list(by_repo))
    stories: list[list[Change]] = []
    folded: dict[bytes, Fold] = {}
    for repo, events in by_repo.items():
        candidates = [
            Candidate(one.event.repo_seq, one.event.prev_root.raw, one.root, one.event)
            for one in sorted(events, key=_fold_order)
        ]
        folded[repo], story = fold(states[repo], candidates)
        stories.append(story)
    carry_out(connection, stories)
    _put_folds(connection, folded.values())
    # What came before its turn may follow now.
    newest = _newest_seqs(connection, list(folded))
    for repo, state in folded.items():
        if newest.get(repo, 0) > state.seq:
            fold_on(connection, state)


def _fold_order(one: IndexedEvent) -> tuple[Any, ...]:
    return one.event.repo_seq, order_of(one)


def fold_on(connection: Connection, state: Fold) -> Fold:
    """Folds the stored events that follow, a part at a time; gives where it ends."""
    while True:
        query = (
            select(EVENTS)
            .where(EVENTS.c.repo == state.repo, EVENTS.c.repo_seq > state.seq)
            .order_by(
                EVENTS.c.repo_seq,
                EVENTS.c.slot,
                EVENTS.c.tx_index,
                EVENTS.c.outer,
                EVENTS.c.inner,
            )
            .limit(_FOLD_CHUNK)
        )
        rows = connection.execute(query).all()
        reached, changes = fold(state, [_candidate(row) for row in rows])
        if reached == state:
            return state
        carry_out(connection, [changes])
        _put_folds(connection, [reached])
        state = reached


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(
        row.repo_seq,
        bytes(row.prev_root),
        bytes(row.root),
        decode_event(bytes(row.payload)),
    )


def read_folds(connection: Connection, repos: Sequence[bytes]) -> dict[bytes, Fold]:
    """Gives how far repositories were folded; of those never seen the beginning."""
    states = {repo: Fold(repo) for repo in repos}
    for part in parts(repos):
        for row in connection.execute(select(FOLDS).where(FOLDS.c.repo.in_(part))):
            repo = bytes(row.repo)
            states[repo] = Fold(repo, row.seq, bytes(row.root), row.authority_epoch)
    return states


def _put_folds(connection: Connection, states: Iterable[Fold]) -> None:
    rows = [
        {
            "repo": one.repo,
            "seq": one.seq,
            "root": one.root,
            "authority_epoch": one.authority_epoch,
        }
        for one in states
        if one.seq
    ]
    put_rows(connection, FOLDS, rows)


def _newest_seqs(connection: Connection, repos: list[bytes]) -> dict[bytes, int]:
    query = (
        select(EVENTS.c.repo, func.max(EVENTS.c.repo_seq))
        .where(EVENTS.c.repo.in_(repos))
        .group_by(EVENTS.c.repo)
    )
    return {bytes(repo): seq for repo, seq in connection.execute(query)}


def undo_events(connection: Connection, signatures: Sequence[bytes]) -> int:
    """Forgets transactions that were dropped, and folds their repositories anew.

    Returns:
        How many events went.
    """
    repos: set[bytes] = set()
    n_gone = 0
    for part in parts(signatures):
        gone = EVENTS.c.signature.in_(part)
        repos |= set(
            map(bytes, connection.scalars(select(EVENTS.c.repo).where(gone).distinct()))
        )
        n_gone += connection.execute(delete(EVENTS).where(gone)).rowcount
    for repo in sorted(repos):
        fold_anew(connection, repo)
    return n_gone


def fold_anew(connection: Connection, repo: bytes) -> Fold:
    """Forgets everything that was folded of a repository, and folds it again."""
    for table in (*FOLDED, HEAD_CHECKS, INVALID_COMMITS):
        connection.execute(delete(table).where(table.c.repo == repo))
    return fold_on(connection, Fold(repo))


def put_letters(connection: Connection, letters: Sequence[Letter]) -> None:
    """Puts aside what cannot be delivered."""
    rows = [
        {
            "signature": one.signature,
            "outer": one.outer,
            "inner": one.inner,
            "slot": one.slot,
            "reason": one.reason,
            "detail": one.detail,
        }
        for one in letters
    ]
    put_rows(connection, DEAD_LETTERS, rows)
