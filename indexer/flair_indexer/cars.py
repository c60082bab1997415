"""Publishes each repository's events as one file, `events.car`.

A CAR of version 1 whose root is the newest event; each event is the raw block whose
digest is its root, oldest first, and names the one before it. Whoever has the file and
the account needs neither this indexer nor a node that still has the transactions. Only
final events are published.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, false, func, select

from flair_client.chain.events import event_block
from flair_client.errors import FlairError, StoreFull
from flair_client.ids import CODEC_RAW, Address, Cid
from flair_client.store.car import CarReader, write_car
from flair_indexer.db import Database
from flair_indexer.queries import read_events
from flair_indexer.tables import EVENTS, FOLDS, REPOS

FILE_NAME: Final = "events.car"
_PAGE: Final = 2000
# Writing a long history again for each new event would be nothing but writing.
_EVENTS_PER_S: Final = 1000


@dataclass(slots=True)
class CarPublisher:
    """Writes the files below a folder, `REPOSITORY/events.car`."""

    database: Database
    folder: Path
    _published: dict[bytes, tuple[Cid, float]] = field(default_factory=dict)

    def publish_due(self, now: float) -> int:
        """Writes every file that is not up to date; gives how many.

        A file is whole or not there, whatever ends the process. One with many events is
        written less often: at most one second in a thousand events.

        Raises:
            StoreFull: no room for it.
        """
        n_written = 0
        for repo in self._repos():
            with self.database.reading() as connection:
                n_final, root = _final_end(connection, repo)
                if root is None or self._is_recent(repo, root, n_final, now):
                    continue
                self._write(connection, repo, n_final, root)
            self._published[repo.raw] = (root, now)
            n_written += 1
        return n_written

    def path(self, repo: Address) -> Path:
        """Gives where a repository's file is."""
        return self.folder / str(repo) / FILE_NAME

    def _repos(self) -> list[Address]:
        with self.database.reading() as connection:
            found = connection.scalars(select(REPOS.c.repo).order_by(REPOS.c.repo))
            return [Address(bytes(one)) for one in found]

    def _is_recent(self, repo: Address, root: Cid, n_events: int, now: float) -> bool:
        known = self._published.get(repo.raw)
        if known is None:
            return _root_of(self.path(repo)) == root
        last, at = known
        return last == root or now - at < n_events / _EVENTS_PER_S

    def _write(
        self, connection: Connection, repo: Address, n_final: int, root: Cid
    ) -> None:
        path = self.path(repo)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    write_car(file, root, _blocks(connection, repo, n_final))
                Path(part).replace(path)
            except BaseException:
                Path(part).unlink(missing_ok=True)
                raise
        except OSError as exc:
            raise StoreFull(f"{path} cannot be written: {exc.strerror}") from exc


def _final_end(connection: Connection, repo: Address) -> tuple[int, Cid | None]:
    """The number of the last event up to which all are final, and its block."""
    folded = connection.scalar(select(FOLDS.c.seq).where(FOLDS.c.repo == repo.raw))
    first_open = connection.scalar(
        select(func.min(EVENTS.c.repo_seq)).where(
            EVENTS.c.is_final == false(), EVENTS.c.repo == repo.raw
        )
    )
    end = folded or 0
    if first_open is not None:
        end = min(end, first_open - 1)
    last = read_events(connection, repo, after=end - 1, limit=1) if end else []
    return end, Cid(CODEC_RAW, last[0].root.raw) if last else None


def _blocks(
    connection: Connection, repo: Address, n_final: int
) -> Iterator[tuple[Cid, bytes]]:
    after = 0
    while after < n_final:
        size = min(_PAGE, n_final - after)
        for one in read_events(connection, repo, after=after, limit=size):
            yield Cid(CODEC_RAW, one.root.raw), event_block(one.payload)
        after += size


def _root_of(path: Path) -> Cid | None:
    with contextlib.suppress(OSError, FlairError), path.open("rb") as file:
        return CarReader(file).roots[0]
    return None
