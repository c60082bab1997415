"""What the server gives is what the trustless gateway specification says."""

import io

import cbor2
import httpx
import pytest
from server_world import raw_block

from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW
from flair_client.store import MemoryStore
from flair_client.store.car import CarReader
from flair_client.store.gateways import GatewayStore
from flair_client.testing_objects import make_cid

RAW = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car"


def listing(*cids):
    return cbor2.dumps({"blocks": [cbor2.CBORTag(42, b"\0" + bytes(c)) for c in cids]})


@pytest.fixture
def tree(world):
    """A root over two objects over raw blocks, one of them shared."""
    raws = [world.blocks.put(CODEC_RAW, raw_block(n)) for n in range(3)]
    left = world.blocks.put(CODEC_DAG_CBOR, listing(raws[0], raws[1]))
    right = world.blocks.put(CODEC_DAG_CBOR, listing(raws[1], raws[2]))
    root = world.blocks.put(CODEC_DAG_CBOR, listing(left, right))
    return root, left, right, raws


def car(answer):
    reader = CarReader(io.BytesIO(answer.content))
    return reader.roots, [cid for cid, _ in reader]


def test_a_block_by_format_or_by_accept(world):
    cid = world.blocks.put(CODEC_RAW, raw_block(1))

    for how in (
        {"params": {"format": "raw"}},
        {"headers": {"accept": RAW}},
        {"params": {"format": "raw"}, "headers": {"accept": CAR}},
        {"headers": {"accept": f"text/html, {RAW}; q=1"}},
    ):
        answer = world.ask("GET", f"/ipfs/{cid}", **how)

        assert answer.content == raw_block(1)
        assert answer.headers["content-type"] == RAW
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["etag"] == f'"{cid}.raw"'
        assert "immutable" in answer.headers["cache-control"]
        assert f"{cid}.bin" in answer.headers["content-disposition"]


def test_a_head_request_has_no_body(world):
    cid = world.blocks.put(CODEC_RAW, raw_block(1))

    answer = world.ask("HEAD", f"/ipfs/{cid}", params={"format": "raw"})

    assert answer.status_code == 200
    assert answer.headers["content-length"] == "1000"
    assert answer.content == b""


def test_a_car_is_depth_first_with_each_block_once(world, tree):
    root, left, right, raws = tree

    answer = world.ask("GET", f"/ipfs/{root}", params={"format": "car"})

    roots, cids = car(answer)
    kind = answer.headers["content-type"]
    assert kind == f"{CAR}; version=1; order=dfs; dups=n"
    assert roots == (root,)
    assert cids[0] == root
    assert len(cids) == len(set(cids)) == 6
    first, second = sorted((left, right))
    assert cids.index(first) < cids.index(second)
    assert set(cids[2 : cids.index(second)]) < set(raws)


@pytest.mark.parametrize(("scope", "count"), [("block", 1), ("entity", 1), ("all", 6)])
def test_a_scope_bounds_a_car(world, tree, scope, count):
    params = {"format": "car", "dag-scope": scope}

    answer = world.ask("GET", f"/ipfs/{tree[0]}", params=params)

    assert len(car(answer)[1]) == count


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"headers": {"accept": "*/*"}},
        {"headers": {"accept": "text/html"}},
        {"params": {"format": "tar"}},
        {"params": {"format": "car", "dag-scope": "some"}},
        {"params": {"format": "car", "car-version": "2"}},
        {"headers": {"accept": f"{CAR}; version=2"}},
        {"headers": {"accept": f"{CAR}; order=bfs"}},
    ],
)
def test_what_it_does_not_give_is_406(world, tree, how):
    answer = world.ask("GET", f"/ipfs/{tree[0]}", **how)

    assert answer.status_code == 406


@pytest.mark.parametrize(
    "path", ["", "QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u", "a%2f..%2fb"]
)
def test_no_cid_is_400(world, path):
    answer = world.ask("GET", f"/ipfs/{path}", params={"format": "raw"})

    assert answer.status_code == 400


def test_no_path_below_a_cid(world, tree):
    answer = world.ask("GET", f"/ipfs/{tree[0]}/blocks", params={"format": "raw"})

    assert answer.status_code == 400


def test_what_is_not_there_is_404_and_a_broken_block_is_not_given(world):
    cid = world.blocks.put(CODEC_RAW, raw_block(5))
    for form in ("raw", "car"):
        answer = world.ask("GET", f"/ipfs/{make_cid(3)}", params={"format": form})
        assert answer.status_code == 404

    world.blocks.block_path(cid).write_bytes(raw_block(6))
    answer = world.ask("GET", f"/ipfs/{cid}", params={"format": "raw"})

    assert answer.status_code == 500
    assert raw_block(6) not in answer.content


def test_a_car_that_cannot_be_whole_is_cut_off(world, tree):
    root, left, _, _ = tree
    world.blocks.delete(left)

    with pytest.raises(httpx.RemoteProtocolError):
        world.ask("GET", f"/ipfs/{root}", params={"format": "car"})


def test_the_empty_probe_is_answered(world):
    answer = world.ask("GET", "/ipfs/bafkqaaa", params={"format": "raw"})

    assert (answer.status_code, answer.content) == (200, b"")


def test_what_a_cache_has_is_not_sent_again(world):
    cid = world.blocks.put(CODEC_RAW, raw_block(1))
    first = world.ask("GET", f"/ipfs/{cid}", params={"format": "raw"})

    again = world.ask(
        "GET",
        f"/ipfs/{cid}",
        params={"format": "raw"},
        headers={"if-none-match": first.headers["etag"]},
    )

    assert (again.status_code, again.content) == (304, b"")


def test_flairs_own_gateway_client_reads_blocks_and_cars(world, tree):
    gateways = GatewayStore([world.url])
    got = MemoryStore()

    gateways.dag(tree[0], lambda cid, block: got.put(cid.codec, block))
    block = gateways.get(tree[1])
    gateways.close()

    assert set(got) == set(world.blocks)
    assert block == world.blocks.get(tree[1])


def test_methods_that_there_are_not_are_refused(world):
    for method in ("POST", "PUT", "DELETE"):
        assert world.ask(method, "/ipfs/bafkqaaa").status_code == 405
