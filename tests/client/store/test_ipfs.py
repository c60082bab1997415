"""Blocks in real Kubo nodes, and what happens when these fail."""

import hashlib
import json
from base64 import b32encode
from functools import partial

import cbor2
import httpx
import pytest

from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    ObjectTooLarge,
    StoreFull,
    StoreUnavailable,
    UsageError,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store import MemoryStore, open_store
from flair_client.store.bulk import BlockSource, put_all, read_ahead
from flair_client.store.ipfs import KuboStore
from flair_client.store.ipfs_daemon import find_kubo, run_kubo
from flair_client.store.ipfs_rpc import KuboPatience, KuboRefused, KuboRpc
from flair_client.testing_objects import make_cid

ONCE = KuboPatience(timeout_s=20, attempts=1)


@pytest.fixture
def store(kubo):
    found = open_store(kubo.url)
    yield found
    found.close()


@pytest.fixture
def node(kubo_program, tmp_path):
    """A node that a test may harm."""
    with run_kubo(kubo_program, tmp_path / "repo") as found:
        yield found


def http_url(node):
    return node.url.replace("kubo", "http", 1)


def file_of(node, cid):
    """The file in which a node keeps a block: named by its multihash in base32."""
    name = b32encode(bytes((0x12, 32)) + cid.digest).decode().rstrip("=")
    path = node.folder / "blocks" / name[-3:-1] / f"{name}.data"
    assert path.exists()
    return path


def sources(store):
    raw_first = sorted(store, key=lambda cid: cid.codec)
    return [
        BlockSource(cid, len(store.get(cid)), partial(store.get, cid))
        for cid in raw_first
    ]


def listing(*cids):
    """An object that refers to blocks."""
    return cbor2.dumps({"blocks": [cbor2.CBORTag(42, b"\0" + bytes(c)) for c in cids]})


def filled(n_blocks, label, size=1000):
    """A store with raw blocks, an object that lists them, and one that lists that."""
    store = MemoryStore()
    raws = [
        store.put(CODEC_RAW, f"{label} {n}".encode().ljust(size, b"."))
        for n in range(n_blocks)
    ]
    listed = store.put(CODEC_DAG_CBOR, listing(*raws))
    return store, raws, listed, store.put(CODEC_DAG_CBOR, listing(listed))


def how_pinned(store, cid):
    try:
        (found,) = store._rpc.ask("pin/ls", (("arg", str(cid)),))
    except KuboRefused:
        return None
    return found["Keys"][str(cid)]["Type"]


# What every store does.


def test_a_block_comes_back(store):
    cid = store.put(CODEC_RAW, b"kubo: hello")

    assert cid == Cid(CODEC_RAW, hashlib.sha256(b"kubo: hello").digest())
    assert store.get(cid) == b"kubo: hello"
    assert store.has(cid)
    assert cid in set(store)


def test_an_empty_block_comes_back(store):
    assert store.get(store.put(CODEC_RAW, b"")) == b""


def test_a_missing_block_is_named(store):
    with pytest.raises(BlockMissing, match=str(make_cid(3))):
        store.get(make_cid(3))
    assert not store.has(make_cid(3))


def test_a_block_above_the_readers_limit_is_refused(store):
    cid = store.put(CODEC_RAW, bytes(1001))

    with pytest.raises(ObjectTooLarge):
        store.get(cid, max_size=1000)


def test_a_block_of_the_largest_size_is_kept_and_a_larger_one_is_not(store):
    assert store.get(store.put(CODEC_RAW, bytes(MAX_OBJECT_SIZE)))

    with pytest.raises(ObjectTooLarge):
        store.put(CODEC_RAW, bytes(MAX_OBJECT_SIZE + 1))


def test_deleting_forgets(store):
    cid = store.put(CODEC_RAW, b"kubo: soon forgotten")

    store.delete(cid)
    store.delete(cid)

    assert not store.has(cid)
    assert how_pinned(store, cid) is None


def test_a_batch_is_readable_inside_and_kept_at_its_end(store, kubo):
    other = open_store(kubo.url)
    with store.batch():
        first = store.put(CODEC_RAW, b"kubo: batch one")
        with store.batch():
            second = store.put(CODEC_DAG_CBOR, listing(first))
        assert store.has(first)
        assert store.get(second) == listing(first)
        assert not other.has(first)

    assert other.get(first) == b"kubo: batch one"
    assert other.has(second)


def test_a_failed_batch_leaves_nothing(store):
    cid = None

    def fail_inside():
        nonlocal cid
        with store.batch():
            cid = store.put(CODEC_RAW, b"kubo: inside a batch that fails")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()

    assert not store.has(cid)


# Many at once.


