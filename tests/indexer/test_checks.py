"""Blocks and heads: what is missing is shown as missing, what is wrong as wrong."""

import pytest
from aggregator_place import aggregator
from indexer_world import Clock
from sqlalchemy import update

from flair_client.chain import instructions
from flair_client.chain.accounts import MoveKind
from flair_client.chain.events import EVENT_PREFIX, decode_event
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.history.replay import replay
from flair_client.ids import CommitId
from flair_client.store.car import CarReader
from flair_indexer import queries
from flair_indexer.cars import CarPublisher
from flair_indexer.checking import Checker
from flair_indexer.db import open_database
from flair_indexer.heads import HeadChecker
from flair_indexer.run import Indexer, backfill
from flair_indexer.settings import Options
from flair_indexer.source import RpcSource
from flair_indexer.tables import EVENTS


class Mirror:
    """An indexer of the localnet, and its checks, one look at a time."""

    def __init__(self, place, tmp_path):
        self.clock = Clock()
        database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
        self.indexer = Indexer(
            database,
            RpcSource(Rpc(place.url), PROGRAM_ID),
            PROGRAM_ID,
            Options(),
            clock=self.clock,
        )
        ctx = place.context("reader")
        self.cars = CarPublisher(database, tmp_path / "cars")
        self.checker = Checker(
            database,
            HeadChecker(database, place.new_chain(), ctx.remote, place.genesis_hash),
            self.cars,
            self.indexer.options,
            self.indexer.current_owner,
            clock=self.clock,
        )

    def look(self):
        backfill(self.indexer)
        return self.checker.step()

    def branch(self, model):
        (found,) = queries.branches(self.indexer.database, model.repo)
        return found

    def commits(self, model):
        return queries.commits(self.indexer.database, model.branch)

    def close(self):
        self.indexer.end()
        self.indexer.database.close()
        self.indexer.source.close()


@pytest.fixture
def mirror(place, tmp_path):
    made = Mirror(place, tmp_path)
    yield made
    made.close()


@pytest.fixture
def model(place, request):
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].rstrip("-")
    made = place.publish(name, max_updates=2)
    made.hospitals(0.5, 0.25)
    aggregator(made, "owner", f"bot-{name}").once()
    return made


def move_by_hand(model, commit_id):
    owner, account = model.owner, model.account()
    owner.send(
        [
            instructions.branch_advance(
                actor=owner.wallet.address,
                repo=model.repo,
                branch=model.branch,
                kind=MoveKind.SNAPSHOT,
                expected_head=account.head_commit,
                expected_seq=account.head_seq,
                new_head=commit_id,
            )
        ]
    )


def test_heads_are_checked_and_commits_are_shown(mirror, model):
    mirror.look()

    branch = mirror.branch(model)
    assert (branch.head_state, branch.valid_head) == ("valid", branch.head_commit)
    merge, root = mirror.commits(model)
    assert merge.object_state == root.object_state == "present"
    assert root.author == model.owner.wallet.address
    assert merge.fault is None
    assert mirror.checker.step().n_valid_heads == 0, "nothing is checked twice"


def test_what_is_new_is_checked_from_the_last_valid_head(mirror, model, place):
    mirror.look()
    model.hospitals(0.5, 0.25)
    aggregator(model, "owner", "bot-again").once()

    assert mirror.look().n_valid_heads == 1
    assert mirror.branch(model).head_state == "valid"


def test_an_invalid_head_is_shown_as_invalid(mirror, model):
    mirror.look()
    valid = mirror.branch(model).head_commit
    # A block that is there, and is the update of a hospital instead of a snapshot.
    wrong = queries.updates(mirror.indexer.database, model.branch, 0)[0].commit_id
    move_by_hand(model, wrong)

    mirror.look()

    branch = mirror.branch(model)
    assert branch.head_commit == wrong
    assert (branch.head_state, branch.valid_head) == ("invalid", valid)
    assert branch.fault.startswith(f"commit {wrong.short}")
    assert mirror.commits(model)[0].fault.startswith(f"commit {wrong.short}")
    progress = queries.progress(mirror.indexer.database)
    assert progress.n_invalid_heads == 1


def test_a_missing_block_is_shown_as_missing_and_asked_for_again(mirror, model, place):
    store = place.context("reader").remote
    head = model.account().head_commit
    block = store.get(head.cid)
    store.delete(head.cid)

    mirror.look()

    assert mirror.branch(model).head_state == "missing"
    assert mirror.commits(model)[0].object_state == "missing"
    assert queries.progress(mirror.indexer.database).n_missing_commits == 1
    store.put(head.cid.codec, block)
    assert mirror.checker.step().n_commits == 0, "it is not time yet"
    mirror.clock.seconds += 60
    mirror.checker.step()
    assert mirror.branch(model).head_state == "valid"
    assert mirror.commits(model)[0].object_state == "present"
    assert queries.progress(mirror.indexer.database).n_missing_commits == 0


def test_a_commit_that_nobody_has_is_no_valid_head(mirror, model):
    move_by_hand(model, CommitId(b"\x77" * 32))

    mirror.look()

    assert mirror.branch(model).head_state == "missing"


def test_a_block_that_is_no_commit_never_becomes_one(mirror, model, place):
    store = place.context("reader").remote
    cid = store.put(0x71, b"\xa1\x61x\x01")
    move_by_hand(model, CommitId(cid.digest))

    mirror.look()

    assert mirror.branch(model).head_state == "invalid"
    assert mirror.commits(model)[0].object_state == "invalid"


def test_events_are_published_as_one_file(mirror, model):
    mirror.look()

    account = model.owner.chain.repo(model.repo)
    with mirror.cars.path(model.repo).open("rb") as file:
        reader = CarReader(file)
        events = [block.removeprefix(EVENT_PREFIX) for _, block in reader]
    assert reader.roots[0].digest == account.history_root.raw
    assert len(events) == account.event_seq
    # A stranger folds them to the account's root.
    assert replay(model.repo, events).root == account.history_root
    before = mirror.cars.path(model.repo).stat().st_mtime_ns
    assert mirror.checker.step().n_cars == 0
    assert mirror.cars.path(model.repo).stat().st_mtime_ns == before


def test_events_that_are_not_final_are_not_published(mirror, model):
    backfill(mirror.indexer)
    with mirror.indexer.database.unit() as connection:
        connection.execute(
            update(EVENTS)
            .where(EVENTS.c.repo == model.repo.raw, EVENTS.c.repo_seq > 3)
            .values(is_final=False)
        )

    mirror.cars.publish_due(1.0)

    with mirror.cars.path(model.repo).open("rb") as file:
        events = [block.removeprefix(EVENT_PREFIX) for _, block in CarReader(file)]
    assert [decode_event(one).repo_seq for one in events] == [1, 2, 3]
