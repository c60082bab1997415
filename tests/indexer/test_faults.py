"""A node, a disk and neighbours that misbehave: nothing is missed, nothing invented."""

import pytest
from indexer_world import World
from sqlalchemy import event as sql_event
from sqlalchemy import update

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind
from flair_client.errors import (
    DatabaseOfOther,
    DatabaseTaken,
    RpcUnavailable,
    StoreFull,
)
from flair_client.ids import Address
from flair_indexer.run import backfill, run_until_stopped
from flair_indexer.scripted import OTHER, WALLET, call, event_call
from flair_indexer.settings import Options
from flair_indexer.tables import CURSOR, EVENTS, PENDING


def next_event(world, script):
    """An event that is counted, and in no block yet."""
    branch = script.branch
    return world.chain.event(
        script.repo, ev.BranchPolicySet, branch=branch, policy_index=0
    )


def test_a_page_that_comes_twice_changes_nothing(world, tmp_path):
    world.story()
    world.settle()
    world.source.faults.append(("signatures", lambda _, page: page + page))
    backfill(world.indexer)

    assert world.is_whole()
    assert world.digests() == world.rebuilt(tmp_path)


def test_a_page_that_lost_entries_is_made_good_by_the_next_look(world):
    world.story()
    world.source.final_lag = 100
    world.source.faults.append(("signatures", lambda _, page: page[::2]))

    world.indexer.step()
    assert not world.is_whole()
    world.indexer.step()

    assert world.is_whole()


def test_what_never_was_listed_is_found_by_the_account(world):
    script = world.story()
    script.open()
    world.source.unlisted = {world.chain.transactions()[5].signature}
    world.settle()
    backfill(world.indexer)
    assert not world.is_whole()
    # It is listed from now on, but far below what was listed for good.
    world.source.unlisted.clear()

    first = world.indexer.reconcile_now()
    backfill(world.indexer)

    assert first.behind == (script.repo.address.raw,)
    assert first.n_listed == 1
    assert world.is_whole()
    assert world.indexer.reconcile_now().behind == ()


def test_events_out_of_order_wait_for_their_turn(world):
    script = world.story(n_rounds=0)
    events = [next_event(world, script) for _ in range(4)]
    for one in reversed(events):
        world.chain.next_slot()
        world.chain.add([event_call(one)], script.repo.address.raw)
        world.indexer.step()

    assert world.is_whole()


def test_a_transaction_that_comes_late_holds_what_is_complete(world):
    world.story()
    hidden = world.chain.transactions()[4]
    world.source.hidden = {hidden.signature}
    world.settle()
    backfill(world.indexer)

    def complete():
        with world.database.reading() as connection:
            return connection.scalar(
                CURSOR.select().with_only_columns(CURSOR.c.complete_slot)
            )

    assert complete() == hidden.slot - 1
    assert world.pending() == 1
    world.source.hidden.clear()
    world.clock.seconds += 60
    world.indexer.step()
    assert complete() == world.source.final_slot - 1
    assert world.is_whole()


def test_a_transaction_that_never_comes_is_called_dead_and_asked_for_still(world):
    world.story()
    world.source.hidden = {world.chain.transactions()[4].signature}
    world.settle()
    for _ in range(world.options.null_attempts):
        world.indexer.step()
        world.clock.seconds += 60

    assert [reason for reason, _ in world.letters()] == ["missing"]
    world.source.hidden.clear()
    world.indexer.step()
    assert world.letters() == []
    assert world.is_whole()


def test_a_transaction_of_version_1_is_read(world):
    script = world.story()
    world.chain.next_slot()
    made = next_event(world, script)
    world.chain.add([event_call(made)], script.repo.address.raw, version=1)

    backfill(world.indexer)

    assert world.is_whole()


