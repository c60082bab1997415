"""A node over real sockets that stalls, refuses and repeats itself."""

import contextlib

import pytest
from indexer_world import Clock, copy_tables
from scripted_node import Node

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.transport import Patience
from flair_client.errors import RpcUnavailable
from flair_indexer.db import open_database
from flair_indexer.decode import signature_text
from flair_indexer.run import Indexer, backfill
from flair_indexer.scripted import ScriptedChain
from flair_indexer.scripted_rounds import RoundScript
from flair_indexer.source import RpcSource


@pytest.fixture
def node():
    chain = ScriptedChain()
    repo = chain.repo("heart")
    script = RoundScript(chain, repo, repo.creator)
    script.begin()
    script.play(3)
    made = Node(chain)
    yield made
    made.close()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def indexer(node, slept, tmp_path):
    url = f"sqlite:///{tmp_path / 'i.sqlite'}"
    copy_tables(url)
    patience = Patience(timeout_s=0.3, attempts=3, backoff_s=0.0)
    rpc = Rpc(node.url, patience=patience, sleep=slept.append)
    made = Indexer(
        open_database(url), RpcSource(rpc, PROGRAM_ID), PROGRAM_ID, clock=Clock()
    )
    yield made
    made.end()
    made.database.close()
    made.source.close()


# A repository, a branch and its root; a round of three updates.
N_EVENTS = 3 + 8
TOO_MANY = b"HTTP/1.1 429 Too Many\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n"


def count(indexer):
    from flair_indexer import queries

    return queries.progress(indexer.database).n_events


def test_a_node_that_has_had_enough_is_left_alone(node, indexer, slept):
    node.faults += [TOO_MANY, TOO_MANY]

    backfill(indexer)

    assert count(indexer) == N_EVENTS
    assert slept == [2.0, 2.0]


def test_a_node_that_stalls_is_asked_again(node, indexer):
    node.faults += [None]

    backfill(indexer)

    assert count(indexer) == N_EVENTS


@pytest.mark.parametrize("n_before", range(8))
def test_a_node_that_goes_away_at_any_question_costs_a_look(node, indexer, n_before):
    answered = []
    answer = node.answer

    def then_away(asked):
        answered.append(asked)
        if len(answered) == n_before + 1:
            node.faults += [b""] * 3
        return answer(asked)

    node.answer = then_away
    for _ in range(2):
        with contextlib.suppress(RpcUnavailable):
            backfill(indexer)
    backfill(indexer)

    assert count(indexer) == N_EVENTS


def test_a_node_that_answers_with_another_transaction_is_not_believed(node, indexer):
    other = signature_text(bytes(64))
    result = node.result

    def swapped(method, params):
        found = result(method, params)
        if method == "getTransaction":
            found["transaction"]["signatures"] = [other]
        return found

    node.result = swapped

    with pytest.raises(RpcUnavailable, match="another transaction"):
        backfill(indexer)
    node.result = result
    backfill(indexer)
    assert count(indexer) == N_EVENTS


@pytest.mark.parametrize(
    "entry",
    [
        {"signature": "0OIl", "slot": 1},
        {"signature": "1" * 64, "slot": -1},
        {"signature": 7, "slot": 1},
        {"slot": 1},
        7,
    ],
)
def test_a_listing_that_is_none_is_no_answer(node, indexer, entry):
    result = node.result
    node.result = lambda method, params: (
        [entry] if method == "getSignaturesForAddress" else result(method, params)
    )

    with pytest.raises(RpcUnavailable, match="no valid"):
        indexer.step()
