"""What an indexer makes of a chain that behaves."""

from indexer_world import World
from sqlalchemy import select

from flair_indexer.run import backfill
from flair_indexer.tables import BRANCHES, COMMITS, CURSOR, EVENTS, ROUNDS, UPDATES


def rows(world, table, *order):
    with world.database.reading() as connection:
        return connection.execute(select(table).order_by(*order)).all()


def test_rounds_become_rows(world):
    script = world.story(n_updates=3, n_rounds=2)
    script.open()
    script.push(7)

    backfill(world.indexer)

    assert world.is_whole()
    (branch,) = rows(world, BRANCHES)
    assert (branch.name, branch.head_seq, branch.round_index) == ("main", 3, 3)
    assert bytes(branch.head_commit) == script.head.raw
    assert branch.is_round_live
    found = rows(world, ROUNDS, ROUNDS.c.round_index)
    assert [one.state for one in found] == ["merged", "merged", "open"]
    assert bytes(found[1].merge_commit) == script.head.raw
    states = [one.state for one in rows(world, UPDATES, UPDATES.c.round_index)]
    assert states == ["merged"] * 6 + ["accepted"]
    kinds = [one.kind for one in rows(world, COMMITS, COMMITS.c.head_seq)]
    assert kinds == ["root", "merge", "merge"]


def test_what_comes_later_is_added(world):
    script = world.story(n_rounds=1)
    backfill(world.indexer)
    script.play(2)

    step = world.indexer.step()

    assert step.n_events == 7
    assert world.is_whole()


def test_nothing_is_fetched_twice(world):
    world.story()
    backfill(world.indexer)
    world.source.asked.clear()

    world.indexer.step()

    assert "transactions" not in world.source.asked


def test_the_order_is_slot_transaction_call(world):
    world.chain.next_slot()
    first, second = world.chain.repo("a"), world.chain.repo("b")
    script = world.story("c")
    backfill(world.indexer)

    order = (EVENTS.c.slot, EVENTS.c.tx_index, EVENTS.c.outer, EVENTS.c.inner)
    found = [bytes(one.repo) for one in rows(world, EVENTS, *order)]

    assert found[:2] == [first.address.raw, second.address.raw]
    assert set(found[2:]) == {script.repo.address.raw}


def test_the_order_is_asked_for_where_the_node_does_not_tell_it(world, tmp_path):
    world.chain.next_slot()
    for name in "abc":
        world.chain.repo(name)
    world.settle()
    backfill(world.indexer)

    world.source.knows_index = False
    assert world.rebuilt(tmp_path) == world.digests()
    assert world.source.asked.count("block_order") == 1


def test_a_rebuild_gives_the_same_bytes(world, tmp_path):
    for name in ("heart", "lung", "eye"):
        world.story(name)
    for _ in range(3):
        world.indexer.step()
        world.story(f"more-{world.chain.slot}", n_rounds=1)
    world.settle()
    backfill(world.indexer)

    assert world.rebuilt(tmp_path) == world.digests()


def test_pages_and_units_of_every_size_give_the_same(tmp_path):
    from flair_indexer.settings import Options

    found = []
    for page, unit in ((1000, 2000), (1, 1), (3, 2)):
        options = Options(page_size=page, unit_size=unit)
        one = World(f"sqlite:///{tmp_path / f'{page}.sqlite'}", options=options)
        one.story("heart")
        one.story("lung")
        one.settle()
        backfill(one.indexer)
        found.append(one.digests())
        one.close()

    assert found[0] == found[1] == found[2]


def test_a_slot_is_complete_once_a_later_one_was_seen(world):
    world.story(n_rounds=1)
    backfill(world.indexer)

    (cursor,) = rows(world, CURSOR)

    assert cursor.complete_slot == world.chain.slot - 1
    assert cursor.until_slot == cursor.final_slot == world.source.final_slot
