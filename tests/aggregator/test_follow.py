"""How far an aggregator follows a branch: wrong heads, repairs, late blocks."""

import pytest
from history_world import GENESIS, OWNER, World

from flair_aggregator.follow import RepoFollower
from flair_client.chain.accounts import MoveKind
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.context import Context
from flair_client.encoding import decode_commit
from flair_client.errors import VerificationError
from flair_client.ids import CODEC_DAG_CBOR
from flair_client.objects import CommitKind, Revert, RevertKind
from flair_client.settings import NetworkProfile


@pytest.fixture
def world():
    world = World()
    world.publish_root()
    return world


@pytest.fixture
def follower(world):
    profile = NetworkProfile("test", "http://x", str(GENESIS), PROGRAM_ID, "file:///x")
    return RepoFollower(Context(profile, world, world.store), world.repo_address)


def standing(follower):
    return follower.standing(follower.read(), "main")


def commit_at(world, commit_id):
    return decode_commit(world.store.get(commit_id.cid))


def wrong_merge(world):
    world.begin_round(3, 4)
    weights = world.put_manifest(world.head()[2])
    return world.finalize(world.make_merge(weights=weights))


def repair(world, good, wrong):
    commit = world.put_commit(
        OWNER,
        kind=CommitKind.REVERT,
        parents=(world.history.branches[world.main].head,),
        weights=commit_at(world, good).weights,
        recipe=world.put_recipe(),
        reverts=Revert(kind=RevertKind.MERGE, commit=wrong),
        events=world.event_list(commit_at(world, good)),
    )
    return world.advance(MoveKind.REVERT, commit)


def test_stays_at_the_last_valid_commit_until_the_branch_is_repaired(world, follower):
    good = world.run_round(1, 2)
    assert standing(follower).head.commit_id == good

    wrong = wrong_merge(world)
    found = standing(follower)
    assert found.head.commit_id == good
    assert found.fault.where == f"commit {wrong.short}"

    repaired = repair(world, good, wrong)
    found = standing(follower)
    assert (found.head.commit_id, found.fault) == (repaired, None)

    later = world.run_round(2, 3)
    assert standing(follower).head.commit_id == later


def test_what_was_wrong_is_still_known_after_everything_was_read_anew(world, follower):
    good = world.run_round(1, 2)
    first = wrong_merge(world)
    second = world.run_round(5)
    repair(world, good, first)
    standing(follower)
    follower._known = None

    undo = world.make_revert(Revert(kind=RevertKind.MERGE, commit=second))
    world.advance(MoveKind.REVERT, undo)

    assert f"reverts {second.short}, which is not valid" in str(
        standing(follower).fault
    )


def test_a_block_that_comes_late_makes_the_head_valid(world, follower):
    merge = world.run_round(1, 2)
    block = world.store.get(merge.cid)
    world.store.delete(merge.cid)
    found = standing(follower)
    assert "is missing" in str(found.fault)

    world.store.put(CODEC_DAG_CBOR, block)

    found = standing(follower)
    assert (found.head.commit_id, found.fault) == (merge, None)
    assert found.evidence.invalid == ()


def test_an_account_that_goes_back_in_time_is_refused(world, follower):
    world.run_round(1, 2)
    standing(follower)
    world.account_changes = {"event_seq": 4}

    with pytest.raises(VerificationError, match="older than event"):
        follower.read()
