"""What was taken from whom: one SQLite file, one row for each upload.

An upload counts from the moment it is begun, so that several at once cannot exceed a
quota together; one that is dropped counts no more. A nonce is taken once.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from flair_client.errors import UploadRefused
from flair_client.ids import Address
from flair_client.ledger_file import DAY_S, open_ledger, unit_of_work
from flair_client.store.upload_text import UploadText
from flair_client.store_server.rights import Standing

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    signer BLOB NOT NULL,
    wallet BLOB NOT NULL,
    repo BLOB NOT NULL,
    standing TEXT NOT NULL,
    car BLOB NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    day INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS uploads_by_day ON uploads (day, wallet);
CREATE INDEX IF NOT EXISTS uploads_by_car ON uploads (car, state);
CREATE TABLE IF NOT EXISTS nonces (
    signer BLOB NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (signer, nonce)
) STRICT;
"""


class State(StrEnum):
    """How far an upload is."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload as it was written down.

    Attributes:
        id: its name in paths; unguessable.
        car: sha-256 of the file.
    """

    id: str
    car: bytes
    size: int
    state: State


@dataclass(frozen=True, slots=True)
class Taken:
    """What one wallet has sent today, in UTC, unfinished uploads too."""

    wallet: Address
    standing: Standing
    n_uploads: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class UploadLedger:
    """The file, opened anew for each question: several threads may ask.

    Each of its functions raises

    * `RecordDamaged` where the file is no ledger,
    * `WorkspaceLocked` where another process keeps it to itself,
    * `StoreFull`, `WorkspaceError` where it cannot be written or opened.

    Attributes:
        timeout_s: how long to wait for other processes.
    """

    path: Path
    timeout_s: float = 30.0

    def begin(
        self,
        new_id: str,
        text: UploadText,
        signer: Address,
        *,
        standing: Standing,
        quota: int,
        now: int,
    ) -> Upload:
        """Writes an upload down; gives the one of the same file that is open already.

        Args:
            new_id: what a new one would be called.
            text: as it was signed.
            signer: who signed it.
            standing: by what it is taken.
            quota: bytes that the wallet, or all open contributors together, may send
                within a day.
            now: seconds since 1970.

        Raises:
            UploadRefused: the nonce was taken before, or it would exceed the quota.
        """
        with self._unit_of_work() as db:
            _take_nonce(db, signer, text, now)
            known = db.execute(
                "SELECT id, car, size, state FROM uploads WHERE car = ? AND state = ? "
                "AND signer = ? AND wallet = ? AND repo = ? AND size = ?",
                (
                    *(text.car.raw, State.OPEN.value, signer.raw),
                    *(text.wallet.raw, text.repo.raw, text.size),
                ),
            ).fetchone()
            if known is not None:
                return _upload(known)
            _check_quota(db, text, standing, quota, now // DAY_S)
            db.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(new_id, signer.raw, text.wallet.raw, text.repo.raw),
                    *(standing.value, text.car.raw, text.size),
                    *(now // DAY_S, now, State.OPEN.value),
                ),
            )
        return Upload(new_id, text.car.raw, text.size, State.OPEN)

    def find(self, upload_id: str) -> Upload | None:
        """Gives an upload by its name, if there is one."""
        with self._open() as db:
            row = db.execute(
                "SELECT id, car, size, state FROM uploads WHERE id = ?", (upload_id,)
            ).fetchone()
        return None if row is None else _upload(row)

    def end(self, upload_id: str, state: State) -> None:
        """Writes down how an open upload ended."""
        with self._unit_of_work() as db:
            db.execute(
                "UPDATE uploads SET state = ? WHERE id = ? AND state = ?",
                (state.value, upload_id, State.OPEN.value),
            )

    def drop_begun_before(self, time: int) -> tuple[str, ...]:
        """Drops uploads that nobody finished; gives all that are dropped by now."""
        with self._unit_of_work() as db:
            db.execute(
                "UPDATE uploads SET state = ? WHERE state = ? AND begun_at < ?",
                (State.DROPPED.value, State.OPEN.value, time),
            )
            rows = db.execute(
                "SELECT id FROM uploads WHERE state = ?", (State.DROPPED.value,)
            ).fetchall()
        return tuple(str(one) for (one,) in rows)

    def taken(self, now: int) -> tuple[Taken, ...]:
        """Gives what was sent today, who sent most first."""
        with self._open() as db:
            rows = db.execute(
                "SELECT wallet, standing, COUNT(*), SUM(size) AS n FROM uploads "
                "WHERE day = ? AND state != ? GROUP BY 1, 2 ORDER BY n DESC, 1",
                (now // DAY_S, State.DROPPED.value),
            ).fetchall()
        return tuple(
            Taken(Address(wallet), Standing(standing), int(count), int(total))
            for wallet, standing, count, total in rows
        )

    @contextlib.contextmanager
    def _unit_of_work(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db, unit_of_work(db):
            yield db

    def _open(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return open_ledger(self.path, _SCHEMA, timeout_s=self.timeout_s)


def _upload(row: tuple[str, bytes, int, str]) -> Upload:
    upload_id, car, size, state = row
    return Upload(upload_id, car, size, State(state))


def _take_nonce(
    db: sqlite3.Connection, signer: Address, text: UploadText, now: int
) -> None:
    # What has expired is refused before it comes here.
    db.execute("DELETE FROM nonces WHERE expires_at < ?", (now,))
    try:
        db.execute(
            "INSERT INTO nonces VALUES (?, ?, ?)",
            (signer.raw, text.nonce, text.expires_at),
        )
    except sqlite3.IntegrityError as exc:
        raise UploadRefused("replayed", "this signature was used before") from exc


def _check_quota(
    db: sqlite3.Connection, text: UploadText, standing: Standing, quota: int, day: int
) -> None:
    question: Final = "SELECT SUM(size) FROM uploads WHERE day = ? AND state != ?"
    values: list[object] = [day, State.DROPPED.value]
    if standing is Standing.OPEN:
        # Wallets cost nothing: what anybody may send is bounded for all together.
        (found,) = db.execute(
            f"{question} AND standing = ?", (*values, standing.value)
        ).fetchone()
        whose = "open contributors together"
    else:
        (found,) = db.execute(
            f"{question} AND wallet = ? AND standing != ?",
            (*values, text.wallet.raw, Standing.OPEN.value),
        ).fetchone()
        whose = f"wallet {text.wallet} ({standing.value})"
    if int(found or 0) + text.size > quota:
        raise UploadRefused(
            "quota",
            f"with {text.size} bytes more {whose} would send more than the day's "
            f"{quota}",
        )
