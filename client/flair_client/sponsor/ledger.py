"""What a sponsor has spent: one SQLite file, one row for each signature.

A signature is written down before it is given away. The same transaction asked for
again gets the same signature and counts once.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.errors import SponsorRefused
from flair_client.ids import Address
from flair_client.ledger_file import DAY_S, open_ledger, unit_of_work
from flair_client.sponsor.rules import Asked, Purpose

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS signed (
    message BLOB PRIMARY KEY,
    day INTEGER NOT NULL,
    time INTEGER NOT NULL,
    repo BLOB NOT NULL,
    purpose TEXT NOT NULL,
    wallet BLOB NOT NULL,
    lamports INTEGER NOT NULL CHECK (lamports >= 0)
) STRICT;
CREATE INDEX IF NOT EXISTS signed_by_day ON signed (day, wallet);
"""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that is signed for within a day, in UTC.

    Attributes:
        per_day: lamports for all wallets together, by purpose.
        per_wallet: lamports for one wallet.
    """

    per_day: Mapping[Purpose, int]
    per_wallet: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a day has cost so far, by the most that each signature can cost.

    Attributes:
        n_signed: transactions.
        by_purpose: lamports.
        by_wallet: lamports, the largest first.
    """

    day: int
    n_signed: int
    by_purpose: Mapping[Purpose, int]
    by_wallet: tuple[tuple[Address, int], ...]


@dataclass(frozen=True, slots=True)
class Ledger:
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

    def check(self, asked: Asked, lamports: int, caps: Caps, now: int) -> bool:
        """Tells whether a signature was written down already; writes nothing.

        Args:
            asked: what would be signed.
            lamports: the most that it costs, deposit and all.
            caps: that hold.
            now: seconds since 1970.

        Raises:
            SponsorRefused: it was not, and would exceed a cap, which is named.
        """
        with self._open() as db:
            if _is_signed(db, asked):
                return True
            _check_caps(db, asked, lamports, caps, now // DAY_S)
            return False

    def reserve(self, asked: Asked, lamports: int, caps: Caps, now: int) -> bool:
        """Writes a signature down; false where it was written down before.

        Args:
            asked: what is signed.
            lamports: as for `check`, like the two after it.
            caps: that hold.
            now: seconds since 1970.

        Raises:
            SponsorRefused: names the cap that it would exceed; nothing was written.
        """
        day = now // DAY_S
        with self._open() as db, unit_of_work(db):
            if _is_signed(db, asked):
                return False
            _check_caps(db, asked, lamports, caps, day)
            db.execute(
                "INSERT INTO signed VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(asked.message.raw, day, now, asked.repo.raw),
                    *(asked.purpose.value, asked.wallet.raw, lamports),
                ),
            )
        return True

    def spent(self, now: int) -> Spent:
        """Gives what the day has cost so far."""
        day = now // DAY_S
        with self._open() as db:
            n_signed = _one(db, "SELECT COUNT(*) FROM signed WHERE day = ?", (day,))
            purposes = db.execute(
                "SELECT purpose, SUM(lamports) FROM signed WHERE day = ? GROUP BY 1",
                (day,),
            ).fetchall()
            wallets = db.execute(
                "SELECT wallet, SUM(lamports) AS n FROM signed WHERE day = ? "
                "GROUP BY 1 ORDER BY n DESC, 1",
                (day,),
            ).fetchall()
        found = {Purpose(name): int(total) for name, total in purposes}
        return Spent(
            day,
            n_signed,
            {purpose: found.get(purpose, 0) for purpose in Purpose},
            tuple((Address(raw), int(total)) for raw, total in wallets),
        )

    def _open(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return open_ledger(self.path, _SCHEMA, timeout_s=self.timeout_s)


def _is_signed(db: sqlite3.Connection, asked: Asked) -> bool:
    known = db.execute("SELECT 1 FROM signed WHERE message = ?", (asked.message.raw,))
    return known.fetchone() is not None


def _check_caps(
    db: sqlite3.Connection, asked: Asked, lamports: int, caps: Caps, day: int
) -> None:
    spent = _one(
        db,
        "SELECT SUM(lamports) FROM signed WHERE day = ? AND purpose = ?",
        (day, asked.purpose.value),
    )
    if spent + lamports > caps.per_day[asked.purpose]:
        raise SponsorRefused(
            "cap",
            f"with {lamports} lamports more than the day's "
            f"{caps.per_day[asked.purpose]} would go to {asked.purpose.value}",
        )
    mine = _one(
        db,
        "SELECT SUM(lamports) FROM signed WHERE day = ? AND wallet = ?",
        (day, asked.wallet.raw),
    )
    if mine + lamports > caps.per_wallet:
        raise SponsorRefused(
            "cap",
            f"with {lamports} lamports wallet {asked.wallet} would cost more "
            f"than its {caps.per_wallet} of a day",
        )


def _one(db: sqlite3.Connection, question: str, values: tuple[object, ...]) -> int:
    (found,) = db.execute(question, values).fetchone()
    return int(found or 0)
