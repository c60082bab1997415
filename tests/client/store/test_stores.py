"""What every store does, on each of them."""

import pytest

from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    ObjectTooLarge,
    StoreUnavailable,
    UsageError,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store import DiskStore, LayeredStore, MemoryStore, open_store
from flair_client.testing_objects import make_cid


@pytest.fixture(params=["memory", "disk", "layered"])
def store(request, tmp_path):
    if request.param == "memory":
        return MemoryStore()
    if request.param == "disk":
        return DiskStore(tmp_path / "blocks")
    return LayeredStore(MemoryStore(), DiskStore(tmp_path / "blocks"))


def test_a_block_comes_back(store):
    cid = store.put(CODEC_RAW, b"hello")

    # sha256 of "hello", as every tool prints it.
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert cid == Cid(CODEC_RAW, bytes.fromhex(digest))
    assert store.get(cid) == b"hello"
    assert store.has(cid)
    assert list(store) == [cid]


def test_an_empty_block_comes_back(store):
    assert store.get(store.put(CODEC_RAW, b"")) == b""


def test_codecs_are_kept_apart(store):
    raw = store.put(CODEC_RAW, b"\xa0")

    assert not store.has(Cid(CODEC_DAG_CBOR, raw.digest))


def test_a_missing_block_is_named(store):
    with pytest.raises(BlockMissing, match=str(make_cid(3))):
        store.get(make_cid(3))
    assert not store.has(make_cid(3))


def test_a_block_above_the_readers_limit_is_refused(store):
    cid = store.put(CODEC_RAW, bytes(1001))

    with pytest.raises(ObjectTooLarge):
        store.get(cid, max_size=1000)


def test_a_block_above_every_limit_is_not_kept(store):
    with pytest.raises(ObjectTooLarge):
        store.put(CODEC_RAW, bytes(MAX_OBJECT_SIZE + 1))
    assert not list(store)


def test_deleting_forgets(store):
    cid = store.put(CODEC_RAW, b"hello")

    store.delete(cid)
    store.delete(cid)

    assert not store.has(cid)


def test_a_batch_is_readable_inside_and_kept_at_its_end(store):
    with store.batch():
        first = store.put(CODEC_RAW, b"one")
        with store.batch():
            second = store.put(CODEC_RAW, b"two")
        again = store.put(CODEC_RAW, b"one")
        assert store.has(first)
        assert store.get(second) == b"two"

    assert first == again
    assert sorted(store) == sorted([first, second])


def test_a_failed_batch_leaves_nothing(store):
    kept = store.put(CODEC_RAW, b"before")

    def fail_inside():
        with store.batch():
            store.put(CODEC_RAW, b"inside")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()

    assert list(store) == [kept]


def test_a_layered_store_keeps_what_it_read():
    cache, remote = MemoryStore(), MemoryStore()
    cid = remote.put(CODEC_RAW, b"far")

    assert LayeredStore(cache, remote).get(cid) == b"far"

    assert cache.get(cid) == b"far"


def test_a_layered_store_writes_near():
    cache, remote = MemoryStore(), MemoryStore()

    cid = LayeredStore(cache, remote).put(CODEC_RAW, b"mine")

    assert cache.has(cid)
    assert not remote.has(cid)


def test_a_layered_store_heals_its_cache(tmp_path):
    cache, remote = DiskStore(tmp_path), MemoryStore()
    cid = cache.put(CODEC_RAW, b"good")
    remote.put(CODEC_RAW, b"good")
    file_of(tmp_path).write_bytes(b"evil")

    assert LayeredStore(cache, remote).get(cid) == b"good"

    assert cache.get(cid) == b"good"


def test_a_lying_remote_store_is_caught(tmp_path):
    remote = DiskStore(tmp_path)
    cid = remote.put(CODEC_RAW, b"good")
    file_of(tmp_path).write_bytes(b"evil")

    with pytest.raises(DigestMismatch):
        LayeredStore(MemoryStore(), remote).get(cid)


def test_a_memory_store_checks_digests():
    store = MemoryStore()
    cid = store.put(CODEC_RAW, b"good")
    store._blocks[cid] = b"evil"

    with pytest.raises(DigestMismatch):
        store.get(cid)


def file_of(folder):
    (path,) = folder.glob("??/*.raw")
    return path


def test_a_url_opens_a_folder(tmp_path):
    folder = tmp_path / "a b"
    cid = open_store(f"file://{tmp_path}/a%20b").put(CODEC_RAW, b"x")

    assert DiskStore(folder).has(cid)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/y",
        "https://",
        "https://who:secret@x",
        "https://x/?y",
        "blocks",
        "/blocks",
        "file:relative",
        "file://host/x",
        "file:///x?y",
    ],
)
def test_another_url_is_refused(url):
    with pytest.raises(UsageError, match="is not the URL of a store"):
        open_store(url)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreUnavailable, match="file"):
        DiskStore(tmp_path / "file" / "blocks")
