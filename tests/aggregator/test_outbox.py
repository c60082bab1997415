"""The outbox remembers across restarts, and two processes may use it."""

import contextlib
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from flair_aggregator.outbox import RoundName, Waits, open_outbox
from flair_client.errors import OutboxDamaged, StoreFull, WorkspaceLocked
from flair_client.ids import Address, CommitId

ROUND = RoundName("genesis", Address(bytes([1]) * 32), 3)
COMMIT = CommitId(bytes([2]) * 32)
ROOT = bytes([3]) * 32
HERE = [(ROUND.genesis_hash, ROUND.branch)]


def test_steps_are_there_after_a_restart_with_what_came_of_them(tmp_path):
    path = tmp_path / "deep" / "outbox.sqlite"
    first = open_outbox(path, now=lambda: 7)
    done = first.begin(ROUND, "round_close", "")
    first.finish(done, "done", "signature")
    first.begin(ROUND, "merge_propose", "2f")
    first.close()

    again = open_outbox(path, now=lambda: 8)
    latest = again.latest(HERE)
    elsewhere = again.latest([("another cluster", ROUND.branch)])
    again.close()

    assert [(one.step, one.outcome, one.tx_signature) for one in latest] == [
        ("merge_propose", None, None),
        ("round_close", "done", "signature"),
    ]
    assert elsewhere == ()
    assert {one.intended_at for one in latest} == {7}
    assert {(one.branch, one.round_index) for one in latest} == {(ROUND.branch, 3)}


def test_merge_commit_is_kept_for_the_same_sum_only(tmp_path):
    outbox = open_outbox(tmp_path / "outbox.sqlite")
    rival = open_outbox(tmp_path / "outbox.sqlite")
    outbox.keep_merge_commit(ROUND, ROOT, COMMIT)

    assert rival.merge_commit(ROUND, ROOT) == COMMIT
    assert rival.merge_commit(ROUND, bytes(32)) is None
    other = RoundName("another cluster", ROUND.branch, ROUND.round_index)
    assert rival.merge_commit(other, ROOT) is None
    outbox.close()
    rival.close()


def test_long_outcomes_are_cut(tmp_path):
    outbox = open_outbox(tmp_path / "outbox.sqlite")
    outbox.finish(outbox.begin(ROUND, "round_close", ""), "x" * 1000)

    assert len(outbox.latest(HERE)[0].outcome or "") == 300
    outbox.close()


def test_waits_are_kept_by_cluster_and_branch(tmp_path):
    outbox = open_outbox(tmp_path / "outbox.sqlite", now=lambda: 5)
    outbox.keep_waits("genesis", ROUND.branch, ("one", "two"))
    outbox.keep_waits("another", ROUND.branch, ())

    assert outbox.waits("genesis", ROUND.branch) == Waits(("one", "two"), 5)
    assert outbox.waits("another", ROUND.branch) == Waits((), 5)
    assert outbox.waits("third", ROUND.branch) is None
    outbox.close()


def test_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"not a database " * 500)

    with pytest.raises(OutboxDamaged, match=re.escape(str(path))):
        open_outbox(path)

    assert path.read_bytes().startswith(b"not a database")


def test_database_of_something_else_is_named(tmp_path):
    path = tmp_path / "outbox.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE rounds (name TEXT)")
        other.commit()

    with pytest.raises(OutboxDamaged, match="round_id"):
        open_outbox(path)


def test_file_that_is_cut_off_is_named(tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox(path)
    for number in range(60):
        outbox.finish(outbox.begin(ROUND, "round_close", "x" * 100), f"{number}")
    outbox.close()
    path.write_bytes(path.read_bytes()[:9000])

    with pytest.raises(OutboxDamaged, match="malformed"):
        open_outbox(path)


@pytest.mark.parametrize("number", range(3))
def test_many_may_begin_at_once(tmp_path, number):
    path = tmp_path / f"{number}.sqlite"
    begin = threading.Barrier(8)

    def open_and_note(number):
        begin.wait()
        outbox = open_outbox(path)
        outbox.finish(outbox.begin(ROUND, f"step {number}", ""), "done")
        outbox.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_note, range(8)))

    outbox = open_outbox(path)
    assert {one.step for one in outbox.latest(HERE)} == {f"step {n}" for n in range(8)}
    outbox.close()


def test_full_disk_is_told_apart_and_nothing_half_is_kept(tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox(path)

    @event.listens_for(outbox._engine, "connect")
    def _limit(connection, _record):
        connection.execute("PRAGMA max_page_count=8")

    outbox._engine.dispose()

    def fill():
        for _ in range(500):
            outbox.begin(ROUND, "round_close", "x" * 128)

    with pytest.raises(StoreFull, match=re.escape(str(path))):
        fill()
    n_kept = len(outbox.latest(HERE, limit=1000))
    outbox.close()

    again = open_outbox(path)
    assert len(again.latest(HERE, limit=1000)) == n_kept
    again.close()


def test_held_by_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr("flair_aggregator.outbox._LOCK_TIMEOUT_S", 0.1)
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox(path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WorkspaceLocked, match=re.escape(str(path))):
            outbox.begin(ROUND, "round_close", "")
    outbox.finish(outbox.begin(ROUND, "round_close", ""), "done")
    outbox.close()
