"""Reads from gateways: whoever is first; blocks are checked, liars dropped."""

import io
import threading

import cbor2
import httpx
import pytest

from flair_client.encoding.car import links_in
from flair_client.errors import (
    BlockMissing,
    CarInvalid,
    DigestMismatch,
    ObjectTooLarge,
    StoreUnavailable,
    UsageError,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store import DiskStore, MemoryStore, open_store
from flair_client.store.car import write_car
from flair_client.store.gateways import FallbackStore, GatewayStore, with_gateways
from flair_client.testing_objects import make_cid


class Server:
    """A gateway over a store that a test may make lie."""

    def __init__(self, store, answer=None):
        self.store = store
        self.asked = []
        self._answer = answer

    def __call__(self, request):
        cid = Cid.parse(request.url.path.rpartition("/")[2])
        self.asked.append(cid)
        if self._answer is not None:
            return self._answer(request, cid)
        if not self.store.has(cid):
            return said(404, b"no such block")
        if request.url.params["format"] == "car":
            return said(200, self.car(cid))
        return said(200, self.store.get(cid))

    def car(self, root, blocks=None):
        found = io.BytesIO()
        write_car(found, root, self.dag(root) if blocks is None else blocks)
        return found.getvalue()

    def dag(self, root):
        block = self.store.get(root)
        raws = sorted(links_in(block))
        return [(root, block), *((cid, self.store.get(cid)) for cid in raws)]


def said(status, body):
    return httpx.Response(status, stream=httpx.ByteStream(body))


def race(*servers, **how):
    urls = [f"http://gateway{n}.test" for n in range(len(servers))]
    transports = [httpx.MockTransport(server) for server in servers]
    return GatewayStore(urls, transports=transports, **how)


@pytest.fixture
def near():
    return MemoryStore()


@pytest.fixture
def cid(near):
    return near.put(CODEC_RAW, b"wanted")


def listing(*cids):
    return cbor2.dumps({"blocks": [cbor2.CBORTag(42, b"\0" + bytes(c)) for c in cids]})


def test_a_block_comes_from_the_first_that_has_it(near, cid):
    empty, full = Server(MemoryStore()), Server(near)

    assert race(empty, full).get(cid) == b"wanted"
    assert empty.asked == [cid]


def test_a_block_that_nobody_has_is_missing(cid):
    gateways = race(Server(MemoryStore()), Server(MemoryStore()))

    with pytest.raises(BlockMissing, match=str(cid)):
        gateways.get(cid)
    assert not gateways.has(cid)


def test_a_gateway_that_stalls_is_overtaken(near, cid):
    ends = threading.Event()

    def stall(_request, _cid):
        ends.wait()
        return said(200, b"wanted")

    gateways = race(Server(near, stall), Server(near), next_after_s=0.01)
    try:
        assert gateways.get(cid) == b"wanted"
    finally:
        ends.set()


@pytest.mark.parametrize(
    "lie",
    [b"", b"wante", b"WANTED", b"wanted and more", bytes(MAX_OBJECT_SIZE + 1)],
    ids=["nothing", "shorter", "same length", "longer", "endless"],
)
def test_a_gateway_that_lies_is_named_and_not_asked_again(near, cid, lie):
    liar = Server(near, lambda *_: said(200, lie))
    gateways = race(liar, Server(near))

    assert gateways.get(cid) == b"wanted"

    (sentence,) = gateways.complaints()
    assert sentence.startswith("gateway http://gateway0.test is not asked any more: ")
    assert gateways.get(cid) == b"wanted"
    assert liar.asked == [cid]


def test_where_all_lie_nothing_is_believed(near, cid):
    gateways = race(*(Server(near, lambda *_: said(200, b"evil!!")) for _ in range(3)))

    with pytest.raises(StoreUnavailable, match="no gateway gave block"):
        gateways.get(cid)
    assert len(gateways.complaints()) == 3
    with pytest.raises(BlockMissing):
        gateways.get(cid)


@pytest.mark.parametrize("status", [301, 429, 500, 503])
def test_a_gateway_that_fails_is_asked_last(near, cid, status):
    broken = Server(near, lambda *_: said(status, b""))
    gateways = race(broken, Server(near))

    assert gateways.get(cid) == b"wanted"
    assert gateways.get(cid) == b"wanted"
    assert broken.asked == [cid]
    assert gateways.complaints() == ()


def test_an_answer_that_is_cut_off_is_no_lie(near, cid):
    class Cut(httpx.SyncByteStream):
        def __iter__(self):
            yield b"wan"
            raise httpx.ReadError("gone")

    cut = Server(near, lambda *_: httpx.Response(200, stream=Cut()))
    gateways = race(cut, Server(near))

    assert gateways.get(cid) == b"wanted"
    assert gateways.complaints() == ()


def test_a_reader_that_wants_less_calls_nobody_a_liar(near, cid):
    gateways = race(Server(near))

    with pytest.raises(ObjectTooLarge):
        gateways.get(cid, max_size=3)
    assert gateways.complaints() == ()


# An object with all that it refers to.


@pytest.fixture
def dag(near, cid):
    return near.put(CODEC_DAG_CBOR, listing(cid, near.put(CODEC_RAW, b"second")))


def taken(gateways, root):
    found = []
    gateways.dag(root, lambda cid, block: found.append((cid, block)))
    return found


def test_an_object_comes_with_what_it_lists(near, dag):
    server = Server(near)

    assert taken(race(server), dag) == server.dag(dag)


def liars(near, dag):
    server = Server(near)
    blocks = server.dag(dag)
    extra = (near.put(CODEC_RAW, b"extra"), b"extra")
    evil = [blocks[0], (blocks[1][0], b"evil!!"), blocks[2]]
    return {
        "unasked": server.car(dag, [*blocks, extra]),
        "changed": server.car(dag, evil),
        "no CAR": b"<html>" + b"x" * 100,
        "another root": server.car(dag, blocks[1:]),
    }


@pytest.mark.parametrize("how", ["unasked", "changed", "no CAR", "another root"])
def test_a_gateway_whose_car_is_wrong_is_named_and_the_next_asked(near, dag, how):
    body = liars(near, dag)[how]
    gateways = race(Server(near, lambda *_: said(200, body)), Server(near))

    assert dict(taken(gateways, dag)) == dict(Server(near).dag(dag))
    assert len(gateways.complaints()) == 1


@pytest.mark.parametrize("left", [10, 100, -1])
def test_a_car_that_is_cut_off_is_no_lie(near, dag, left):
    body = Server(near).car(dag)[:left]
    gateways = race(Server(near, lambda *_: said(200, body)), Server(near))

    assert dict(taken(gateways, dag)) == dict(Server(near).dag(dag))
    assert gateways.complaints() == ()


def test_where_nobody_gives_all_of_it_that_is_told(near, dag):
    body = Server(near).car(dag)[:100]

    with pytest.raises(StoreUnavailable, match="the file ends"):
        taken(race(Server(near, lambda *_: said(200, body))), dag)


def test_duplicates_in_a_car_are_taken_once(near, dag):
    blocks = Server(near).dag(dag)
    body = Server(near).car(dag, [*blocks, blocks[1]])

    assert taken(race(Server(near, lambda *_: said(200, body))), dag) == blocks


# Behind a store.


def test_what_the_store_has_no_gateway_is_asked_for(near, cid):
    server = Server(near)

    assert FallbackStore(near, race(server)).get(cid) == b"wanted"
    assert server.asked == []


def test_what_the_store_has_lost_or_spoilt_comes_from_a_gateway(near, cid, tmp_path):
    main = DiskStore(tmp_path)
    store = FallbackStore(main, race(Server(near)))
    assert store.get(cid) == b"wanted"

    main.put(CODEC_RAW, b"wanted")
    main.block_path(cid).write_bytes(b"spoilt")
    assert store.get(cid) == b"wanted"


def test_the_stores_own_fault_is_told_where_no_gateway_helps(cid, tmp_path):
    main = DiskStore(tmp_path)
    main.put(CODEC_RAW, b"wanted")
    main.block_path(cid).write_bytes(b"spoilt")

    with pytest.raises(DigestMismatch):
        FallbackStore(main, race(Server(MemoryStore()))).get(cid)


def test_what_is_put_goes_into_the_store_alone(near):
    store = FallbackStore(near, race(Server(MemoryStore())))

    with store.batch():
        cid = store.put(CODEC_RAW, b"mine")

    assert near.has(cid)
    assert store.has(cid)
    assert cid in set(store)
    store.delete(cid)
    assert not near.has(cid)


def test_without_gateways_the_store_is_as_it_was(near):
    assert with_gateways(near, ()) is near


@pytest.mark.parametrize(
    "url",
    ["gateway", "ftp://x", "https://", "https://me:secret@x", "https://x?y", "x:"],
)
def test_a_url_that_is_no_gateways_is_refused(url):
    with pytest.raises(UsageError, match="is not the URL of a gateway"):
        GatewayStore([url])


# A real one.


def test_a_real_gateway_gives_blocks_and_cars(kubo):
    node = open_store(kubo.url)
    raw = node.put(CODEC_RAW, b"gateway: from a real node")
    root = node.put(CODEC_DAG_CBOR, listing(raw))
    gateways = GatewayStore([kubo.gateway])

    assert gateways.get(raw) == b"gateway: from a real node"
    assert gateways.has(raw)
    assert taken(gateways, root) == [(root, node.get(root)), (raw, node.get(raw))]
    assert not gateways.has(make_cid(5))
    with pytest.raises(BlockMissing):
        gateways.get(make_cid(5))
    gateways.close()
    node.close()


def test_a_gateway_that_is_not_there_is_told(cid):
    gateways = GatewayStore(["http://127.0.0.1:9"])

    with pytest.raises(StoreUnavailable, match="does not answer"):
        gateways.get(cid)
    gateways.close()


def test_a_car_of_something_else_is_no_answer(near, dag):
    other = near.put(CODEC_DAG_CBOR, listing())
    body = Server(near).car(other, [(other, near.get(other))])

    with pytest.raises((CarInvalid, StoreUnavailable)):
        taken(race(Server(near, lambda *_: said(200, body))), dag)
