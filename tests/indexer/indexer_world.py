"""A scripted chain, an indexer of it, and how two databases are compared."""

import contextlib
import sqlite3
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sqlalchemy import func, select

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.ids import Address
from flair_indexer.db import Database, open_database
from flair_indexer.digest import table_digests
from flair_indexer.run import Indexer, backfill
from flair_indexer.schema import migrate
from flair_indexer.scripted import ScriptedChain, ScriptedSource
from flair_indexer.scripted_rounds import RoundScript
from flair_indexer.settings import Options
from flair_indexer.tables import DEAD_LETTERS, EVENTS, FOLDS, PENDING

BRANCH = Address(b"\x41" * 32)


@cache
def empty_tables() -> bytes:
    """A file with tables and nothing in them: making them takes longer than a test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        database = open_database(f"sqlite:///{path}")
        migrate(database)
        database.close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        return path.read_bytes()


def copy_tables(url):
    """Puts empty tables where a database is not there yet."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.exists():
        path.write_bytes(empty_tables())


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    seconds: float = 1_000_000.0

    def __call__(self):
        return self.seconds


@dataclass
class World:
    """One database, one chain; what tests ask of them."""

    url: str
    chain: ScriptedChain = field(default_factory=ScriptedChain)
    options: Options = field(default_factory=Options)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self):
        copy_tables(self.url)
        self.source = ScriptedSource(self.chain)
        self.indexer = self.new_indexer()

    def new_indexer(self, url=None) -> Indexer:
        return Indexer(
            open_database(url or self.url),
            self.source,
            PROGRAM_ID,
            self.options,
            clock=self.clock,
        )

    @property
    def database(self) -> Database:
        return self.indexer.database

    def restart(self):
        """As after the end of the process."""
        self.close()
        self.indexer = self.new_indexer()

    def close(self):
        self.indexer.end()
        self.indexer.database.close()

    def story(self, name="heart", n_updates=3, n_rounds=2) -> RoundScript:
        """A repository with a branch and some rounds."""
        self.chain.next_slot()
        repo = self.chain.repo(name)
        branch = Address(bytes((len(self.chain.repos) + 64,)) * 32)
        script = RoundScript(self.chain, repo, branch)
        script.begin()
        for _ in range(n_rounds):
            script.play(n_updates)
        return script

    def settle(self):
        """Lets every slot become final."""
        for _ in range(self.source.final_lag):
            self.chain.next_slot()

    def digests(self, indexer=None):
        with (indexer or self.indexer).database.reading() as connection:
            return table_digests(connection)

    def rebuilt(self, tmp_path: Path):
        """The tables that another indexer makes of the same chain."""
        url = f"sqlite:///{tmp_path / 'rebuilt.sqlite'}"
        copy_tables(url)
        other = self.new_indexer(url)
        backfill(other)
        found = self.digests(other)
        other.end()
        other.database.close()
        return found

    def count(self, table=EVENTS, *where):
        with self.database.reading() as connection:
            query = select(func.count()).select_from(table).where(*where)
            return connection.scalar(query)

    def folds(self):
        with self.database.reading() as connection:
            rows = connection.execute(select(FOLDS)).all()
        return {bytes(row.repo): (row.seq, bytes(row.root)) for row in rows}

    def is_whole(self):
        """Whether every repository was folded to what the chain counts."""
        chain = {
            one.address.raw: (one.seq, one.root.raw)
            for one in self.chain.repos.values()
            if one.seq
        }
        return self.folds() == chain

    def letters(self):
        with self.database.reading() as connection:
            rows = connection.execute(select(DEAD_LETTERS)).all()
        return [(row.reason, row.detail) for row in rows]

    def pending(self):
        return self.count(PENDING)
