"""Counting of bytes to and from the shared store."""

import pytest

from flair_client.demo.traffic import CountingStore
from flair_client.errors import BlockMissing
from flair_client.ids import CODEC_RAW, Cid
from flair_client.store.memory import MemoryStore


def test_blocks_are_counted_by_their_bytes():
    store = CountingStore(MemoryStore())
    cid = store.put(CODEC_RAW, b"12345")
    assert (store.n_sent, store.n_fetched) == (5, 0)
    assert store.get(cid) == b"12345"
    assert store.get(cid) == b"12345"
    assert (store.n_sent, store.n_fetched) == (5, 10)


def test_a_block_that_is_there_already_is_not_sent_again():
    store = CountingStore(MemoryStore())
    first = store.put(CODEC_RAW, b"12345")
    assert store.put(CODEC_RAW, b"12345") == first
    assert store.n_sent == 5
    assert list(store) == [first]


def test_a_missing_block_counts_nothing():
    store = CountingStore(MemoryStore())
    with pytest.raises(BlockMissing):
        store.get(Cid(CODEC_RAW, bytes(32)))
    assert store.n_fetched == 0
