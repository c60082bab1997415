"""Names of commits on long lines, and of commits that are in no history yet."""

import pytest
from history_world import OWNER, World

from flair_client.errors import BlockMissing, RefUnknown
from flair_client.history.commit_pack import CommitPack
from flair_client.history.gaps import walk_headers, walk_over_gaps
from flair_client.ids import CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.reading import Reading
from flair_client.porcelain.refs import (
    remember_heads,
    resolve,
    resolve_commit,
    started_commits,
)
from flair_client.store import MemoryStore
from flair_client.workspace import Head, make_workspace

NOWHERE = MemoryStore()


@pytest.fixture(scope="module")
def world():
    made = World()
    made.publish_root()
    made.run_round(1, 2)
    made.run_round(3, 4)
    return made


@pytest.fixture(scope="module")
def line(world):
    return [commit_id for commit_id, _ in walk_over_gaps(world.store, world.head()[0])]


@pytest.fixture
def workspace(tmp_path, line):
    made = make_workspace(tmp_path / "work")
    remember_heads(made, {"main": line[0]})
    made.set_head(Head("main", line[0]))
    return made


@pytest.fixture
def listed(world, workspace, line):
    """The workspace once its line was gone along."""
    list(walk_headers(world.store, line[0], CommitPack(workspace.commits_path)))
    return workspace


def test_a_line_that_was_read_before_is_not_read_from_the_store_again(listed, line):
    assert resolve(listed, NOWHERE, "main~2") == line[2]
    assert resolve(listed, NOWHERE, f"{line[1].short}~1") == line[2]
    assert resolve(listed, NOWHERE, line[2].short) == line[2]


def test_an_update_is_found_by_its_digits_without_the_store(listed, world, line):
    update = world.history.rounds[(world.main, 1)].accepted()[0].commit_id

    assert resolve(listed, NOWHERE, str(update)[:10]) == update


def test_what_was_never_read_is_read_once_and_kept(workspace, world, line):
    assert resolve(workspace, world.store, "HEAD~2") == line[2]
    assert resolve(workspace, NOWHERE, "HEAD~2") == line[2]


def test_a_readings_names_use_the_file_as_well(listed, line):
    pack = CommitPack(listed.commits_path)
    reading = Reading(NOWHERE, {"main": line[0]}, line[0], pack=pack)

    assert reading.resolve("HEAD~2") == line[2]
    assert reading.resolve(line[2].short) == line[2]
    without = Reading(NOWHERE, {"main": line[0]}, line[0])
    with pytest.raises(BlockMissing):
        without.resolve("HEAD~2")


def test_beyond_the_root_there_is_nothing(listed):
    with pytest.raises(RefUnknown, match="beyond the root"):
        resolve(listed, NOWHERE, "HEAD~3")


@pytest.mark.parametrize("marker", ["pending", "revert"])
def test_a_commit_that_waits_to_be_sent_is_found_by_its_digits(
    world, listed, line, marker
):
    commit = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(line[0],),
        weights=world.put_manifest(world.head()[2]),
        events=world.event_list(None),
        message="waits",
    )
    with pytest.raises(RefUnknown, match="no commit of this history"):
        resolve(listed, world.store, commit.short)

    listed.set_marker(marker, {"kind": "snapshot", "commit": str(commit)})

    assert started_commits(listed) == (commit,)
    assert resolve(listed, world.store, commit.short) == commit
    assert resolve(listed, world.store, f"{commit.short}~1") == line[0]


@pytest.mark.parametrize("table", [{}, {"commit": "nothing"}, {"commit": 7}])
def test_a_damaged_marker_names_nothing(listed, table):
    listed.set_marker("pending", table)

    assert started_commits(listed) == ()


def test_digits_that_two_commits_have_name_neither(line):
    digits = str(line[0])[:8]
    other = CommitId.parse(digits + "0" * 56)
    reading = Reading(NOWHERE, {}, None, started=(line[0], other))

    with pytest.raises(RefUnknown, match="2 commits begin"):
        reading.resolve(digits)
    with pytest.raises(RefUnknown, match="six digits"):
        resolve_commit(NOWHERE, {}, None, digits[:5], started=(other,))