def test_a_failed_transaction_says_nothing(world):
    script = world.story()
    world.chain.next_slot()
    forged = event_call(next_event(world, script))
    script.repo.seq -= 1
    script.repo.root = ev.decode_event(_payload(forged)).prev_root
    world.chain.add([forged], script.repo.address.raw, err={"InstructionError": [0, 1]})

    backfill(world.indexer)

    assert world.is_whole()
    assert world.letters() == []


def test_a_failed_transaction_that_is_listed_as_good_says_nothing(world):
    script = world.story()
    world.chain.next_slot()
    forged = event_call(next_event(world, script))
    script.repo.seq -= 1
    script.repo.root = ev.decode_event(_payload(forged)).prev_root
    world.chain.add([forged], script.repo.address.raw, err="AccountInUse")

    def as_good(_, page):
        from dataclasses import replace

        return [replace(one, is_failed=False) for one in page]

    world.source.faults.append(("signatures", as_good))
    backfill(world.indexer)

    assert world.is_whole()


def _payload(made):
    from flair_indexer.decode import base58_bytes

    return base58_bytes(made["data"])[len(ev.EVENT_TAG) :]


@pytest.mark.parametrize("form", ["log of another program", "read-only", "no tag"])
def test_a_forged_event_does_not_count(world, form):
    script = world.story()
    before = (script.repo.seq, script.repo.root)
    world.chain.next_slot()
    forged = next_event(world, script)
    script.repo.seq, script.repo.root = before
    payload = ev.encode_event(forged)
    if form == "log of another program":
        world.chain.add([], outer=OTHER, logs=(f"Program data: {payload.hex()}",))
    elif form == "read-only":
        # Another program calls ours with the event's very bytes and account.
        world.chain.add([call(ev.EVENT_TAG + payload)], outer=OTHER)
    else:
        world.chain.add([call(payload), call(bytes(8) + payload)])

    backfill(world.indexer)

    assert world.is_whole()
    expected = {"log of another program": 0, "read-only": 1, "no tag": 2}[form]
    assert [reason for reason, _ in world.letters()] == ["refused"] * expected


def test_a_truncated_log_loses_nothing(world):
    script = world.story()
    world.chain.next_slot()
    made = next_event(world, script)
    world.chain.add(
        [event_call(made)], script.repo.address.raw, logs=("Log truncated",)
    )

    backfill(world.indexer)

    assert world.is_whole()


class Panic(BaseException):
    """As pyo3 raises it: no Exception."""


class Panicking(dict):
    def __getitem__(self, name):
        raise Panic("entered unreachable code")


@pytest.mark.parametrize("answer", [Panicking(), {"meta": 7}, {}, 7, "x", []])
def test_an_answer_that_cannot_be_read_is_put_aside(world, answer):
    script = world.story()
    world.chain.next_slot()
    world.chain.add([call(b"nothing", accounts=(WALLET,))])
    script.open()
    backfill_at = len(world.chain.transactions()) - 2
    world.source.faults.append(
        (
            "transactions",
            lambda _, answers: [
                answer if place == backfill_at else one
                for place, one in enumerate(answers)
            ],
        )
    )

    backfill(world.indexer)

    assert world.is_whole()
    (letter,) = world.letters()
    assert letter[0] == ("panic" if isinstance(answer, Panicking) else "malformed")


def test_a_number_that_no_column_holds_stops_nothing(world):
    world.chain.next_slot()
    creator = Address(b"\x51" * 32)
    repo = world.chain.repo("heart")
    world.chain.next_slot()
    script = world.story("lung")
    made = world.chain.event(
        script.repo,
        ev.UpdateSettled,
        branch=script.branch,
        round_index=1,
        contributor=creator,
        commit_id=script.head,
        merged=True,
        points=2**64 - 1,
    )
    world.chain.add([event_call(made)], script.repo.address.raw)

    backfill(world.indexer)

    assert world.is_whole()
    assert repo.seq == 1


