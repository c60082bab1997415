"""A sound history checks; with one thing broken the first wrong thing is named."""

from dataclasses import replace

import numpy as np
import pytest
from history_world import (
    BOT,
    GENESIS,
    OWNER,
    PARAMS,
    SITES,
    STRANGER,
    World,
)

from flair_client.chain.accounts import MoveKind, Scope
from flair_client.encoding import decode_commit
from flair_client.errors import ClusterMismatch, VerificationError
from flair_client.history.verify import last_valid_head, verify_branch
from flair_client.history.verify_merge import merged_updates, strategy_record
from flair_client.history.verify_move import terms_of
from flair_client.ids import CODEC_RAW, Address, Cid, CommitId, Digest
from flair_client.objects import CommitKind, Revert, RevertKind


@pytest.fixture
def world():
    world = World()
    world.publish_root()
    return world


def verify(world, **more):
    return verify_branch(world, world.store, world.repo_address, "main", **more)


def fault(world, **more):
    with pytest.raises(VerificationError) as caught:
        verify(world, **more)
    return caught.value


def commit_at(world, commit_id):
    return decode_commit(world.store.get(commit_id.cid))


def test_sound_history_checks_and_says_how_each_commit_was_checked(world):
    merge = world.run_round(3, -5, 7)
    world.run_round(1, 2)
    revert = world.make_revert(Revert(kind=RevertKind.MERGE, commit=merge))
    world.advance(MoveKind.REVERT, revert)

    report = verify(world, genesis_hash=str(GENESIS))

    assert [one.check for one in report.commits][1:] == ["recomputed"] * 3
    assert [one.n_updates for one in report.commits] == [0, 3, 2, 0]
    assert (report.head, report.head_seq) == (revert, 4)
    assert report.n_events == len(world.events)


def test_contributor_revert_checks(world):
    merge = world.run_round(3, -5, 7)
    update = commit_at(world, merge).parents[2]
    reverts = Revert(kind=RevertKind.CONTRIBUTOR, commit=merge, update=update)
    world.advance(MoveKind.REVERT, world.make_revert(reverts))

    assert len(verify(world).commits) == 3


def test_another_cluster_is_refused(world):
    with pytest.raises(ClusterMismatch):
        verify(world, genesis_hash=str(Address(bytes([8]) * 32)))


@pytest.mark.parametrize("seq", [1, 5, 8])
def test_lost_event_is_found_in_commits_or_transactions_and_named_otherwise(world, seq):
    world.run_round(3, 4)
    world.store.delete(Cid(CODEC_RAW, world_root(world, seq).raw))
    if seq <= 3:
        # The root commit lists it.
        assert verify(world).n_events == len(world.events)
    world.sent_events = list(world.events)
    assert verify(world).n_events == len(world.events)
    world.sent_events = []
    world.store.delete(commit_at(world, world.head()[0]).events)
    root = world.history.branches[world.main].moves[0].new_head
    world.store.delete(commit_at(world, root).events)

    assert fault(world).where == f"event {seq}"


def lose_event(world, seq):
    """From the store; commits list it no more either."""
    world.store.delete(Cid(CODEC_RAW, world_root(world, seq).raw))
    for move in world.history.branches[world.main].moves:
        world.store.delete(commit_at(world, move.new_head).events)


def test_history_with_holes_still_gives_the_event_that_is_lost_elsewhere(world):
    world.run_round(3, 4)
    lose_event(world, 6)
    # An RPC that pruned what is older, and does not have the newest ones yet.
    world.found_events = lambda _repo, _seq: [world.events[5], world.events[8]]

    # Events are found; that the commits' own lists are gone is another matter.
    assert fault(world).where.startswith("commit ")


@pytest.mark.parametrize("n_kept", [0, 5, -1])
def test_tail_that_store_and_rpc_leave_out_is_named(world, n_kept):
    world.run_round(3, 4)
    newest = len(world.events)
    lose_event(world, newest)
    world.sent_events = world.events[:n_kept]

    assert fault(world).where == f"event {newest}"


