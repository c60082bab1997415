"""Faults of a store on disk: bad bytes, kills, a full disk, several processes."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from flair_client.errors import BlockMissing, DigestMismatch, StoreFull
from flair_client.ids import CODEC_RAW
from flair_client.store import DiskStore


def start(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


def unfinished(folder):
    return [path for path in (folder / "tmp").rglob("*") if path.is_file()]


def test_a_flipped_bit_is_caught_and_kept_aside(tmp_path):
    store = DiskStore(tmp_path)
    cid = store.put(CODEC_RAW, b"good")
    (path,) = tmp_path.glob("??/*.raw")
    path.write_bytes(b"gooe")

    with pytest.raises(DigestMismatch, match=hashlib.sha256(b"gooe").hexdigest()):
        store.get(cid)

    assert (tmp_path / "corrupt" / path.name).read_bytes() == b"gooe"
    with pytest.raises(BlockMissing):
        store.get(cid)
    store.put(CODEC_RAW, b"good")
    assert store.get(cid) == b"good"


def test_a_truncated_block_is_caught(tmp_path):
    store = DiskStore(tmp_path)
    cid = store.put(CODEC_RAW, b"good")
    (path,) = tmp_path.glob("??/*.raw")
    os.truncate(path, 0)

    with pytest.raises(DigestMismatch):
        store.get(cid)


def test_putting_again_replaces_a_truncated_block(tmp_path):
    store = DiskStore(tmp_path)
    cid = store.put(CODEC_RAW, b"good")
    (path,) = tmp_path.glob("??/*.raw")
    os.truncate(path, 1)

    store.put(CODEC_RAW, b"good")

    assert store.get(cid) == b"good"


def test_strange_files_are_no_blocks(tmp_path):
    store = DiskStore(tmp_path)
    cid = store.put(CODEC_RAW, b"good")
    (path,) = tmp_path.glob("??/*.raw")
    for name in ("notes.txt", "a.raw", "z" * 64 + ".raw", path.name + ".bak"):
        (path.parent / name).write_bytes(b"")

    assert list(store) == [cid]


def test_nothing_unfinished_is_left(tmp_path):
    store = DiskStore(tmp_path)
    store.put(CODEC_RAW, b"one")
    with store.batch():
        store.put(CODEC_RAW, b"two")

    assert not unfinished(tmp_path)
    store.close()
    assert not list((tmp_path / "tmp").iterdir())


WRITE_ALL = """
    import sys
    from pathlib import Path
    from flair_client.store import DiskStore
    store = DiskStore(Path(sys.argv[1]))
    for i in range(60):
        store.put(0x55, bytes([i]) * 5000)
    with store.batch():
        for i in range(60, 120):
            store.put(0x55, bytes([i]) * 5000)
"""


def test_several_processes_write_the_same_blocks(tmp_path):
    children = [start(WRITE_ALL, tmp_path) for _ in range(4)]

    for child in children:
        child.communicate()
    assert [child.returncode for child in children] == [0] * 4

    store = DiskStore(tmp_path)
    blocks = {store.get(cid) for cid in store}
    assert blocks == {bytes([i]) * 5000 for i in range(120)}
    assert not unfinished(tmp_path)


WRITE_FOREVER = """
    import itertools, sys
    from pathlib import Path
    from flair_client.store import DiskStore
    store = DiskStore(Path(sys.argv[1]))
    for i in itertools.count():
        with store.batch():
            for j in range(5):
                store.put(0x55, f"{i} {j}".encode() * 20_000)
        print(i, flush=True)
"""


@pytest.mark.parametrize("n_batches", [1, 3, 4])
def test_a_killed_writer_leaves_whole_blocks_only(tmp_path, n_batches):
    child = start(WRITE_FOREVER, tmp_path)
    for _ in range(n_batches):
        done = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.communicate()

    store = DiskStore(tmp_path)
    found = {store.get(cid) for cid in store}  # every digest is checked
    confirmed = {
        f"{i} {j}".encode() * 20_000 for i in range(done + 1) for j in range(5)
    }
    assert confirmed <= found

    store.put(CODEC_RAW, b"the next process")
    assert not unfinished(tmp_path)


def test_a_living_writers_unfinished_files_stay(tmp_path):
    first = DiskStore(tmp_path)
    with first.batch():
        cid = first.put(CODEC_RAW, b"slow")
        DiskStore(tmp_path).put(CODEC_RAW, b"fast")
        assert first.get(cid) == b"slow"

    assert first.get(cid) == b"slow"


FILL = """
    import resource, sys
    from pathlib import Path
    from flair_client.errors import StoreFull
    from flair_client.store import DiskStore
    store = DiskStore(Path(sys.argv[1]))
    store.put(0x55, b"small")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        store.put(0x55, bytes(200_000))
    except StoreFull as exc:
        print(exc)
    try:
        with store.batch():
            store.put(0x55, b"in the batch")
            store.put(0x55, bytes(200_000))
    except StoreFull as exc:
        print(exc)
"""


def test_no_room_leaves_nothing_half_written(tmp_path):
    child = start(FILL, tmp_path)
    out, _ = child.communicate()

    assert out.count("no room in") == 2
    store = DiskStore(tmp_path)
    assert [store.get(cid) for cid in store] == [b"small"]
    assert not unfinished(tmp_path)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_reported_as_such(tmp_path, monkeypatch, call):
    store = DiskStore(tmp_path)
    store.put(CODEC_RAW, b"before")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreFull, match="No space left on device"):
        store.put(CODEC_RAW, b"after")
    with pytest.raises(StoreFull), store.batch():
        store.put(CODEC_RAW, b"after")
    monkeypatch.undo()

    assert [store.get(cid) for cid in store] == [b"before"]
    assert not unfinished(tmp_path)


def test_a_forked_child_does_not_take_its_parents_files(tmp_path):
    store = DiskStore(tmp_path)
    with store.batch():
        cid = store.put(CODEC_RAW, b"parent")
        child = os.fork()
        if not child:
            status = 1
            try:
                store.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0

    assert store.get(cid) == b"parent"
