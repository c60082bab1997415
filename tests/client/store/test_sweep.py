"""Clearing a folder up: who asks for a block keeps it, whoever removes looks again."""

import fcntl
import os
import subprocess
import sys
import textwrap
import time

import pytest

from flair_client.errors import StoreUnavailable, WorkspaceLocked
from flair_client.ids import CODEC_RAW, Cid
from flair_client.store import DiskStore
from flair_client.store.aging import LOCK_NAME, locked
from flair_client.store.sweep import Swept, list_blocks, remove_old, sweeping

LONG_AGO = 1_000_000_000


@pytest.fixture
def store(tmp_path):
    return DiskStore(tmp_path)


def old_block(store, content=b"old"):
    cid = store.put(CODEC_RAW, content)
    os.utime(store.block_path(cid), (LONG_AGO, LONG_AGO))
    return cid


def remove(store, *cids, before=LONG_AGO + 1):
    return dict(remove_old(store, cids, before))


def test_old_blocks_go_and_young_ones_stay(store):
    old, young = old_block(store), store.put(CODEC_RAW, b"young")
    never = Cid(CODEC_RAW, bytes(32))

    assert remove(store, old, young, never) == {
        old: Swept.REMOVED,
        young: Swept.YOUNG,
        never: Swept.GONE,
    }
    assert set(store) == {young}


def test_age_is_compared_to_the_second_before(store):
    cid = old_block(store)

    assert remove(store, cid, before=LONG_AGO) == {cid: Swept.YOUNG}
    assert remove(store, cid, before=LONG_AGO + 0.5) == {cid: Swept.REMOVED}


@pytest.mark.parametrize("ask", ["has", "put", "put in a batch"])
def test_who_asks_for_an_old_block_keeps_it(store, ask):
    cid = old_block(store)

    if ask == "has":
        assert store.has(cid)
    elif ask == "put":
        assert store.put(CODEC_RAW, b"old") == cid
    else:
        with store.batch():
            store.put(CODEC_RAW, b"old")

    assert remove(store, cid) == {cid: Swept.YOUNG}
    assert store.get(cid) == b"old"


def test_reading_alone_keeps_nothing(store):
    cid = old_block(store)
    store.get(cid)
    list(store)

    assert remove(store, cid) == {cid: Swept.REMOVED}


def test_a_block_that_is_gone_is_written_again(store):
    cid = old_block(store)
    remove(store, cid)

    assert not store.has(cid)
    store.put(CODEC_RAW, b"old")
    assert store.get(cid) == b"old"


def test_a_block_that_goes_at_the_last_moment_is_written_again(store, monkeypatch):
    """Between the look at its age and the touch."""
    cid = old_block(store)

    def gone(path):
        path.unlink()
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "utime", gone)

    store.put(CODEC_RAW, b"old")

    assert store.get(cid) == b"old"


def test_a_folder_that_cannot_be_written_still_answers(store, monkeypatch):
    cid = old_block(store)

    def refuse(*_):
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "utime", refuse)

    assert store.has(cid)


def test_another_failure_is_told(store, monkeypatch):
    cid = old_block(store)

    def fail(*_):
        raise OSError(5, "input/output error")

    monkeypatch.setattr(os, "utime", fail)

    with pytest.raises(StoreUnavailable, match="input/output"):
        store.has(cid)


def test_a_young_block_needs_no_lock(store, tmp_path):
    cid = store.put(CODEC_RAW, b"young")

    with locked(tmp_path / LOCK_NAME, fcntl.LOCK_EX):
        assert store.has(cid)


def test_who_asks_waits_for_whoever_removes(store, tmp_path):
    """Another process asks while the lock is held: it hears that the block is gone."""
    cid = old_block(store)
    code = """
        import sys
        from pathlib import Path
        from flair_client.ids import Cid
        from flair_client.store import DiskStore
        store = DiskStore(Path(sys.argv[1]))
        print("asks", flush=True)
        print(store.has(Cid.parse(sys.argv[2])), flush=True)
    """
    sweep = remove_old(store, [cid], LONG_AGO + 1)
    assert next(sweep) == (cid, Swept.REMOVED)
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(cid)]
    # The lock is held until the generator is at its end; an old block comes back.
    store.block_path(cid).write_bytes(b"old")
    os.utime(store.block_path(cid), (LONG_AGO, LONG_AGO))
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as asking:
        assert asking.stdout.readline() == "asks\n"
        store.block_path(cid).unlink()
        assert list(sweep) == []
        assert asking.stdout.readline() == "False\n"


def test_only_one_clears_up(store, tmp_path):
    with (
        sweeping(store),
        pytest.raises(WorkspaceLocked, match="another flair gc"),
        sweeping(store),
    ):
        raise AssertionError("both clear up")
    with sweeping(store):
        pass


def test_an_error_of_whoever_clears_up_is_its_own(store):
    with pytest.raises(BlockingIOError), sweeping(store):
        raise BlockingIOError


def test_blocks_are_listed_with_size_and_age(store):
    old = old_block(store)
    young = store.put(CODEC_RAW, b"young!")
    found = {one.cid: one for one in list_blocks(store)}

    assert (found[old].size, found[old].used_at) == (3, LONG_AGO)
    assert found[young].size == 6
    assert abs(found[young].used_at - time.time()) < 3600
