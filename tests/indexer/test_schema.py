"""Tables: made, migrated with data, refused when they are somebody else's."""

import sqlite3

import pytest
from sqlalchemy import create_engine, inspect, text

from flair_client.errors import DatabaseDamaged, DatabaseOutdated, UsageError
from flair_indexer.db import open_database
from flair_indexer.digest import table_digests
from flair_indexer.run import backfill
from flair_indexer.schema import check_schema, current_revision, migrate
from flair_indexer.tables import METADATA

FIRST = "2026_11_24_mirror"


def columns(engine):
    """Every column, key and index, as the database itself tells them."""
    found = inspect(engine)
    return {
        name: (
            [
                (c["name"], str(c["type"]), c["nullable"])
                for c in found.get_columns(name)
            ],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (i["name"], tuple(i["column_names"])) for i in found.get_indexes(name)
            ),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def test_the_steps_make_the_tables_that_the_code_knows(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'steps.sqlite'}")
    migrate(database)
    known = create_engine("sqlite://")
    METADATA.create_all(known)

    assert columns(database.engine) == columns(known)
    database.close()
    known.dispose()


def test_a_database_of_the_previous_revision_keeps_its_data(world, tmp_path):
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    old = open_database(url)
    assert migrate(old, FIRST) == (None, FIRST)
    script = world.story()
    script.open()
    script.push(7)
    world.settle()
    backfill(world.indexer)
    # What a version of that revision would have written.
    copy(tmp_path / "index.sqlite", tmp_path / "old.sqlite")
    with pytest.raises(DatabaseOutdated, match="is needed"):
        check_schema(old)
    old.close()

    taken = world.new_indexer(url)
    backfill(taken)

    with taken.database.reading() as connection:
        assert table_digests(connection) == world.digests()
        left = connection.scalar(text("SELECT count(*) FROM pending"))
    assert left == 0
    assert world.source.asked[-5:].count("transactions") == 0
    assert current_revision(taken.database) != FIRST
    taken.end()
    taken.database.close()


def copy(source, target):
    connection = sqlite3.connect(target)
    connection.execute("ATTACH ? AS made", (str(source),))
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table'"
        )
        if row[0] != "alembic_version"
    ]
    for name in names:
        insert = f"INSERT INTO main.{name} SELECT * FROM made.{name}"  # noqa: S608 (ours)
        connection.execute(insert)
    old = "UPDATE main.updates SET state = 'pending' WHERE state = 'accepted'"
    assert connection.execute(old).rowcount
    connection.commit()
    connection.close()


def test_a_step_is_taken_back_and_made_again(tmp_path):
    from alembic import command

    from flair_indexer.schema import _config

    database = open_database(f"sqlite:///{tmp_path / 'i.sqlite'}")
    migrate(database)
    before = columns(database.engine)
    with database.unit() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert columns(database.engine) == {}
    migrate(database)

    assert columns(database.engine) == before
    database.close()


def test_tables_without_a_revision_are_somebody_elses(tmp_path):
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE events (x)")
    other.close()
    database = open_database(f"sqlite:///{path}")

    with pytest.raises(DatabaseDamaged, match="no revision"):
        migrate(database)
    database.close()


def test_a_file_that_is_no_database_is_told(tmp_path):
    path = tmp_path / "text.sqlite"
    path.write_text("these are words and no database at all" * 100)
    database = open_database(f"sqlite:///{path}")

    with pytest.raises(DatabaseDamaged, match="not a database"):
        migrate(database)
    database.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "no url", "oracle://x"]
)
def test_other_databases_are_refused(url):
    with pytest.raises(UsageError):
        open_database(url)


def test_a_password_is_never_shown(tmp_path):
    from flair_indexer.db import shown_url

    database = open_database("postgresql://flair:secret@localhost/flair")

    assert "secret" not in shown_url(database.url)
    assert "secret" not in repr(database)
    database.close()