def test_an_rpc_that_is_away_is_waited_for(world):
    world.story()

    def away(_, __):
        raise RpcUnavailable("getSlot: the server says: too many requests")

    world.source.faults.extend([("slot", away), ("slot", away)])
    told, waited = [], []

    class Wakeup:
        def wait(self, timeout_s):
            waited.append(timeout_s)
            if len(waited) == 3:
                world.indexer.stopped = True

    run_until_stopped(world.indexer, Wakeup(), told.append)

    assert world.is_whole()
    assert waited == [0.25, 0.5, 0.2]
    assert told[0].endswith("trying again")
    assert told[1:] == ["goes on"]


def test_a_full_disk_keeps_nothing_of_the_unit_and_goes_on_later(world):
    world.story(n_rounds=1)
    backfill(world.indexer)
    limit = [40]

    @sql_event.listens_for(world.database.engine, "connect")
    def limited(connection, _record):
        connection.execute(f"PRAGMA max_page_count = {limit[0]}")

    world.database.engine.dispose()
    before = world.digests()
    world.story("lung", n_updates=60)

    with pytest.raises(StoreFull, match="full"):
        backfill(world.indexer)
    assert world.digests() == before
    limit[0] = 1 << 30
    world.database.engine.dispose()
    backfill(world.indexer)

    assert world.is_whole()


def test_a_second_indexer_ends(world):
    world.story()
    world.indexer.step()

    with pytest.raises(DatabaseTaken):
        world.new_indexer().step()


def test_one_that_lost_its_place_unnoticed_writes_nothing(world):
    world.story()
    world.indexer.step()
    with world.database.unit() as connection:
        connection.execute(update(CURSOR).values(owner="another"))
    world.story("lung")
    before = world.count(EVENTS)

    with pytest.raises(DatabaseTaken, match="taken over"):
        world.indexer.step()
    assert world.count(EVENTS) == before
    assert world.count(PENDING) == 0


def test_a_database_of_another_cluster_is_refused(world):
    world.story()
    world.indexer.step()
    world.source.genesis = str(Address(b"\x08" * 32))

    world.restart()
    with pytest.raises(DatabaseOfOther, match="mirrors the cluster"):
        world.indexer.step()


def test_a_deleted_file_is_made_again(world, tmp_path):
    world.story()
    world.settle()
    backfill(world.indexer)
    digests = world.digests()
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()

    backfill(world.indexer)

    assert world.digests() == digests
    assert (tmp_path / "index.sqlite").is_file()


def test_a_head_that_moves_by_hand_ends_no_round_that_is_not_there(world):
    script = world.story()
    script.advance(MoveKind.SNAPSHOT)

    backfill(world.indexer)

    assert world.is_whole()


def test_a_listing_that_was_cut_off_goes_on_where_it_was(tmp_path):
    world = World(f"sqlite:///{tmp_path / 'i.sqlite'}", options=Options(page_size=4))
    world.story()
    pages = []

    def note(_, page):
        pages.append(page)
        return page

    def cut(_, __):
        raise RpcUnavailable("gone")

    world.source.faults.extend(
        [("signatures", note), ("signatures", note), ("signatures", cut)]
    )
    with pytest.raises(RpcUnavailable):
        world.indexer.step()
    world.restart()
    world.source.asked.clear()
    world.source.faults.append(("signatures", note))

    backfill(world.indexer)

    assert pages[2][0].slot < pages[1][-1].slot
    assert world.is_whole()
    world.close()


def test_a_listing_whose_last_entry_was_dropped_begins_anew(tmp_path):
    world = World(f"sqlite:///{tmp_path / 'i.sqlite'}", options=Options(page_size=2))
    script = world.story(n_rounds=1)
    world.source.final_lag = 100

    def drop_then_go_on(_, page):
        world.chain.drop(page[-1].slot)
        return page

    world.source.faults.append(("signatures", drop_then_go_on))
    backfill(world.indexer)
    world.source.final_lag = 0
    world.chain.next_slot()
    backfill(world.indexer)

    assert world.folds()[script.repo.address.raw][0] == script.repo.seq
    world.close()
