"""The database: SQLite or PostgreSQL behind the same few calls.

One indexer writes at a time. It holds a lock (`Database.lock`), and each unit of work
names the owner that it read, so that one that lost its lock unnoticed writes nothing.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import filelock
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from flair_client.errors import (
    DatabaseDamaged,
    DatabaseTaken,
    DatabaseUnavailable,
    FlairError,
    StoreFull,
    UsageError,
)

_BUSY_S: Final = 30
_CACHE_KIB: Final = 65_536
# Of 4 KiB: the log beside the file grows to 64 MiB before it is taken into the file.
_LOG_PAGES: Final = 16_384
_WRITES: Final = "flair_writes"
# Any number that no other program locks: "flair" in ASCII.
_ADVISORY_LOCK: Final = int.from_bytes(b"flair")
_FULL: Final = ("disk is full", "No space left", "could not extend file")
_GONE_STATES: Final = ("57", "08")  # PostgreSQL: operator intervention, connection


class Lock(Protocol):
    """Held by the one indexer that writes."""

    def is_held(self) -> bool:
        """Whether it is still held; a database that was restarted holds no locks."""

    def release(self) -> None:
        """Lets others in."""


@dataclass(slots=True)
class Database:
    """An open database; safe to use from several threads."""

    url: URL
    engine: Engine
    _file: tuple[int, int] | None = field(default=None)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @contextlib.contextmanager
    def unit(self) -> Iterator[Connection]:
        """A unit of work: all of it is kept, or nothing.

        Raises:
            DatabaseUnavailable: the server is away; the same may succeed later.
            StoreFull: no room.
            DatabaseDamaged: it cannot be used.
        """
        with self._translated(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Reads that belong together: what others write meanwhile is not seen.

        Raises:
            DatabaseUnavailable: the server is away.
            DatabaseDamaged: it cannot be used.
        """
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._translated(), self.engine.connect() as plain:
            connection = plain.execution_options(**level)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as exc:
            raise unusable(self.url, exc) from exc

    def lock(self) -> Lock:
        """Becomes the one indexer that writes.

        Raises:
            DatabaseTaken: there is one already.
            DatabaseUnavailable: the server is away.
        """
        with self._translated():
            if self.path is not None:
                return _FileLock.take(self.path)
            return _ServerLock.take(self)

    def is_replaced(self) -> bool:
        """Whether somebody deleted the file, or put another one in its place.

        What is open would go on being written, and nobody could ever read it.
        """
        return self.path is not None and _identity(self.path) != self._file

    def note_file(self) -> None:
        """Remembers which file it is, once it is there."""
        if self.path is not None:
            self._file = _identity(self.path)

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Opens a database; nothing in it is read yet.

    Args:
        url: `sqlite:////absolute/file` or `postgresql://…`, as SQLAlchemy writes it.

    Raises:
        UsageError: another kind, or no URL.
        DatabaseUnavailable: the folder of the file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise UsageError("the database is not named by a URL") from exc
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        # libpq finds the password in ~/.pgpass where the URL has none.
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True
        )
        return Database(parsed, engine)
    if kind != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise UsageError(f"{kind!r} is neither a file of sqlite nor postgresql")
    try:
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DatabaseUnavailable(shown_url(parsed), str(exc)) from exc
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_S})
    _prepare_sqlite(engine)
    return Database(parsed, engine)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # The driver begins no transactions by itself: `_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # A loss of power may take the last units; the chain still has them.
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        # By itself after 4 MiB, which is less than a unit of work of a backlog: each
        # page would be written twice, and waited for, again and again.
        cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Whoever reads first and then writes would fail where another one wrote
        # between; taking the lock at once makes it wait instead.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def shown_url(url: URL) -> str:
    """Gives a database's name for people: without its password."""
    return url.render_as_string(hide_password=True)


def unusable(url: URL, error: SQLAlchemyError) -> FlairError:
    """Gives the error for what a database said."""
    name = shown_url(url)
    if not isinstance(error, DBAPIError):
        return DatabaseDamaged(name, _first_line(error))
    reason = _first_line(error.orig)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if any(words in reason for words in _FULL):
        return StoreFull(f"database {name}: {reason}")
    if "locked" in reason:
        return DatabaseTaken(name, "another process keeps it to itself")
    is_gone = error.connection_invalidated or isinstance(error, InterfaceError)
    if is_gone or state[:2] in _GONE_STATES or "connect" in reason:
        return DatabaseUnavailable(name, reason)
    return DatabaseDamaged(name, reason)


def _first_line(error: object) -> str:
    return next(iter(str(error).splitlines()), "")[:300]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(slots=True)
class _FileLock:
    """Beside a SQLite file; the system lets go of it when the process ends."""

    _held: filelock.FileLock

    @classmethod
    def take(cls, path: Path) -> "_FileLock":
        held = filelock.FileLock(f"{path}.lock", timeout=0)
        try:
            held.acquire()
        except filelock.Timeout as exc:
            raise DatabaseTaken(str(path), "another indexer writes it") from exc
        return cls(held)

    def is_held(self) -> bool:
        return self._held.is_locked

    def release(self) -> None:
        self._held.release()


@dataclass(slots=True)
class _ServerLock:
    """Of a PostgreSQL session, which holds it as long as it lasts."""

    _engine: Engine
    _session: Connection

    @classmethod
    def take(cls, database: Database) -> "_ServerLock":
        engine = create_engine(database.engine.url, poolclass=NullPool)
        session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = session.scalar(
            text("SELECT pg_try_advisory_lock(:number)"), {"number": _ADVISORY_LOCK}
        )
        if not taken:
            session.close()
            raise DatabaseTaken(shown_url(database.url), "another indexer writes it")
        return cls(engine, session)

    def is_held(self) -> bool:
        try:
            return bool(self._session.scalar(text("SELECT 1")))
        except SQLAlchemyError:
            return False

    def release(self) -> None:
        with contextlib.suppress(SQLAlchemyError):
            self._session.close()
        self._engine.dispose()
