"""A branch's line goes on behind commits that cannot be read."""

import pytest
from history_world import OWNER, SITES, World

from flair_client.chain.accounts import MoveKind
from flair_client.errors import BlockMissing, DigestMismatch, RefUnknown
from flair_client.history.gaps import walk_over_gaps
from flair_client.ids import CommitId, Digest
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.log import LogEntry, LogGap, log
from flair_client.porcelain.reading import Reading
from flair_client.porcelain.refs import resolve_commit

SITE = SITES[0]
PUSHED = {
    "commit_id": CommitId(bytes([5]) * 32),
    "payload_digest": Digest(bytes([6]) * 32),
}


@pytest.fixture
def world():
    world = World()
    world.publish_root()
    return world


@pytest.fixture
def line(world):
    """Root, merge, two heads that nobody has, a snapshot on top; newest first."""
    root = world.head()[0]
    merge = world.run_round(1, 2)
    _, commit, _ = world.head()
    lost = CommitId(bytes([0xAB]) * 32)
    gone = CommitId(bytes([0xCD]) * 32)
    world.advance(MoveKind.SNAPSHOT, lost)
    world.open_round()
    world.push(SITE, pushed=PUSHED)
    world.close_round()
    world.accumulate()
    world.finalize(gone)
    snapshot = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(gone,),
        weights=commit.weights,
        recipe=world.put_recipe(),
        events=world.event_list(commit),
    )
    world.advance(MoveKind.SNAPSHOT, snapshot)
    return [snapshot, gone, lost, merge, root]


def test_line_goes_on_behind_what_nobody_has(world, line):
    found = list(walk_over_gaps(world.store, line[0]))

    assert [commit_id for commit_id, _ in found] == line
    assert [isinstance(one, Commit) for _, one in found] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert all(isinstance(one, BlockMissing) for _, one in found[1:3])


def test_corrupt_commit_is_a_gap_as_well(world, line):
    world.flip(line[3].cid)

    found = dict(walk_over_gaps(world.store, line[0]))

    assert isinstance(found[line[3]], DigestMismatch)
    assert [*found] == line


def test_names_reach_over_gaps(world, line):
    heads = {"main": line[0]}

    for place, commit_id in enumerate(line):
        name = f"main~{place}"
        assert resolve_commit(world.store, heads, None, name) == commit_id
        assert resolve_commit(world.store, heads, None, commit_id.short) == commit_id
    with pytest.raises(RefUnknown, match="goes beyond the root"):
        resolve_commit(world.store, heads, None, "main~5")
    world.store.delete(line[4].cid)
    with pytest.raises(BlockMissing):
        resolve_commit(world.store, heads, None, "main~5")


def test_log_shows_gaps_where_they_lie(world, line):
    reading = Reading(world.store, {"main": line[0]}, line[0])

    found = list(log(reading, limit=None))

    assert [one.commit for one in found] == line
    assert [type(one) for one in found] == [
        LogEntry,
        LogGap,
        LogGap,
        LogEntry,
        LogEntry,
    ]
    assert "is missing" in found[1].reason
    assert len(list(log(reading, limit=2))) == 2


def test_log_ends_with_the_error_where_nothing_tells_what_was_before(world, line):
    reading = Reading(world.store, {"main": line[0]}, line[0])
    world.store.delete(line[4].cid)

    shown = log(reading)

    assert [next(shown).commit for _ in range(5)] == line
    with pytest.raises(BlockMissing):
        next(shown)
