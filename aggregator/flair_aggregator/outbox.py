"""The aggregator's notebook: what it meant to do, and what came of it. SQLite.

Nothing is decided from it but one thing: a merge commit that was made once is
proposed again after a restart instead of being made anew. Losing the file loses no
work: the chain says where a round stands, and the same round gives the same commit.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import filelock
from sqlalchemy import (
    Connection,
    Engine,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    create_engine,
    event,
    func,
    select,
    tuple_,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flair_client.errors import FlairError, OutboxDamaged, StoreFull, WorkspaceLocked
from flair_client.ids import Address, CommitId

_NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


_WAITS_LIMIT: Final = 2000
_LOCK_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class RoundName:
    """Which round, on which cluster: outboxes may outlive a localnet."""

    genesis_hash: str
    branch: Address
    round_index: int


@dataclass(frozen=True, slots=True)
class Intent:
    """One step as written down.

    Attributes:
        outcome: `done`, `already done`, or why it failed; None while it is open.
    """

    intent_id: int
    branch: Address
    round_index: int
    step: str
    subject: str
    intended_at: int
    outcome: str | None
    tx_signature: str | None


class Base(DeclarativeBase):
    """Tables of the outbox."""

    metadata = MetaData(naming_convention=_NAMING)


class RoundRow(Base):
    """A round that we worked on, and the merge commit that we made for it."""

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("genesis_hash", "branch", "round_index"),)

    round_id: Mapped[int] = mapped_column(primary_key=True)
    genesis_hash: Mapped[str] = mapped_column(String(64))
    branch: Mapped[str] = mapped_column(String(64))
    round_index: Mapped[int]
    merge_commit: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    # The chain's sum of the updates that the commit was made from.
    update_root: Mapped[bytes | None] = mapped_column(LargeBinary(32))


class IntentRow(Base):
    """A step: written before it is sent, completed when its result is known."""

    __tablename__ = "intents"

    intent_id: Mapped[int] = mapped_column(primary_key=True)
    # Serves `latest` and `unfinished`.
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.round_id"), index=True)
    step: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(128))
    intended_at: Mapped[int]
    finished_at: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(String(300))
    tx_signature: Mapped[str | None] = mapped_column(String(128))


class WaitsRow(Base):
    """Why nothing could be done on a branch when it was last looked at."""

    __tablename__ = "waits"

    # The branch's address is no key by itself: a localnet may be begun anew.
    genesis_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    branch: Mapped[str] = mapped_column(String(64), primary_key=True)
    waits: Mapped[str] = mapped_column(String(_WAITS_LIMIT))
    noted_at: Mapped[int]


class SpendRow(Base):
    """What a transaction cost a wallet, or can cost while that is not known."""

    __tablename__ = "spends"
    # A day's sum is asked for before each step.
    __table_args__ = (Index("ix_spends_day_wallet", "day", "wallet"),)

    spend_id: Mapped[int] = mapped_column(primary_key=True)
    wallet: Mapped[str] = mapped_column(String(64))
    day: Mapped[int]
    lamports: Mapped[int]


@dataclass(frozen=True, slots=True)
class Waits:
    """Why nothing could be done, and when that was."""

    waits: tuple[str, ...]
    noted_at: int


class Outbox:
    """Access to the outbox; one unit of work per call, several processes at once."""

    def __init__(self, engine: Engine, path: Path, *, now: Callable[[], int]) -> None:
        self._engine = engine
        self._path = path
        self._now = now

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """One unit of work: all of it or nothing.

        Raises:
            StoreFull: no room for it.
            WorkspaceLocked: another process keeps it to itself.
            OutboxDamaged: the file cannot be read or written.
        """
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except DatabaseError as exc:
            raise _unusable(self._path, exc) from exc

    def begin(self, name: RoundName, step: str, subject: str) -> int:
        """Writes down what is about to be sent. Gives the intent's number."""
        with self._session() as session:
            row = IntentRow(
                round_id=_round_row(session, name).round_id,
                step=step,
                subject=subject,
                intended_at=self._now(),
            )
            session.add(row)
            session.flush()
            return row.intent_id

    def finish(
        self, intent_id: int, outcome: str, tx_signature: str | None = None
    ) -> None:
        """Writes down what came of it."""
        with self._session() as session:
            row = session.get_one(IntentRow, intent_id)
            row.finished_at = self._now()
            row.outcome = outcome[:300]
            row.tx_signature = tx_signature

    def merge_commit(self, name: RoundName, update_root: bytes) -> CommitId | None:
        """The merge commit made for this round and this sum of updates, if any."""
        with self._session() as session:
            row = _round_row(session, name)
            if row.merge_commit is None or row.update_root != update_root:
                return None
            return CommitId(row.merge_commit)

    def keep_merge_commit(
        self, name: RoundName, update_root: bytes, commit_id: CommitId
    ) -> None:
        """Remembers the merge commit, so that a restart proposes the same one."""
        with self._session() as session:
            row = _round_row(session, name)
            row.merge_commit = commit_id.raw
            row.update_root = update_root

    def keep_waits(
        self, genesis_hash: str, branch: Address, waits: Sequence[str]
    ) -> None:
        """Remembers why nothing can be done, for whoever asks later."""
        row = WaitsRow(
            genesis_hash=genesis_hash,
            branch=str(branch),
            waits="\n".join(waits)[:_WAITS_LIMIT],
            noted_at=self._now(),
        )
        with self._session() as session:
            session.merge(row)

    def waits(self, genesis_hash: str, branch: Address) -> Waits | None:
        """Why nothing could be done on a branch when it was last looked at."""
        with self._session() as session:
            row = session.get(WaitsRow, (genesis_hash, str(branch)))
            if row is None:
                return None
            return Waits(tuple(row.waits.splitlines()), row.noted_at)

    def reserve(
        self, wallet: Address, day: int, lamports: int, cap: int | None
    ) -> int | None:
        """Writes down what a step can cost; gives its number, None above the cap."""
        with self._session() as session:
            if cap is not None and _spent(session, wallet, day) + lamports > cap:
                return None
            row = SpendRow(wallet=str(wallet), day=day, lamports=lamports)
            session.add(row)
            session.flush()
            return row.spend_id

    def settle(self, spend_id: int, lamports: int) -> None:
        """Writes down what a step did cost."""
        with self._session() as session:
            session.get_one(SpendRow, spend_id).lamports = lamports

    def spent(self, wallet: Address, day: int) -> int:
        """Lamports that a wallet has spent on a day, and may have."""
        with self._session() as session:
            return _spent(session, wallet, day)

    def latest(
        self, branches: Sequence[tuple[str, Address]], limit: int = 20
    ) -> tuple[Intent, ...]:
        """The last steps, newest first.

        Args:
            branches: genesis hash and address of each branch that is meant.
            limit: at most so many.
        """
        wanted = [(genesis_hash, str(branch)) for genesis_hash, branch in branches]
        query = (
            select(IntentRow, RoundRow)
            .join(RoundRow, IntentRow.round_id == RoundRow.round_id)
            .where(tuple_(RoundRow.genesis_hash, RoundRow.branch).in_(wanted))
            .order_by(IntentRow.intent_id.desc())
            .limit(limit)
        )
        with self._session() as session:
            return tuple(_intent(*row) for row in session.execute(query))

    def close(self) -> None:
        """Lets go of the file."""
        self._engine.dispose()


