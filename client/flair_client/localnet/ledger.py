"""What a localnet keeps on disk: a log of transactions, and accounts.

SQLite with a write-ahead log and full synchronisation: a transaction and the accounts
that it changed are one unit of work, on disk before anybody hears of it.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.chain.accounts import RawAccount
from flair_client.errors import ChainError
from flair_client.ids import Address
from flair_client.localnet.clock import Moment

FORMAT: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
    address BLOB PRIMARY KEY, lamports INTEGER NOT NULL, owner BLOB NOT NULL,
    data BLOB NOT NULL, executable INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS transactions (
    slot INTEGER PRIMARY KEY, unix_ms INTEGER NOT NULL,
    signature BLOB NOT NULL UNIQUE, wire BLOB NOT NULL, meta TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mentions (
    address BLOB NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY (address, slot))
    WITHOUT ROWID;
"""
_ACCOUNT_TYPES: Final = [bytes, bytes, int, bytes, int]


class LedgerFull(ChainError):
    """The disk does not take a transaction; nothing of it happened."""


class LedgerDamaged(ChainError):
    """The file is no ledger, or somebody else has written to it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction on disk.

    Attributes:
        moment: its slot and time.
        signature: its first one, 64 bytes.
        wire: its bytes as sent.
        meta: its outcome in the JSON of RPC nodes.
        addresses: all accounts that it names.
    """

    moment: Moment
    signature: bytes
    wire: bytes
    meta: Mapping[str, Any]
    addresses: tuple[Address, ...]


