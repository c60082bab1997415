"""A ledger in one SQLite file, opened anew for each question, also by many at once."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flair_client.errors import (
    FlairError,
    RecordDamaged,
    StoreFull,
    WorkspaceError,
    WorkspaceLocked,
)

DAY_S: Final = 86_400
# sqlite.org/rescode.html; the higher bits tell details.
_PRIMARY: Final = 0xFF
_DAMAGE: Final = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextlib.contextmanager
def open_ledger(
    path: Path, schema: str, *, timeout_s: float
) -> Iterator[sqlite3.Connection]:
    """Opens a ledger, or makes it; each statement stands by itself.

    Args:
        path: of the file; its folder is made.
        schema: statements that make what is not there yet.
        timeout_s: how long to wait for other processes.

    Raises:
        RecordDamaged: the file is no ledger.
        WorkspaceLocked: another process keeps it to itself.
        StoreFull, WorkspaceError: it cannot be written or opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        db = sqlite3.connect(path, isolation_level=None, timeout=timeout_s)
        with contextlib.closing(db):
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(schema)
            yield db
    except sqlite3.DatabaseError as exc:
        raise _unusable(path, exc) from exc
    except OSError as exc:
        raise WorkspaceError(f"the ledger {path}: {exc.strerror}") from exc


@contextlib.contextmanager
def unit_of_work(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written in here, or nothing; nobody else writes meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _unusable(path: Path, error: sqlite3.DatabaseError) -> FlairError:
    """Tells a file that is no ledger from one that cannot be used now."""
    # The driver's own complaints, as about a text that is no text, have no code.
    told = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = told & _PRIMARY
    if code in _DAMAGE:
        return RecordDamaged(path, 1, f"is no ledger: {error}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return WorkspaceLocked(f"another process holds the ledger {path}")
    # The latter is what a limit on the size of files gives.
    if code == sqlite3.SQLITE_FULL or told == sqlite3.SQLITE_IOERR_WRITE:
        return StoreFull(f"the ledger {path} cannot grow: {error}")
    return WorkspaceError(f"the ledger {path} cannot be used: {error}")
