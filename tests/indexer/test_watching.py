"""What others see of an indexer: metrics, log entries, queries."""

import io
import json
import logging
import urllib.request

from flair_client.chain import events as ev
from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.logs import write_json
from flair_indexer.run import backfill
from flair_indexer.scripted import call
from flair_indexer.tables import RECONCILIATIONS


def sample(world, name, **labels):
    return world.indexer.metrics.registry.get_sample_value(
        f"flair_indexer_{name}", labels
    )


def test_metrics_count_what_was_done(world):
    world.story(n_updates=1, n_rounds=1)
    world.chain.next_slot()
    world.chain.add([call(b"x" * 9)])
    world.source.final_lag = 3
    backfill(world.indexer)
    world.chain.drop(world.chain.slot)
    world.settle()
    world.indexer.step()

    assert sample(world, "transactions_total") == 10
    assert sample(world, "events_total") == 9
    assert sample(world, "dead_letters_total", reason="refused") == 1
    assert sample(world, "final_slot") == world.source.final_slot
    assert sample(world, "repositories", state="same") == 1


def test_prometheus_is_answered(world):
    from prometheus_client import start_http_server

    world.story()
    backfill(world.indexer)
    registry = world.indexer.metrics.registry
    server, thread = start_http_server(0, "127.0.0.1", registry=registry)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert "flair_indexer_events_total 19.0" in text


def test_a_log_entry_is_a_line_of_json(world):
    stream = io.StringIO()
    handler = write_json(stream)
    try:
        world.chain.next_slot()
        tx = world.chain.add([call(b"x" * 9)])
        backfill(world.indexer)
    finally:
        logging.getLogger("flair_indexer").removeHandler(handler)

    entry = json.loads(stream.getvalue().splitlines()[0])
    assert entry["event"] == "dead_letter"
    assert (entry["signature"], entry["reason"]) == (tx.signature, "refused")
    assert entry["level"] == "warning"


def test_queries_give_plain_values(world):
    script = world.story()
    script.open()
    script.push(5)
    backfill(world.indexer)
    database, repo = world.database, script.repo

    (found,) = queries.repos(database)
    assert found == queries.repo(database, repo.address)
    assert (found.name, found.seq, found.root) == ("heart", repo.seq, repo.root)
    assert queries.repos(database, creator=Address(bytes(32))) == []
    assert queries.repo(database, Address(bytes(32))) is None
    (pending,) = queries.updates(database, script.branch, script.round_index)
    assert (pending.state, pending.weight) == ("accepted", 1)
    (commit,) = queries.commit(database, script.head)
    assert (commit.kind, commit.object_state) == ("merge", "unknown")
    (branch,) = queries.branches(database, repo.address)
    assert branch.head_state == "unknown"
    assert queries.roles(database, repo.address) == []


def test_events_are_given_in_pages(world):
    script = world.story()
    backfill(world.indexer)

    found = []
    while page := queries.events(
        world.database, script.repo.address, after=len(found), limit=5
    ):
        found += page

    assert [one.seq for one in found] == list(range(1, script.repo.seq + 1))
    assert found[-1].root == script.repo.root
    assert queries.events(world.database, Address(bytes(32))) == []


def test_of_two_lines_the_folded_one_is_given(world):
    script = world.story(n_rounds=0)
    world.source.final_lag = 9
    old = script.repo.seq, script.repo.root
    world.chain.next_slot()
    kind, branch = ev.BranchPolicySet, script.branch
    world.chain.send(script.repo, kind, branch=branch, policy_index=0)
    backfill(world.indexer)
    script.repo.seq, script.repo.root = old
    for number in (4, 5):
        world.chain.next_slot()
        world.chain.send(script.repo, kind, branch=branch, policy_index=number)
    backfill(world.indexer)

    found = queries.events(world.database, script.repo.address)
    assert [ev.decode_event(one.payload).repo_seq for one in found] == [1, 2, 3, 4]
    assert ev.decode_event(found[-1].payload).policy_index == 0


def test_a_repository_that_differs_is_told(world):
    script = world.story()
    world.settle()
    backfill(world.indexer)
    script.repo.root = script.repo.root.__class__(b"\x66" * 32)

    found = world.indexer.reconcile_now()

    assert found.different == (script.repo.address.raw,)
    assert queries.repo(world.database, script.repo.address).state == "different"
    assert queries.progress(world.database).different == (script.repo.address,)
    script.chain._count_anew()
    assert world.indexer.reconcile_now().different == ()


def test_a_repository_that_is_only_here_is_told(world):
    script = world.story()
    backfill(world.indexer)
    world.source.faults.append(("account_heads", lambda _, __: []))

    assert world.indexer.reconcile_now().different == (script.repo.address.raw,)


def test_before_the_first_comparison_nothing_is_promised(world):
    script = world.story()
    backfill(world.indexer)
    with world.database.unit() as connection:
        connection.execute(RECONCILIATIONS.delete())

    assert queries.repo(world.database, script.repo.address).state == "unknown"