def open_outbox(path: Path, *, now: Callable[[], int] | None = None) -> Outbox:
    """Opens or makes the outbox file.

    Args:
        path: the SQLite file; its folder is made.
        now: seconds, for the notes.

    Raises:
        OutboxDamaged: the file is there, and is no outbox.
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": _LOCK_TIMEOUT_S}
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # The driver begins no transactions by itself: `_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Whoever reads first and then writes would fail where another one wrote
        # between; taking the lock at once makes it wait instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        # Of several that make the file at once, SQLite lets some fail unheard: it waits
        # for no lock while a file begins to keep its journal apart.
        with filelock.FileLock(f"{path}.lock", timeout=_LOCK_TIMEOUT_S):
            Base.metadata.create_all(engine)
        _read_all_tables(engine)
    except filelock.Timeout as exc:
        engine.dispose()
        raise WorkspaceLocked(f"outbox {path} is held by another process") from exc
    except DatabaseError as exc:
        engine.dispose()
        raise _unusable(path, exc) from exc
    return Outbox(engine, path, now=now or _wall_clock)


def _unusable(path: Path, error: DatabaseError) -> FlairError:
    reason = str(error.orig)
    if "disk is full" in reason:
        return StoreFull(f"outbox {path}: {reason}")
    if "locked" in reason:
        return WorkspaceLocked(f"outbox {path} is held by another process")
    return OutboxDamaged(path, reason)


def _read_all_tables(engine: Engine) -> None:
    """A row of each: another program's file, or another version's, fails here."""
    with Session(engine) as session:
        for table in Base.metadata.sorted_tables:
            session.execute(select(table).limit(1)).all()


def _wall_clock() -> int:
    return int(time.time())


def _round_row(session: Session, name: RoundName) -> RoundRow:
    query = select(RoundRow).where(
        RoundRow.genesis_hash == name.genesis_hash,
        RoundRow.branch == str(name.branch),
        RoundRow.round_index == name.round_index,
    )
    row = session.scalar(query)
    if row is None:
        row = RoundRow(
            genesis_hash=name.genesis_hash,
            branch=str(name.branch),
            round_index=name.round_index,
        )
        session.add(row)
        session.flush()
    return row


def _spent(session: Session, wallet: Address, day: int) -> int:
    query = select(func.sum(SpendRow.lamports)).where(
        SpendRow.day == day, SpendRow.wallet == str(wallet)
    )
    return int(session.scalar(query) or 0)


def _intent(row: IntentRow, round_row: RoundRow) -> Intent:
    return Intent(
        row.intent_id,
        Address.parse(round_row.branch),
        round_row.round_index,
        row.step,
        row.subject,
        row.intended_at,
        row.outcome,
        row.tx_signature,
    )
