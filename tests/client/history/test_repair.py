"""A wrong head, what follows it, and the commits that leave it behind."""

from dataclasses import replace

import numpy as np
import pytest
from history_world import BOT, OWNER, SITES, World

from flair_client.chain.accounts import MoveKind, Scope
from flair_client.encoding import decode_commit, decode_manifest
from flair_client.errors import VerificationError
from flair_client.history.verify import last_valid_head, verify_branch
from flair_client.ids import Cid, CommitId
from flair_client.objects import CommitKind, EventList, Revert, RevertKind
from flair_client.testing_objects import make_manifest


@pytest.fixture
def world():
    world = World()
    world.publish_root()
    return world


def commit_at(world, commit_id):
    return decode_commit(world.store.get(commit_id.cid))


def manifest_at(world, commit_id):
    return decode_manifest(world.store.get(commit_at(world, commit_id).weights))


def verify(world, **more):
    return verify_branch(world, world.store, world.repo_address, "main", **more)


def valid_head(world, **more):
    return last_valid_head(world, world.store, world.repo_address, "main", **more)


def wrong_merge(world, *steps):
    """A merge that forgets its updates, moved in by whoever may merge."""
    world.begin_round(*(steps or (3, 4)))
    weights = world.put_manifest(world.head()[2])
    return world.finalize(world.make_merge(weights=weights))


def snapshot(world, last_valid, **fields):
    """A snapshot that repairs; `fields` replace what it says."""
    weights = make_manifest(
        world.store, {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, "<f4")}
    )
    values = {
        "kind": CommitKind.SNAPSHOT,
        "parents": (world.history.branches[world.main].head,),
        "weights": world.put_manifest(weights),
        "recipe": world.put_recipe(),
        "events": world.event_list(last_valid and commit_at(world, last_valid)),
    }
    return world.put_commit(fields.pop("signer", OWNER), **(values | fields))


def repairing_revert(world, last_valid, first_wrong, **fields):
    values = {
        "kind": CommitKind.REVERT,
        "parents": (world.history.branches[world.main].head,),
        "weights": commit_at(world, last_valid).weights,
        "recipe": world.put_recipe(),
        "reverts": Revert(kind=RevertKind.MERGE, commit=first_wrong),
        "events": world.event_list(commit_at(world, last_valid)),
    }
    return world.put_commit(OWNER, **(values | fields))


def test_clients_stay_before_a_wrong_merge_and_whatever_follows_it(world):
    good = world.run_round(1, 2)
    wrong = wrong_merge(world)
    after = world.run_round(5)

    found = valid_head(world)

    assert (found.commit_id, found.head) == (good, after)
    assert found.fault.where == f"commit {wrong.short}"
    assert [one.commit_id for one in found.invalid] == [wrong, after]
    assert found.invalid[1].reason == f"follows {wrong.short}, which is not valid"
    with pytest.raises(VerificationError) as caught:
        verify(world)
    assert caught.value.where == f"commit {wrong.short}"


def test_snapshot_repairs_and_what_was_wrong_stays_reported(world):
    good = world.run_round(1, 2)
    wrong = wrong_merge(world)
    repair = world.advance(MoveKind.SNAPSHOT, snapshot(world, good))

    report = verify(world)

    assert report.head == repair
    assert [one.commit_id for one in report.invalid] == [wrong]
    assert "weights: tensor" in report.invalid[0].reason
    assert [one.n_repaired for one in report.commits] == [0, 0, 1]
    assert wrong not in [one.commit_id for one in report.commits]
    assert valid_head(world).fault is None


def test_revert_of_the_first_wrong_commit_gives_the_last_valid_state_back(world):
    good = world.run_round(1, 2)
    first = wrong_merge(world)
    world.run_round(5)
    repair = world.advance(MoveKind.REVERT, repairing_revert(world, good, first))

    report = verify(world)

    assert report.head == repair
    assert report.commits[-1].check == "recomputed"
    assert report.commits[-1].n_repaired == 2
    assert len(report.invalid) == 2


