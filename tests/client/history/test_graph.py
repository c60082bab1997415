import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.encoding import commit_id, encode_commit
from flair_client.errors import BlockMissing
from flair_client.history.graph import (
    ancestors,
    is_ancestor,
    merge_bases,
    newest_first,
    parents_in,
    walk,
)
from flair_client.ids import CODEC_DAG_CBOR
from flair_client.objects import CommitKind, StrategyRecord
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_commit, make_commit_id, sign

#   1 - 2 - 4 - 6
#     \   X       6 = (4, 5), 4 = (2, 3), 5 = (3, 2)
#       3 - 5 - 7
CRISS_CROSS = {1: [], 2: [1], 3: [1], 4: [2, 3], 5: [3, 2], 6: [4, 5], 7: [5]}


def lookup(graph):
    return lambda one: [make_commit_id(n) for n in graph[one.raw[0]]]


def numbers(ids):
    return [one.raw[0] for one in ids]


def test_ancestors_come_nearest_first_and_once():
    assert numbers(ancestors(lookup(CRISS_CROSS), make_commit_id(6))) == [4, 5, 2, 3, 1]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(1, 6, True), (6, 1, False), (4, 5, False), (5, 7, True), (3, 3, True)],
)
def test_is_ancestor(one, other, expected):
    ids = make_commit_id(one), make_commit_id(other)

    assert is_ancestor(lookup(CRISS_CROSS), *ids) is expected


@pytest.mark.parametrize(
    ("left", "right", "bases"),
    [(2, 3, [1]), (4, 5, [2, 3]), (2, 4, [2]), (6, 7, [5]), (6, 6, [6])],
)
def test_merge_bases_are_the_best_common_ancestors(left, right, bases):
    found = merge_bases(
        lookup(CRISS_CROSS), make_commit_id(left), make_commit_id(right)
    )

    assert numbers(found) == bases


def test_lines_that_never_met_have_no_merge_base():
    graph = {1: [], 2: []}

    assert merge_bases(lookup(graph), make_commit_id(1), make_commit_id(2)) == ()


@given(st.data())
def test_merge_bases_are_symmetric_and_do_not_reach_each_other(data):
    graph = {
        n: data.draw(st.lists(st.integers(1, n - 1), max_size=3, unique=True))
        if n > 1
        else []
        for n in range(1, 9)
    }
    one, other = (make_commit_id(data.draw(st.integers(1, 8))) for _ in range(2))
    parents = lookup(graph)

    bases = merge_bases(parents, one, other)

    assert bases == merge_bases(parents, other, one)
    for base in bases:
        assert is_ancestor(parents, base, one)
        assert is_ancestor(parents, base, other)
        assert not any(is_ancestor(parents, base, b) for b in bases if b != base)


@pytest.fixture
def history():
    """A root, two updates, their merge and a snapshot, in a store."""
    store = MemoryStore()

    def add(kind, **fields):
        block = encode_commit(sign(make_commit(kind, **fields)))
        store.put(CODEC_DAG_CBOR, block)
        return commit_id(block)

    root = add(CommitKind.ROOT, time=10)
    updates = sorted(
        add(CommitKind.UPDATE, parents=(root,), message=text, time=20) for text in "ab"
    )
    strategy = StrategyRecord(id="fedavg", params={}, weights=(1, 1))
    merge = add(CommitKind.MERGE, parents=(root, *updates), strategy=strategy, time=5)
    snapshot = add(CommitKind.SNAPSHOT, parents=(merge,), time=40)
    return store, [snapshot, merge, *updates, root]


def test_a_walk_sees_children_before_parents_and_each_once(history):
    store, ids = history

    assert [one for one, _ in walk(store, ids[0])] == ids


def test_a_walk_along_the_branch_leaves_updates_out(history):
    store, ids = history

    line = [one for one, _ in walk(store, ids[0], first_parent=True)]

    assert line == [ids[0], ids[1], ids[4]]


def test_a_walk_names_a_missing_commit(history):
    store, ids = history
    store.delete(ids[4].cid)

    with pytest.raises(BlockMissing, match=str(ids[4].cid)):
        list(walk(store, ids[0]))


def test_newest_first_never_shows_a_parent_before_its_child(history):
    store, ids = history
    commits = list(walk(store, ids[0]))

    shown = [one for one, _ in newest_first(commits[::-1])]

    assert shown == [*ids[:2], *sorted(ids[2:4]), ids[4]]


def test_parents_are_looked_up_in_a_store(history):
    store, ids = history

    assert is_ancestor(parents_in(store), ids[4], ids[0])