def world_root(world, seq):
    from flair_client.chain.events import event_root

    return event_root(world.events[seq - 1])


def test_corrupt_event_block_is_named(world):
    world.store.delete(commit_at(world, world.head()[0]).events)
    world.flip(Cid(CODEC_RAW, world_root(world, 2).raw))

    assert fault(world).where == "event 2"


def test_event_that_is_missing_from_the_count_is_named(world):
    world.account_changes = {"event_seq": len(world.events) + 1}

    assert "numbered" in str(fault(world))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"head_commit": CommitId(bytes([3]) * 32)}, "its head is"),
        ({"head_seq": 2}, "sequence"),
        ({"round_index": 5}, "round"),
        ({"policy_index": 1}, "policy"),
    ],
)
def test_branch_account_that_events_do_not_explain_is_named(world, changes, reason):
    world.branch_changes = changes

    error = fault(world)

    assert error.where == "branch 'main'"
    assert reason in error.reason


def test_another_policy_account_is_named(world):
    world.policy = lambda _repo, _index: type("P", (), {"digest": Digest(bytes(32))})

    assert fault(world).where == "policy 0"


def test_bit_flipped_in_a_commit_is_named(world):
    head = world.head()[0]
    world.flip(head.cid)

    assert fault(world).where == f"commit {head.short}"


def test_missing_commit_is_named(world):
    merge = world.run_round(1, 2)
    world.store.delete(merge.cid)

    error = fault(world)

    assert error.where == f"commit {merge.short}"
    assert "missing" in error.reason


def test_commit_signed_by_another_is_named(world):
    world.begin_round(1, 2)
    merge = world.finalize(world.make_merge(BOT, signed_by=STRANGER))

    assert fault(world).where == f"commit {merge.short}"


def test_root_by_a_stranger_is_named():
    world = World()
    world.publish_root(STRANGER)

    assert "had no right" in fault(world).reason


def test_root_by_an_administrator_checks_and_not_after_the_role_expired():
    world = World()
    world.grant(BOT, Scope.ADMINISTER, expires_at=world.now + 1)
    world.publish_root(BOT)
    verify(world)

    world = World()
    world.grant(BOT, Scope.ADMINISTER, expires_at=world.now + 1)
    world.now += 1
    world.publish_root(BOT)
    assert "had no right" in fault(world).reason


def test_merge_that_another_wallet_proposed_is_named(world):
    world.begin_round(1, 2)
    world.finalize(world.make_merge(STRANGER), by=BOT)

    assert "had no right to a merge" in fault(world).reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"branch": "other"}, "belongs to branch"),
        ({"repo": STRANGER.address}, "belongs to repository"),
    ],
)
def test_commit_of_another_place_is_named(fields, reason):
    world = World()
    world.publish_root(**fields)

    assert reason in fault(world).reason


def test_kind_other_than_the_move_is_named(world):
    head, commit, _ = world.head()
    snapshot = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(head,),
        weights=commit.weights,
        events=world.event_list(commit),
    )
    world.advance(MoveKind.REVERT, snapshot)

    assert "is a snapshot commit, moved in as revert" in fault(world).reason


def test_parent_that_is_not_the_head_before_is_named(world):
    _, commit, _ = world.head()
    snapshot = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(CommitId(bytes([9]) * 32),),
        weights=commit.weights,
        events=world.event_list(commit),
    )
    world.advance(MoveKind.SNAPSHOT, snapshot)

    assert "first parent" in fault(world).reason


def test_left_out_update_is_named(world):
    world.begin_round(1, 2, 3)
    head = world.head()[0]
    kept = merged_updates(world.live)[1:]
    world.finalize(
        world.make_merge(
            parents=(head, *(u.commit_id for u in kept)),
            strategy=strategy_record(
                terms_of(world.history, world.live), [u.weight for u in kept]
            ),
        )
    )

    assert "leaves out update" in fault(world).reason


