"""What refers to what, and in which order things go."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.encoding import block_cid
from flair_client.errors import WorkspaceDamaged
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid
from flair_client.porcelain.gc_graph import (
    Contents,
    Keeper,
    Links,
    links_in,
    look_again,
    look_through,
    removal_order,
)
from flair_client.progress import NO_PROGRESS
from flair_client.store import DiskStore


def link(cid):
    return cbor2.CBORTag(42, b"\0" + bytes(cid))


def cid_of(number, codec=CODEC_DAG_CBOR):
    return Cid(codec, number.to_bytes(32, "big"))


@st.composite
def graphs(draw):
    """Objects with links to others with a larger number, as digests allow."""
    count = draw(st.integers(1, 12))
    return {
        cid_of(number): Links(
            frozenset(
                cid_of(other)
                for other in draw(st.sets(st.integers(number + 1, count + 2)))
            )
        )
        for number in range(count)
    }


@given(graphs(), st.data())
def test_whatever_refers_to_others_goes_before_them(graph, data):
    gone = data.draw(st.sets(st.sampled_from(sorted(graph))))

    order = removal_order(gone, graph)

    assert set(order) == gone
    assert len(order) == len(gone)
    for place, cid in enumerate(order):
        assert not graph[cid].cids & set(order[:place])


@given(graphs(), st.data())
def test_whatever_is_reached_is_kept_and_nothing_else(graph, data):
    root = data.draw(st.sampled_from(sorted(graph)))
    keeper = Keeper(Contents(links=graph), lambda _: None)

    keeper.keep([root], "root")

    expected, waiting = set(), [root]
    while waiting:
        cid = waiting.pop()
        expected.add(cid)
        waiting += graph.get(cid, Links(frozenset())).cids
    assert keeper.kept == expected
    assert set(keeper.holes) == expected - graph.keys()


def test_links_are_found_in_objects_of_any_kind():
    one, two, raw = cid_of(1), cid_of(2), cid_of(3, CODEC_RAW)
    block = cbor2.dumps({"new": [{"deep": link(one)}], "other": link(raw)})

    assert links_in(block).cids == {one, raw}
    assert links_in(cbor2.dumps([link(two)])).cids == {two}
    assert links_in(b"junk").cids == frozenset()


def test_an_update_may_lack_its_values_and_nothing_else():
    commit, delta, weights = cid_of(0), cid_of(1), cid_of(2)
    links = {commit: Links(frozenset((delta, weights)), frozenset((delta,)))}
    keeper = Keeper(Contents(links=links), lambda _: None)

    keeper.keep([commit], "a commit")

    assert set(keeper.holes) == {weights}
    with pytest.raises(WorkspaceDamaged, match=rf"{weights} \(a commit\) is missing"):
        keeper.check()


def test_what_lies_elsewhere_shows_what_it_needs():
    leaf = cid_of(7)
    block = cbor2.dumps({"delta": link(leaf)})
    outer = block_cid(CODEC_DAG_CBOR, block)
    keeper = Keeper(Contents(links={leaf: Links(frozenset())}), {outer: block}.get)
    keeper.contents.blocks[leaf] = None

    keeper.keep([outer], "there")

    assert keeper.kept == {outer, leaf}
    assert not keeper.holes


def test_digests_are_found_anywhere_in_an_event():
    cid = cid_of(2**255 + 5, CODEC_RAW)
    contents = Contents(blocks={cid: None})

    for before in (0, 1, 77):
        assert contents.named_in(bytes(before) + cid.digest + b"x") == {cid}
    assert contents.named_in(cid.digest[1:]) == set()
    assert contents.named_in(b"") == set()


def test_what_came_since_is_seen(tmp_path):
    store = DiskStore(tmp_path)
    store.put(CODEC_RAW, b"one")
    contents = look_through(store, NO_PROGRESS)
    assert look_again(store, contents) == set()

    event = store.put(CODEC_RAW, b"flair-event-v1\nmore")
    inner = store.put(CODEC_DAG_CBOR, cbor2.dumps({"x": link(event)}))

    assert look_again(store, contents) == {event, inner}
    assert contents.links[inner].cids == {event}
    assert contents.events == [b"flair-event-v1\nmore"]