def test_rounds_and_reverts_go_on_after_a_repair(world):
    good = world.run_round(1, 2)
    wrong = wrong_merge(world)
    world.advance(MoveKind.REVERT, repairing_revert(world, good, wrong))
    world.run_round(7, 8)
    undo = world.make_revert(Revert(kind=RevertKind.MERGE, commit=good))
    world.advance(MoveKind.REVERT, undo)

    assert verify(world).head == undo


def test_a_commit_of_which_nothing_is_there_can_be_left_behind(world):
    good = world.run_round(1, 2)
    world.begin_round(3, 4)
    wrong = world.finalize(CommitId(bytes([9]) * 32))
    world.advance(MoveKind.REVERT, repairing_revert(world, good, wrong))

    report = verify(world)

    assert "is missing" in report.invalid[0].reason
    assert report.commits[-1].n_repaired == 1


def test_wrong_root_is_repaired_by_a_snapshot_alone(world):
    world = World()
    weights = make_manifest(world.store, {"bias": np.full(2, np.nan, np.float32)})
    root = world.publish_root(weights=world.put_manifest(weights))
    assert valid_head(world).commit_id is None

    revert = repairing_revert(world, root, root, events=world.event_list(None))
    world.advance(MoveKind.REVERT, revert)
    assert "first commit of all" in valid_head(world).invalid[1].reason

    repair = world.advance(MoveKind.SNAPSHOT, snapshot(world, None))
    assert verify(world).head == repair


def lost_weights(world):
    manifest = make_manifest(world.store, {"bias": np.full(2, 5, np.float32)})
    world.store.delete(manifest.tensors[0].blocks[0])
    return world.put_manifest(manifest)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (lambda _: {"recipe": None}, "names no recipe"),
        (lambda world: {"weights": lost_weights(world)}, "is missing"),
        (lambda _: {"signer": BOT}, "had no right to a snapshot"),
        (
            lambda world: {"parents": (commit_at(world, head(world)).parents[0],)},
            "its first parent is not the head before it",
        ),
        (lambda world: {"events": world.event_list(None)}, "its events begin with 1"),
        (lambda _: {"branch": "other"}, "belongs to branch 'other'"),
    ],
)
def test_snapshot_that_repairs_nothing(world, fields, reason):
    good = world.run_round(1, 2)
    wrong_merge(world)
    world.advance(MoveKind.SNAPSHOT, snapshot(world, good, **fields(world)))

    found = valid_head(world)

    assert found.commit_id == good
    assert reason in found.invalid[-1].reason


def head(world):
    return world.history.branches[world.main].head


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            lambda _world, good, _wrong: {
                "reverts": Revert(kind=RevertKind.MERGE, commit=good)
            },
            "and does not revert it",
        ),
        (
            lambda world, _good, wrong: {
                "reverts": Revert(
                    kind=RevertKind.CONTRIBUTOR,
                    commit=wrong,
                    update=commit_at(world, wrong).parents[1],
                )
            },
            "and does not revert it",
        ),
        (
            lambda world, good, _wrong: {
                "weights": commit_at(world, commit_at(world, good).parents[0]).weights
            },
            "weights: scale_exp is None",
        ),
        (
            lambda world, _good, _wrong: {"recipe": world.put_recipe(b"kind = 2\n")},
            "changes the recipe, which a revert may not",
        ),
        (lambda _world, _good, _wrong: {"recipe": None}, "names no recipe"),
    ],
)
def test_revert_that_repairs_nothing(world, fields, reason):
    good = world.run_round(1, 2)
    wrong = wrong_merge(world)
    revert = repairing_revert(world, good, wrong, **fields(world, good, wrong))
    world.advance(MoveKind.REVERT, revert)

    found = valid_head(world)

    assert found.commit_id == good
    assert reason in found.invalid[-1].reason


def test_holder_of_administer_may_repair(world):
    world.grant(SITES[3], Scope.ADMINISTER)
    good = world.run_round(1, 2)
    wrong_merge(world)
    repair = snapshot(world, good, signer=SITES[3])
    world.advance(MoveKind.SNAPSHOT, repair, by=SITES[3])

    assert verify(world).head == repair