def test_many_blocks_go_and_come_in_order(store):
    near, raws, listed, top = filled(40, "many")
    done = []

    sent = put_all(store, sources(near), done=lambda one: done.append(one.cid))

    assert sent == (42, sum(one.size for one in sources(near)))
    assert done == [one.cid for one in sources(near)]
    wanted = [*raws, listed, top]
    assert list(read_ahead(store, wanted)) == [(cid, near.get(cid)) for cid in wanted]


def test_what_is_there_is_not_sent_again(store):
    near, *_ = filled(40, "again")
    put_all(store, sources(near))
    more = near.put(CODEC_RAW, b"again, and one more")

    assert put_all(store, sources(near)) == (1, len(near.get(more)))


def test_objects_are_pinned_with_what_they_list_and_commits_alone(store):
    near, raws, listed, top = filled(3, "pins")
    lone = near.put(CODEC_RAW, b"pins: nobody lists this")

    put_all(store, sources(near))

    assert how_pinned(store, listed) == "recursive"
    assert how_pinned(store, top) == "direct"
    assert how_pinned(store, lone) == "direct"
    assert how_pinned(store, raws[0]) == f"indirect through {listed}"


def test_nothing_is_lost_when_the_node_clears_up(node):
    store = open_store(node.url)
    near, *_ = filled(5, "clearing up")
    put_all(store, sources(near))
    single = store.put(CODEC_RAW, b"clearing up: put by itself")

    store._rpc.ask("repo/gc", ())

    assert all(store.get(one.cid) == one.read() for one in sources(near))
    assert store.has(single)


def test_an_object_whose_blocks_are_elsewhere_is_pinned_by_itself(store):
    near, raws, listed, _ = filled(3, "elsewhere")

    put_all(store, [one for one in sources(near) if one.cid != raws[0]])

    assert how_pinned(store, listed) == "direct"
    assert how_pinned(store, raws[1]) == "direct"


def test_deleting_a_listed_block_keeps_the_others_pinned(store):
    near, raws, listed, _ = filled(3, "delete listed")
    put_all(store, sources(near))

    store.delete(raws[0])

    assert not store.has(raws[0])
    assert how_pinned(store, raws[1]) == "direct"
    assert how_pinned(store, listed) == "direct"


def test_a_node_gives_an_object_with_all_that_it_lists_in_one_stream(store):
    near, raws, listed, top = filled(3, "export")
    put_all(store, sources(near))

    assert dict(store.export_dag(top)) == {
        cid: near.get(cid) for cid in (*raws, listed, top)
    }


def test_a_stream_that_lacks_a_block_ends_without_it(store):
    near, raws, listed, _ = filled(3, "export lacking")
    put_all(store, [one for one in sources(near) if one.cid != raws[1]])

    assert raws[1] not in dict(store.export_dag(listed))


# Blocks that go bad in the node.


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (lambda path: path.unlink(), BlockMissing),
        (lambda path: path.write_bytes(b"x" * 10), DigestMismatch),
        (lambda path: path.write_bytes(b"evil".ljust(1000, b".")), DigestMismatch),
    ],
    ids=["missing", "corrupted", "another of the same length"],
)
def test_a_harmed_block_is_caught_and_can_be_put_again(node, harm, error):
    store = open_store(node.url)
    near, raws, *_ = filled(3, "harmed")
    put_all(store, sources(near))
    harm(file_of(node, raws[1]))

    with pytest.raises(error, match=str(raws[1])):
        store.get(raws[1])

    store.delete(raws[1])
    assert put_all(store, sources(near)) == (1, 1000)
    assert store.get(raws[1]) == near.get(raws[1])


# A node that dies.


def test_a_node_killed_during_an_upload_goes_on_where_it_was(
    kubo_program, tmp_path, monkeypatch
):
    monkeypatch.setattr("flair_client.store.ipfs.PART_BYTES", 10_000)
    near, *_ = filled(60, "killed")
    done = []
    with run_kubo(kubo_program, tmp_path / "repo") as node:
        store = KuboStore(http_url(node), patience=ONCE)

        def kill_after(one):
            done.append(one.cid)
            if len(done) == 30:
                node.process.kill()
                node.process.wait()

        with pytest.raises(StoreUnavailable, match="does not answer"):
            put_all(store, sources(near), done=kill_after)
    with run_kubo(kubo_program, tmp_path / "repo") as node:
        store = open_store(node.url)

        n_blocks, _ = put_all(store, sources(near))

        # Two parts of ten blocks may have been on their way.
        assert 62 - 50 <= n_blocks <= 62 - 30
        assert all(store.get(one.cid) == one.read() for one in sources(near))