class Ledger:
    """One file; used by one process, which holds the lock of its folder."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file.

        Raises:
            LedgerDamaged: it is not a ledger that this version can read.
            LedgerFull: the disk takes no new file.
        """
        self._path = path
        try:
            # Units of work are begun by hand; the file belongs to one thread.
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.DatabaseError as exc:
            raise LedgerDamaged(f"ledger {path} cannot be opened: {exc}") from exc
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise
        path.chmod(0o600)

    def _prepare(self) -> None:
        self._rows("PRAGMA journal_mode = WAL")
        self._rows("PRAGMA synchronous = FULL")
        with self._writing():
            # `executescript` would end the unit of work first.
            for table in _TABLES.split(";"):
                self._db.execute(table)
        ((state,),) = self._rows("PRAGMA quick_check(1)")
        if state != "ok":
            raise LedgerDamaged(f"ledger {self._path} is damaged: {_one_line(state)}")
        found = self.meta("format")
        if found is None:
            with self._writing():
                self._db.execute(
                    "INSERT INTO meta VALUES ('format', ?)", (b"%d" % FORMAT,)
                )
        elif found != b"%d" % FORMAT:
            raise LedgerDamaged(
                f"ledger {self._path} has format {found!r}, not {FORMAT}"
            )

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as exc:
            raise LedgerDamaged(
                f"ledger {self._path} cannot be read: {_one_line(exc)}"
            ) from exc

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A unit of work: all of it is on disk afterwards, or nothing.

        Raises:
            LedgerFull: the disk does not take it.
            LedgerDamaged: the file cannot be written for another reason.
        """
        try:
            with _Unit(self._db):
                yield
        except sqlite3.OperationalError as exc:
            raise LedgerFull(
                f"ledger {self._path} cannot be written: {_one_line(exc)}"
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise LedgerDamaged(
                f"ledger {self._path} is damaged: {_one_line(exc)}"
            ) from exc

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def limit_pages(self, n_pages: int) -> None:
        """Lets the file grow to so many pages of 4,096 bytes and no further."""
        self._db.execute(f"PRAGMA max_page_count = {int(n_pages)}")

    def meta(self, name: str) -> bytes | None:
        """Gives a setting, or None where it was never written."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", (name,))
        if rows and not isinstance(rows[0][0], bytes):
            raise LedgerDamaged(f"ledger {self._path} is damaged: setting {name!r}")
        return rows[0][0] if rows else None

    def begin_chain(
        self, meta: Mapping[str, bytes], accounts: Mapping[Address, RawAccount]
    ) -> None:
        """Writes the genesis: all of it or nothing.

        Raises:
            LedgerFull: the disk does not take it.
        """
        with self._writing():
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            self._write_accounts(dict(accounts))

    def write_accounts(
        self,
        accounts: Mapping[Address, RawAccount | None],
        meta: Mapping[str, bytes],
    ) -> None:
        """Writes accounts and settings outside of a transaction.

        Raises:
            LedgerFull: the disk does not take them.
        """
        with self._writing():
            self._write_accounts(accounts)
            self._db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items()
            )

    def append(
        self, entry: Entry, accounts: Mapping[Address, RawAccount | None]
    ) -> None:
        """Writes a transaction and the accounts that it changed; on disk on return.

        Raises:
            LedgerFull: the disk does not take it; nothing was written.
        """
        with self._writing():
            self._db.execute(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?)",
                (
                    entry.moment.slot,
                    entry.moment.unix_ms,
                    entry.signature,
                    entry.wire,
                    json.dumps(entry.meta, separators=(",", ":")),
                ),
            )
            self._db.executemany(
                "INSERT INTO mentions VALUES (?, ?)",
                [(one.raw, entry.moment.slot) for one in set(entry.addresses)],
            )
            self._write_accounts(accounts)

    def _write_accounts(self, accounts: Mapping[Address, RawAccount | None]) -> None:
        for address, account in accounts.items():
            if account is None:
                self._db.execute(
                    "DELETE FROM accounts WHERE address = ?", (address.raw,)
                )
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)",
                    (
                        address.raw,
                        account.lamports,
                        account.owner.raw,
                        account.data,
                        int(account.executable),
                    ),
                )

    def accounts(self) -> Iterator[RawAccount]:
        """Gives every account.

        Raises:
            LedgerDamaged: one is none.
        """
        for row in self._rows(
            "SELECT address, owner, lamports, data, executable FROM accounts"
        ):
            if [type(one) for one in row] != _ACCOUNT_TYPES or row[2] < 0:
                raise LedgerDamaged(f"ledger {self._path} is damaged: an account")
            yield RawAccount(
                Address(row[0]), Address(row[1]), row[2], row[3], bool(row[4])
            )

    def newest(self) -> Moment | None:
        """Gives the moment of the newest transaction."""
        rows = self._rows(
            "SELECT slot, unix_ms FROM transactions ORDER BY slot DESC LIMIT 1"
        )
        return Moment(*rows[0]) if rows else None

    def n_transactions(self) -> int:
        """Gives the number of transactions so far."""
        return int(self._rows("SELECT count(*) FROM transactions")[0][0])

    def has(self, signature: bytes) -> bool:
        """Tells whether a transaction is on disk."""
        return self.entry(signature) is not None

    def entry(self, signature: bytes) -> Entry | None:
        """Gives a transaction by its signature; `addresses` is left empty."""
        rows = self._rows(
            "SELECT slot, unix_ms, signature, wire, meta FROM transactions"
            " WHERE signature = ?",
            (signature,),
        )
        return self._entry(rows[0]) if rows else None

    def block_time(self, slot: int) -> Moment | None:
        """Gives the newest transaction's moment at or before a slot."""
        rows = self._rows(
            "SELECT slot, unix_ms FROM transactions WHERE slot <= ?"
            " ORDER BY slot DESC LIMIT 1",
            (slot,),
        )
        return Moment(*rows[0]) if rows else None

    def history(
        self, address: Address, *, above: int, below: int | None, limit: int
    ) -> list[Entry]:
        """Gives an address's transactions between two slots, newest first."""
        rows = self._rows(
            "SELECT slot, unix_ms, signature, wire, meta FROM transactions"
            " JOIN mentions USING (slot)"
            " WHERE address = ? AND slot > ? AND slot < ? ORDER BY slot DESC LIMIT ?",
            (address.raw, above, 2**63 - 1 if below is None else below, limit),
        )
        return [self._entry(row) for row in rows]

    def _entry(self, row: tuple[int, int, bytes, bytes, str]) -> Entry:
        slot, unix_ms, signature, wire, meta_text = row
        try:
            meta = json.loads(meta_text)
        except ValueError as exc:
            raise LedgerDamaged(
                f"ledger {self._path} is damaged: transaction in slot {slot}"
            ) from exc
        return Entry(Moment(slot, unix_ms), signature, wire, meta, ())


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())[:200]


class _Unit:
    """A unit of work: all of it is on disk afterwards, or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            # Not every failure ends the unit of work by itself, a failed COMMIT too.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