def test_added_update_is_named(world):
    world.begin_round(1, 2)
    head = world.head()[0]
    updates = merged_updates(world.live)
    parents = sorted([*(u.commit_id for u in updates), CommitId(bytes([1]) * 32)])
    weights = [1] * len(parents)
    world.finalize(
        world.make_merge(
            parents=(head, *parents),
            strategy=strategy_record(terms_of(world.history, world.live), weights),
        )
    )

    assert "no accepted update" in fault(world).reason


def _strategy(world, **changes):
    terms = terms_of(world.history, world.live)
    right = strategy_record(terms, [u.weight for u in merged_updates(world.live)])
    return replace(right, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weights": (1, 1)}, "pushed with"),
        ({"id": "median"}, "uses strategy"),
        ({"params": {"eta_q24": 1, "lambda": 1}}, "parameters"),
    ],
)
def test_strategy_other_than_the_policy_is_named(world, changes, reason):
    world.begin_round(1, 2)
    merge = world.finalize(world.make_merge(strategy=_strategy(world, **changes)))

    error = fault(world)

    assert error.where == f"commit {merge.short}"
    assert reason in error.reason


def test_wrong_lambda_on_chain_is_named(world):
    world.begin_round(1, 2)
    world.finalize(world.make_merge(), lambda_=7)

    assert "lambda is 7" in fault(world).reason


def test_other_sum_on_chain_is_named(world):
    world.open_round()
    world.push(SITES[0])
    world.push(SITES[1])
    world.close_round()
    world.accumulate(Digest(bytes([4]) * 32))
    world.finalize(world.make_merge())

    assert "added up other updates" in fault(world).reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"policy": Digest(bytes([7]) * 32)}, "policy"),
        ({"round_index": 9}, "another round"),
    ],
)
def test_merge_for_another_policy_or_round_is_named(world, fields, reason):
    world.begin_round(1, 2)
    world.finalize(world.make_merge(**fields))

    assert reason in fault(world).reason


def test_weights_other_than_recomputed_name_the_tensor(world):
    world.begin_round(1, 2)
    _, _, base = world.head()
    terms = terms_of(world.history, world.live)
    good = merged_updates(world.live)
    doubled = (replace(good[0], weight=64), *good[1:])
    weights = world.put_manifest(world.merge_updates(doubled, base, terms).weights)
    merge = world.finalize(world.make_merge(weights=weights))

    error = fault(world)

    assert error.where == f"commit {merge.short}"
    assert "tensor 'bias' is not what recomputing gives" in error.reason


def test_invalid_merge_as_head_leaves_its_parent_the_last_valid_head(world):
    good = world.run_round(1, 2)
    world.begin_round(3, 4)
    bad = world.finalize(world.make_merge(weights=commit_at(world, good).weights))

    found = last_valid_head(world, world.store, world.repo_address, "main")

    assert (found.commit_id, found.head) == (good, bad)
    assert found.fault is not None
    assert found.fault.where == f"commit {bad.short}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"policy": Digest(bytes([7]) * 32)}, "another policy"),
        ({"round_index": 9}, "another round"),
        ({"branch": "other"}, "belongs to branch"),
        ({"repo": STRANGER.address}, "belongs to repository"),
        ({"parents": (CommitId(bytes([9]) * 32),)}, "another base"),
        ({"delta_terms": {"contributor": STRANGER.address}}, "another contributor"),
        ({"delta_terms": {"round_index": 7}}, "delta names another round"),
        (
            {"delta_terms": {"base": CommitId(bytes([9]) * 32)}},
            "delta names another base",
        ),
        ({"delta_terms": {"scale_exp": -11}}, "scale_exp"),
        ({"delta_terms": {"bits": 13}}, "bits"),
        ({"delta_fields": {"norm_sq": 1}}, "norm"),
    ],
)
def test_unsound_update_in_a_merge_is_named(world, changes, reason):
    good = World()
    good.publish_root()
    world.open_round()
    bad = world.push(SITES[0], 3, **changes)
    world.push(SITES[1], 4)
    world.close_round()
    world.accumulate()
    good.open_round()
    good.push(SITES[0], 3)
    good.push(SITES[1], 4)
    good.close_round()
    good.accumulate()
    weights = commit_at(good, good.make_merge()).weights
    merge = world.finalize(world.make_merge(weights=weights))

    error = fault(world)

    assert error.where == f"update {bad.short} of merge {merge.short}"
    assert reason in error.reason


