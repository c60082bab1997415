"""The tables of a database: made, brought up to date, compared with this version."""

from functools import cache
from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from flair_client.errors import DatabaseDamaged, DatabaseOutdated
from flair_indexer.db import Database, shown_url, unusable
from flair_indexer.tables import METADATA

_VERSION_TABLE: Final = "alembic_version"


def migrate(database: Database, revision: str = "head") -> tuple[str | None, str]:
    """Brings a database to a revision; with data, or from nothing.

    Each step is one unit of work with those before it: killed anywhere, all of them or
    none were made.

    Returns:
        The revision before and after.

    Raises:
        DatabaseDamaged: it holds tables of something else.
        DatabaseUnavailable, StoreFull, DatabaseTaken: it cannot be written.
    """
    with database.unit() as connection:
        before = after = _revision(database, connection)
        if before != (newest_revision() if revision == "head" else revision):
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            after = _revision(database, connection)
    database.note_file()
    return before, str(after)


@cache
def newest_revision() -> str:
    """Gives the revision that this version works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current_revision(database: Database) -> str | None:
    """Gives a database's revision; None where it has no tables yet."""
    with database.reading() as connection:
        return _revision(database, connection)


def check_schema(database: Database) -> None:
    """Refuses a database that this version cannot work with.

    Raises:
        DatabaseOutdated: its tables are another version's, or not there.
    """
    found, wanted = current_revision(database), newest_revision()
    if found != wanted:
        raise DatabaseOutdated(shown_url(database.url), found, wanted)
    database.note_file()


def _revision(database: Database, connection: Connection) -> str | None:
    try:
        names = set(inspect(connection).get_table_names())
    except SQLAlchemyError as exc:
        raise unusable(database.url, exc) from exc
    if _VERSION_TABLE not in names:
        if names & set(METADATA.tables):
            raise DatabaseDamaged(
                shown_url(database.url), "has tables, and no revision of an indexer"
            )
        return None
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    folder = files("flair_indexer").joinpath("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
