"""Transactions fetched in a process of their own, and what happens when it ends."""

import select
import signal

import pytest
from indexer_world import Clock, World, copy_tables
from scripted_node import Node

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.errors import ClusterMismatch, RpcUnavailable
from flair_indexer.aside import Aside, AsidePlan
from flair_indexer.db import open_database
from flair_indexer.fetching import Waiting
from flair_indexer.run import Indexer, backfill
from flair_indexer.scripted import GENESIS_HASH
from flair_indexer.settings import Options
from flair_indexer.source import RpcSource


@pytest.fixture
def told(tmp_path):
    """A chain, and what an indexer makes of it that reads it directly."""
    world = World(f"sqlite:///{tmp_path / 'direct.sqlite'}")
    world.story("heart", n_updates=3, n_rounds=2)
    backfill(world.indexer)
    node = Node(world.chain)
    yield world, node
    node.close()
    world.close()


def plan(node, genesis_hash=GENESIS_HASH):
    return AsidePlan(node.url, genesis_hash, 5.0, 1, str(PROGRAM_ID))


@pytest.fixture
def aside(told):
    made = Aside(plan(told[1]))
    yield made
    made.close()


@pytest.fixture
def indexer(told, aside, tmp_path):
    url = f"sqlite:///{tmp_path / 'aside.sqlite'}"
    copy_tables(url)
    made = Indexer(
        open_database(url),
        RpcSource(Rpc(told[1].url), PROGRAM_ID),
        PROGRAM_ID,
        Options(unit_size=4, aside_above=3),
        clock=Clock(),
        aside=aside,
    )
    yield made
    made.end()
    made.database.close()
    made.source.close()


def waiting(told):
    world, _ = told
    listed = world.source.signatures(PROGRAM_ID, before=None, until=None, limit=100)
    return [Waiting(one.signature, one.slot, one.is_final, 0) for one in listed[:3]]


def test_what_another_process_reads_is_the_same(told, indexer, aside, monkeypatch):
    n_units = []
    fetch = aside.fetch
    monkeypatch.setattr(Aside, "fetch", lambda _, one: n_units.append(1) or fetch(one))
    aside.begin()
    select.select([aside._child.stdout], [], [])

    backfill(indexer)

    assert len(n_units) > 1
    assert told[0].digests(indexer) == told[0].digests()


def test_until_it_is_ready_the_work_goes_on(told, indexer, aside, monkeypatch):
    monkeypatch.setattr(Aside, "is_ready", lambda _: False)

    backfill(indexer)

    assert told[0].digests(indexer) == told[0].digests()


def test_that_it_is_ready_is_known_without_waiting(told, aside):
    assert not aside.is_ready()

    select.select([aside._child.stdout], [], [])

    assert aside.is_ready()
    assert aside.is_ready()
    assert aside.fetch(waiting(told)).decoded


def test_it_runs_only_while_much_is_waiting(told, indexer, aside, monkeypatch):
    begun = []
    monkeypatch.setattr(Aside, "begin", lambda _: begun.append(1))
    indexer.options = Options(unit_size=4, aside_above=100)

    backfill(indexer)

    assert not begun
    assert told[0].digests(indexer) == told[0].digests()


def test_where_it_is_killed_the_next_look_begins_another_one(told, aside):
    first = aside.fetch(waiting(told))
    aside._child.send_signal(signal.SIGKILL)
    aside._child.wait()

    again = aside.fetch(waiting(told))

    assert again == first


def test_where_it_dies_over_a_question_the_look_fails(told, aside):
    aside.begin()
    told[1].faults.append(None)
    told[1].on_silence = lambda: aside._child.send_signal(signal.SIGKILL)

    with pytest.raises(RpcUnavailable, match="the process that fetches ended"):
        aside.fetch(waiting(told))

    assert aside.fetch(waiting(told)).decoded


def test_another_cluster_is_refused_by_its_name(told):
    other = Aside(plan(told[1], "1" * 32))
    try:
        with pytest.raises(ClusterMismatch, match="belongs to the cluster"):
            other.fetch(waiting(told))
    finally:
        other.close()


def test_a_node_that_is_away_is_told(told, aside):
    aside.fetch(waiting(told))
    told[1].faults += [b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"]

    with pytest.raises(RpcUnavailable, match="status 403"):
        aside.fetch(waiting(told))


def test_it_is_gone_when_it_is_closed(aside):
    aside.begin()
    child = aside._child

    aside.close()

    assert child.returncode is not None


def test_it_ends_with_its_input(aside):
    aside.begin()
    child = aside._child

    # As when the process that started it is killed.
    child.stdin.close()

    assert child.wait() == 0