def test_a_node_killed_while_a_block_is_on_its_way_is_told(kubo_program, tmp_path):
    with run_kubo(kubo_program, tmp_path / "repo") as node:
        store = KuboStore(http_url(node), patience=ONCE)

        def read_and_kill():
            node.process.kill()
            node.process.wait()
            return b"on its way"

        cid = Cid(CODEC_RAW, hashlib.sha256(b"on its way").digest())
        with pytest.raises(StoreUnavailable, match="dag/import"):
            put_all(store, [BlockSource(cid, 10, read_and_kill)])


def test_a_node_killed_while_it_is_read_is_told(kubo_program, tmp_path):
    near, raws, *_ = filled(40, "killed reading")
    with run_kubo(kubo_program, tmp_path / "repo") as node:
        store = KuboStore(http_url(node), patience=ONCE)
        put_all(store, sources(near))
        blocks = read_ahead(store, raws)
        assert next(blocks) == (raws[0], near.get(raws[0]))
        node.process.kill()
        node.process.wait()

        # Some were fetched before it died.
        with pytest.raises(StoreUnavailable, match="does not answer block/get"):
            list(blocks)


def test_a_node_that_comes_back_is_asked_again(node):
    asked = []

    def answer(request):
        asked.append(request.url.path)
        if len(asked) < 3:
            raise httpx.ConnectError("refused")
        return said(200, {"Key": "x", "Size": 1})

    rpc = KuboRpc(
        "http://127.0.0.1:1",
        patience=KuboPatience(),
        http=httpx.MockTransport(answer),
        sleep=lambda _: None,
    )

    assert rpc.ask("block/stat", ()) == [{"Key": "x", "Size": 1}]
    assert len(asked) == 3


# A node that is not what it should be.


def said(status, body):
    """An answer as it comes from the network: its bytes are still to be read."""
    raw = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(status, stream=httpx.ByteStream(raw.encode()))


def lying(respond):
    return KuboStore(
        "http://127.0.0.1:1", patience=ONCE, http=httpx.MockTransport(respond)
    )


def test_an_endless_block_is_refused_before_it_is_read():
    taken = []

    def endless():
        while True:
            taken.append(1 << 16)
            yield bytes(1 << 16)

    store = lying(lambda _: httpx.Response(200, content=endless()))

    with pytest.raises(ObjectTooLarge):
        store.get(make_cid(1))
    assert sum(taken) <= MAX_OBJECT_SIZE + (1 << 16)


def test_another_server_is_no_kubo():
    store = lying(lambda _: said(404, "<html>nothing here</html>"))

    with pytest.raises(StoreUnavailable, match="status 404 instead of Kubo's answer"):
        store.has(make_cid(1))


def test_a_refusal_is_handed_on():
    store = lying(lambda _: said(500, {"Message": "locked", "Type": "error"}))

    with pytest.raises(StoreUnavailable, match="locked"):
        store.put(CODEC_RAW, b"x")


def test_a_full_disk_is_told():
    words = "put: write x: no space left on device"
    store = lying(lambda _: said(500, {"Message": words}))

    with pytest.raises(StoreFull, match="no space left"):
        store.put(CODEC_RAW, b"x")


def test_a_node_that_keeps_less_than_was_sent_is_caught():
    def respond(request):
        request.read()
        if request.url.path.endswith("stat"):
            return said(500, {"Message": "could not find it"})
        return said(200, {"Stats": {"BlockCount": 1}})

    near, *_ = filled(3, "less")

    with pytest.raises(StoreUnavailable, match="took other than 5 blocks"):
        put_all(lying(respond), sources(near))


def test_a_node_that_names_a_block_otherwise_is_caught():
    store = lying(lambda _: said(200, {"Key": str(make_cid(9))}))

    with pytest.raises(StoreUnavailable, match="keeps"):
        store.put(CODEC_RAW, b"x")


# Where it is, and the program.


@pytest.mark.parametrize(
    "url",
    ["kubo://", "kubo://host", "kubo://host:5001/path", "kubo://host:x", "kubo:5001"],
)
def test_a_url_names_host_and_port(url):
    with pytest.raises(UsageError, match="names the RPC"):
        open_store(url)


def test_a_url_holds_no_password():
    with pytest.raises(UsageError, match="no password"):
        open_store("kubo://me:secret@host:5001")


def test_the_program_is_found_by_name_or_not_at_all(tmp_path):
    program = tmp_path / "ipfs"
    assert find_kubo(str(program)) is None
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find_kubo(str(program)) == program


def test_a_program_that_is_no_kubo_is_told(tmp_path):
    program = tmp_path / "ipfs"
    program.write_text("#!/bin/sh\necho nonsense\nexit 1\n")
    program.chmod(0o755)

    with (
        pytest.raises(StoreUnavailable, match="nonsense"),
        run_kubo(program, tmp_path / "repo"),
    ):
        pass
