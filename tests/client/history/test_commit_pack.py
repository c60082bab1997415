"""The file that makes long histories fast: never wrong, and lost without harm."""

import pytest
from history_world import World

from flair_client.encoding import encode_commit
from flair_client.errors import BlockMissing
from flair_client.history.commit_pack import MAGIC, CommitHeader, CommitPack
from flair_client.history.gaps import walk_headers, walk_over_gaps
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId
from flair_client.store import MemoryStore

FIELDS = (
    *("kind", "branch", "parents", "author", "message", "time", "round_index"),
    *("metrics", "merges_models", "reverts", "weights", "events", "strategy"),
)


@pytest.fixture(scope="module")
def line():
    """A root and two merges, newest first, in a store."""
    world = World()
    world.publish_root()
    world.run_round(1, 2)
    world.run_round(3, 4)
    head = world.head()[0]
    commits = [one for one, _ in walk_over_gaps(world.store, head)]
    updates = read_commit(world.store, commits[0]).parents[1:]
    return world.store, [*commits, *updates]


def listed(store, start, path):
    return list(walk_headers(store, start, CommitPack(path)))


def test_headers_say_what_commits_say(line):
    store, commits = line

    for commit_id in commits:
        header = CommitHeader(store.get(commit_id.cid))
        commit = read_commit(store, commit_id)
        for name in FIELDS:
            assert getattr(header, name) == getattr(commit, name), name
        assert header.whole() == commit
        with pytest.raises(AttributeError):
            _ = header.nothing


def test_the_second_time_no_store_is_asked(line, tmp_path):
    store, commits = line
    path = tmp_path / "commits"
    first = listed(store, commits[0], path)

    again = listed(MemoryStore(), commits[0], path)

    assert [one for one, _ in again] == [one for one, _ in first]
    assert all(isinstance(found, CommitHeader) for _, found in again)
    assert path.read_bytes().startswith(MAGIC)


def test_only_what_is_new_is_read_and_added(line, tmp_path):
    store, commits = line
    path = tmp_path / "commits"
    listed(store, commits[1], path)
    before = path.read_bytes()
    only = MemoryStore()
    only.put(0x71, store.get(commits[0].cid))

    found = listed(only, commits[0], path)

    assert [one for one, _ in found] == commits[: len(found)]
    assert len(found) == 3
    assert path.read_bytes().startswith(before)
    assert len(listed(MemoryStore(), commits[0], path)) == 3


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9, 0.999])
def test_a_file_that_was_cut_is_mended(line, tmp_path, share):
    store, commits = line
    path = tmp_path / "commits"
    listed(store, commits[0], path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    found = listed(store, commits[0], path)

    assert [one for one, _ in found] == commits[:3]
    assert len(listed(MemoryStore(), commits[0], path)) == 3
    assert len(path.read_bytes()) <= len(whole)


def test_no_flipped_bit_is_believed(line, tmp_path):
    store, commits = line
    path = tmp_path / "commits"
    expected = [(one, found.message) for one, found in listed(store, commits[0], path)]
    whole = path.read_bytes()
    for at in range(0, len(whole), 41):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 4,)) + whole[at + 1 :])

        found = listed(store, commits[0], path)

        assert [(one, each.message) for one, each in found] == expected, at


def test_a_block_that_is_no_commit_is_left_to_the_store(line, tmp_path):
    store, _ = line
    path = tmp_path / "commits"
    pack = CommitPack(path)
    for block in (b"\xa0", b"\xa1ckinddroot", b"junk"):
        fake = CommitId(store.put(0x71, block).digest)
        pack.add(fake, block)
        pack.save()

        assert CommitPack(path).get(fake) is None


def test_a_gap_is_a_gap(line, tmp_path):
    store, commits = line
    copy = MemoryStore()
    copy.put(0x71, store.get(commits[0].cid))

    ((head, _), (gap, error)) = listed(copy, commits[0], tmp_path / "commits")

    assert (head, gap) == (commits[0], commits[1])
    assert isinstance(error, BlockMissing)


def test_a_folder_that_cannot_be_written_is_no_error(line, tmp_path):
    store, commits = line

    found = listed(store, commits[0], tmp_path / "missing" / "commits")

    assert len(found) == 3


def test_whoever_has_enough_early_keeps_what_was_read(line, tmp_path):
    store, commits = line
    walk = walk_headers(store, commits[0], CommitPack(tmp_path / "commits"))
    next(walk)
    walk.close()

    header = CommitPack(tmp_path / "commits").get(commits[0])

    assert encode_commit(header.whole()) == store.get(commits[0].cid)
