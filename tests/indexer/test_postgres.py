"""The same mirror in a real PostgreSQL, which is stopped and started meanwhile."""

import pytest
from indexer_world import World
from own_postgres import own_postgres, why_not
from test_schema import columns

from flair_client.errors import DatabaseTaken, DatabaseUnavailable
from flair_indexer.run import backfill, run_until_stopped
from flair_indexer.schema import migrate

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture(scope="module")
def server():
    with own_postgres() as running:
        yield running


@pytest.fixture
def world(server):
    made = World(server.new_database())
    yield made
    made.close()


def test_both_databases_hold_the_same_bytes(world, tmp_path):
    world.story("heart")
    world.story("lung")
    world.source.final_lag = 6
    backfill(world.indexer)
    world.chain.drop(world.chain.slot)
    world.settle()
    backfill(world.indexer)

    assert world.is_whole()
    assert world.digests() == world.rebuilt(tmp_path)


def test_the_steps_make_the_same_tables(server, tmp_path):
    from flair_indexer.db import open_database

    urls = (server.new_database(), f"sqlite:///{tmp_path / 'i.sqlite'}")
    names = []
    for url in urls:
        database = open_database(url)
        migrate(database)
        found = columns(database.engine)
        names.append({name: [c[0] for c in one[0]] for name, one in found.items()})
        database.close()

    assert names[0] == names[1]


def test_a_second_indexer_ends(world):
    world.story()
    world.indexer.step()
    other = world.new_indexer()

    with pytest.raises(DatabaseTaken):
        other.step()
    other.database.close()
    world.indexer.end()
    # Whoever comes when the first one is gone may write.
    world.restart()
    world.indexer.step()


def test_a_server_that_is_stopped_is_waited_for(world, server):
    script = world.story()
    world.indexer.step()
    server.stop()
    script.play(2)
    with pytest.raises(DatabaseUnavailable):
        world.indexer.step()
    told, waits = [], []

    class Wakeup:
        def wait(self, _timeout_s):
            waits.append(1)
            if len(waits) == 2:
                server.start()
            if len(waits) == 3:
                world.indexer.stopped = True

    run_until_stopped(world.indexer, Wakeup(), told.append)

    assert world.is_whole()
    assert told[-1] == "goes on"
    assert len(told) == 2


def test_a_server_that_dies_in_a_unit_keeps_nothing_of_it(world, server):
    script = world.story(n_rounds=1)
    backfill(world.indexer)
    before = world.digests()
    script.play(3)
    died = []

    def die(phase):
        if phase == "end of unit" and not died:
            died.append(phase)
            server.stop("immediate")
            server.start()

    world.indexer.on_phase = die
    with pytest.raises(DatabaseUnavailable):
        world.indexer.step()
    assert world.digests() == before

    backfill(world.indexer)
    assert world.is_whole()


def test_text_that_postgres_does_not_keep_is_replaced(world):
    from flair_indexer.decode import Letter
    from flair_indexer.write import put_letters

    world.indexer.step()
    letter = Letter("x", -1, -1, 5, "malformed", "zero \0 inside")
    with world.database.unit() as connection:
        put_letters(connection, [letter])

    assert world.letters() == [("malformed", "zero \N{REPLACEMENT CHARACTER} inside")]