def test_events_may_go_on_from_the_wrong_commits_own_if_these_are_the_chains(world):
    world.run_round(1, 2)
    wrong = wrong_merge(world)
    repair = snapshot(world, wrong)
    world.advance(MoveKind.SNAPSHOT, repair)

    assert verify(world).head == repair


def test_events_may_not_go_on_from_a_list_that_is_not_the_chains(world):
    good = world.run_round(1, 2)
    world.begin_round(3, 4)
    right = decode_commit(world.store.get(world.make_merge().cid))
    listed = decode_event_list_of(world, right)
    forged = replace(listed, events=(*listed.events[:-1], listed.events[0]))
    wrong = world.finalize(world.make_merge(events=put_events(world, forged)))
    repair = snapshot(world, wrong)
    world.advance(MoveKind.SNAPSHOT, repair)

    found = valid_head(world)

    assert found.commit_id == good
    assert "its events begin with" in found.invalid[-1].reason


def decode_event_list_of(world, commit) -> EventList:
    from flair_client.encoding import decode_event_list

    return decode_event_list(world.store.get(commit.events))


def put_events(world, listed) -> Cid:
    from flair_client.encoding import encode_event_list
    from flair_client.ids import CODEC_DAG_CBOR

    return world.store.put(CODEC_DAG_CBOR, encode_event_list(listed))


@pytest.mark.parametrize("since", [False, True])
def test_a_wrong_merge_cannot_be_taken_back_after_the_repair(world, since):
    good = world.run_round(1, 2)
    first = wrong_merge(world)
    second = world.run_round(5)
    repair = world.advance(MoveKind.REVERT, repairing_revert(world, good, first))
    undo = world.make_revert(Revert(kind=RevertKind.MERGE, commit=second))
    world.advance(MoveKind.REVERT, undo)

    found = valid_head(world, since=repair if since else None)

    assert found.commit_id == repair
    assert f"reverts {second.short}, which is not valid" in str(found.fault)


@pytest.mark.parametrize("since", [False, True])
def test_a_wrong_revert_does_not_count_as_one(world, since):
    good = world.run_round(1, 2)
    later = world.run_round(2, 2)
    reverts = Revert(kind=RevertKind.MERGE, commit=good)
    same = commit_at(world, later).weights
    wrong = world.make_revert(reverts, weights=same)
    world.advance(MoveKind.REVERT, wrong)
    repair = world.advance(MoveKind.SNAPSHOT, snapshot(world, later))
    weights = manifest_at(world, later)
    assert valid_head(world).commit_id == repair
    # The shapes are those of the merge, so that taking it back is possible.
    assert [e.shape for e in weights.tensors] == [
        e.shape for e in manifest_at(world, repair).tensors
    ]
    undo = world.make_revert(reverts)
    world.advance(MoveKind.REVERT, undo)

    found = valid_head(world, since=repair if since else None)

    assert found.commit_id == undo


def test_every_trusted_start_gives_the_same_verdict(world):
    good = world.run_round(1, 2)
    wrong = wrong_merge(world)
    world.advance(MoveKind.REVERT, repairing_revert(world, good, wrong))
    world.run_round(2, 3)
    undo = world.make_revert(Revert(kind=RevertKind.MERGE, commit=good))
    world.advance(MoveKind.REVERT, undo)
    starts = [one.commit_id for one in verify(world).commits]

    for start in starts:
        assert valid_head(world, since=start).commit_id == undo
        assert valid_head(world, since=start, verified=starts).commit_id == undo


@pytest.mark.parametrize("since", [False, True])
def test_head_that_is_moved_back_to_an_older_commit_is_wrong(world, since):
    old = world.run_round(1, 2)
    newer = world.run_round(2, 3)
    world.advance(MoveKind.REVERT, old)

    found = valid_head(world, since=old if since else None)

    assert found.commit_id == newer
    assert found.invalid[0].commit_id == old