def test_update_longer_than_the_norm_bound_is_named():
    world = World(params=replace(PARAMS, norm_bound_sq=50))
    world.publish_root()
    world.open_round()
    bad = world.push(SITES[0], 3)
    world.push(SITES[1], 1)
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(weights=world.head()[1].weights))

    error = fault(world)

    assert error.where.startswith(f"update {bad.short}")
    assert "norm" in error.reason


def test_update_of_another_payload_is_named(world):
    world.open_round()
    pushed = world.put_update(SITES[0], 3)
    bad = world.push(
        SITES[0], pushed=pushed | {"payload_digest": Digest(bytes([1]) * 32)}
    )
    world.push(SITES[1], 1)
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(weights=world.head()[1].weights))

    error = fault(world)

    assert error.where.startswith(f"update {bad.short}")
    assert "not the one that was pushed" in error.reason


def test_update_pushed_by_another_is_named(world):
    world.open_round()
    copied = world.put_update(SITES[0], 3)
    world.push(SITES[1], pushed=copied)
    world.push(SITES[0], 1)
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(weights=world.head()[1].weights))

    assert "is signed by" in fault(world).reason


def test_missing_block_of_the_heads_weights_is_named(world):
    merge = world.run_round(1, 2)
    _, _, manifest = world.head()
    world.store.delete(manifest.tensors[0].blocks[0])

    error = fault(world)

    assert error.where == f"commit {merge.short}"
    assert "missing" in error.reason


def test_weights_that_are_not_finite_name_the_tensor():
    world = World()
    world.publish_root(tensors={"bias": np.array([1, np.nan], np.float32)})

    assert "'bias'" in fault(world).reason


def test_commit_with_other_events_is_named(world):
    world.begin_round(1, 2)
    head_commit = world.head()[1]
    short = world.event_list(head_commit, world.live.frozen_seq - 1)
    world.finalize(world.make_merge(events=short))

    assert "were due" in fault(world).reason


def test_events_that_do_not_go_on_from_the_parents_are_named(world):
    world.begin_round(1, 2)
    world.finalize(world.make_merge(events=world.event_list(None)))

    assert "begin with" in fault(world).reason


def test_second_revert_of_the_same_merge_is_named(world):
    merge = world.run_round(1, 2)
    reverts = Revert(kind=RevertKind.MERGE, commit=merge)
    world.advance(MoveKind.REVERT, world.make_revert(reverts))
    world.advance(MoveKind.REVERT, world.make_revert(reverts))

    assert "has reverted already" in fault(world).reason


def test_revert_of_something_else_is_named(world):
    merge = world.run_round(1, 2)
    weights = world.head()[1].weights
    reverts = Revert(kind=RevertKind.MERGE, commit=merge)
    revert = world.make_revert(reverts, weights=weights)
    world.advance(MoveKind.REVERT, revert)

    assert fault(world).reason.startswith("weights: ")


def test_recipe_changed_by_a_merge_is_named(world):
    world.begin_round(1, 2)
    world.finalize(world.make_merge(recipe=world.put_recipe(b"evil = 1\n")))

    assert "changes the recipe" in fault(world).reason


def test_since_starts_at_the_trusted_commit(world):
    first = world.run_round(1, 2)
    second = world.run_round(3, 4)

    report = verify(world, since=first)

    assert [one.commit_id for one in report.commits] == [second]


def test_since_a_commit_that_was_never_head_is_named(world):
    assert "never the head" in fault(world, since=CommitId(bytes([1]) * 32)).reason
