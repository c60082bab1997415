"""Confirmed to final: what stays, what is undone, and that the end is the same."""

from dataclasses import replace

import pytest
from indexer_world import World
from sqlalchemy import false

from flair_client.chain import events as ev
from flair_indexer.run import backfill
from flair_indexer.scripted import event_call
from flair_indexer.tables import COMMITS, EVENTS, ROUNDS


def not_final(world):
    return world.count(EVENTS, EVENTS.c.is_final == false())


def test_rows_are_confirmed_first_and_final_later(world):
    world.story()
    world.source.final_lag = 5
    backfill(world.indexer)
    assert not_final(world) == 5

    world.settle()
    step = world.indexer.step()

    assert not_final(world) == 0
    assert step.audit.n_final == 5
    assert step.audit.n_dropped == 0


def test_a_dropped_slot_is_undone(world, tmp_path):
    script = world.story(n_rounds=1)
    world.source.final_lag = 8
    script.play(1)
    backfill(world.indexer)
    assert world.count(COMMITS) == 3
    for slot in range(world.chain.slot - 2, world.chain.slot + 1):
        world.chain.drop(slot)

    world.settle()
    step = world.indexer.step()

    assert step.audit.n_dropped == step.audit.n_undone_events == 3
    assert world.is_whole()
    assert world.count(COMMITS) == 2
    assert world.count(ROUNDS) == 2
    assert world.digests() == world.rebuilt(tmp_path)


def test_another_line_takes_the_place_of_a_dropped_one(world, tmp_path):
    script = world.story(n_rounds=1)
    world.source.final_lag = 6
    old = world.chain.event(
        script.repo, ev.BranchPolicySet, branch=script.branch, policy_index=0
    )
    world.chain.next_slot()
    world.chain.add([event_call(old)], script.repo.address.raw)
    backfill(world.indexer)
    world.chain.drop(world.chain.slot)
    # On the other fork the repository went on differently, and further.
    for number in (5, 6):
        world.chain.next_slot()
        world.chain.send(
            script.repo, ev.BranchPolicySet, branch=script.branch, policy_index=number
        )
    backfill(world.indexer)
    assert not world.is_whole()

    world.settle()
    backfill(world.indexer)

    assert world.is_whole()
    assert world.digests() == world.rebuilt(tmp_path)


def test_a_transaction_that_came_again_in_another_slot_is_moved(world, tmp_path):
    script = world.story(n_rounds=1)
    world.source.final_lag = 4
    world.chain.next_slot()
    tx = world.chain.send(
        script.repo, ev.BranchPolicySet, branch=script.branch, policy_index=3
    )
    backfill(world.indexer)
    world.chain.blocks.pop(tx.slot)
    world.chain.move(tx, world.chain.next_slot())

    step = world.indexer.step()
    assert step.listing.n_moved == 1
    world.settle()
    backfill(world.indexer)

    assert world.is_whole()
    assert world.digests() == world.rebuilt(tmp_path)


def test_a_transaction_that_failed_in_the_slot_that_stayed_is_undone(world):
    script = world.story(n_rounds=1)
    world.source.final_lag = 4
    world.chain.next_slot()
    tx = world.chain.send(
        script.repo, ev.BranchPolicySet, branch=script.branch, policy_index=3
    )
    backfill(world.indexer)
    world.chain.drop(tx.slot)
    slot = world.chain.next_slot()
    world.chain.blocks[slot] = [replace(tx, slot=slot, err="AccountInUse")]

    world.settle()
    backfill(world.indexer)

    assert world.is_whole()


def test_a_listed_transaction_that_was_dropped_before_it_was_fetched_is_forgotten(
    world,
):
    script = world.story(n_rounds=1)
    world.source.final_lag = 4
    world.chain.next_slot()
    tx = world.chain.send(
        script.repo, ev.BranchPolicySet, branch=script.branch, policy_index=3
    )
    world.source.hidden = {tx.signature}
    backfill(world.indexer)
    assert world.pending() == 1
    world.chain.drop(tx.slot)

    world.settle()
    world.indexer.step()

    assert world.pending() == 0
    assert world.letters() == []


def test_a_node_that_is_behind_decides_nothing(world):
    world.story(n_rounds=1)
    world.source.final_lag = 4
    backfill(world.indexer)
    world.settle()
    behind = world.chain.slot - 4

    def lag(_, statuses):
        return [
            one and replace(one, is_final=one.slot < behind - 4) for one in statuses
        ]

    world.source.faults.append(("statuses", lag))
    step = world.indexer.step()

    assert step.audit.n_dropped == 0
    assert not_final(world) > 0
    world.indexer.step()
    assert not_final(world) == 0


def test_a_node_that_forgot_the_status_is_asked_for_the_transaction(world):
    world.story(n_rounds=1)
    world.source.final_lag = 4
    backfill(world.indexer)
    world.settle()
    world.source.faults.append(("statuses", lambda _, found: [None] * len(found)))

    step = world.indexer.step()

    assert step.audit.n_dropped == 0
    assert not_final(world) == 0


@pytest.mark.parametrize("seed", range(4))
def test_any_story_with_forks_ends_like_a_rebuild(tmp_path, seed):
    import random

    luck = random.Random(seed)
    world = World(f"sqlite:///{tmp_path / 'i.sqlite'}")
    world.source.final_lag = 3
    scripts = [world.story(name, n_updates=1, n_rounds=1) for name in ("a", "b")]
    for _ in range(40):
        script = luck.choice(scripts)
        world.chain.next_slot()
        world.chain.send(
            script.repo, ev.BranchPolicySet, branch=script.branch, policy_index=1
        )
        if luck.random() < 0.4:
            world.indexer.step()
        if luck.random() < 0.3:
            world.chain.drop(world.chain.slot - luck.randrange(2))
    world.settle()
    backfill(world.indexer)

    assert not_final(world) == 0
    assert world.digests() == world.rebuilt(tmp_path)
    world.close()
