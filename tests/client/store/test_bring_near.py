"""Blocks that will be read next are fetched several at a time."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    StoreUnavailable,
)
from flair_client.history.naming_store import NamingStore
from flair_client.history.verify_weights import verify_complete
from flair_client.ids import CODEC_RAW
from flair_client.store import DiskStore, LayeredStore, MemoryStore
from flair_client.store.bulk import bring_near
from flair_client.store.layered import _TOGETHER
from flair_client.testing_objects import make_cid
from flair_client.weights import import_weights, roles_by_pattern

N = 4


class FarAway(MemoryStore):
    """Answers nobody before four ask."""

    n_parallel = N

    def __init__(self):
        super().__init__()
        self.asked = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(N)

    def get(self, cid, **more):
        with self._lock:
            self.asked.append(cid)
            self._now += 1
            self.most = max(self.most, self._now)
        self._together.wait(30)
        try:
            return super().get(cid, **more)
        finally:
            with self._lock:
                self._now -= 1


def filled(far, n=N):
    return [far.put(CODEC_RAW, bytes([number])) for number in range(n)]


def test_as_many_are_asked_for_at_once_as_the_far_store_answers():
    far = FarAway()
    near = LayeredStore(MemoryStore(), far)
    cids = filled(far, 2 * N)

    bring_near(NamingStore(near), [*cids, cids[0]])

    assert far.most == N
    assert sorted(far.asked) == sorted(cids)
    assert all(near.cache.has(cid) for cid in cids)
    assert (near.n_fetched, near.n_bytes_fetched) == (2 * N, 2 * N)


def test_what_is_near_is_not_fetched_again():
    far = FarAway()
    near = LayeredStore(MemoryStore(), far)
    near.cache.put(CODEC_RAW, bytes([0]))

    bring_near(near, filled(far, N + 1))
    bring_near(near, filled(far, N + 1))

    assert len(far.asked) == N


def test_what_cannot_be_had_is_left_for_the_reader():
    far = FarAway()
    near = LayeredStore(MemoryStore(), far)
    cids = filled(far, N - 1)

    bring_near(near, [*cids, make_cid(3)])

    assert all(near.cache.has(cid) for cid in cids)
    assert near.n_fetched == N - 1


@pytest.mark.parametrize("error", [DigestMismatch, BlockMissing])
def test_a_lie_is_kept_from_the_cache(error):
    class Lying(FarAway):
        def get(self, cid, **more):
            super().get(cid, **more)
            raise error(*((cid, "00") if error is DigestMismatch else (cid,)))

    far = Lying()
    near = LayeredStore(MemoryStore(), far)

    bring_near(near, filled(far))

    assert list(near.cache) == []
    assert near.n_fetched == 0


def test_what_came_before_an_outage_stays(tmp_path):
    class Ending(MemoryStore):
        n_parallel = 1

        def get(self, cid, **more):
            if self.has(cid):
                return super().get(cid, **more)
            raise StoreUnavailable("gone")

    far = Ending()
    cids = [far.put(CODEC_RAW, number.to_bytes(2)) for number in range(_TOGETHER)]
    near = LayeredStore(DiskStore(tmp_path), far)

    with pytest.raises(StoreUnavailable):
        bring_near(near, [*cids, make_cid(3)])

    # As another process would find it.
    assert set(DiskStore(tmp_path)) == set(cids)


def test_a_store_that_is_not_far_is_read_as_before(tmp_path):
    near = LayeredStore(MemoryStore(), DiskStore(tmp_path))
    cid = near.remote.put(CODEC_RAW, b"1")

    bring_near(near, [cid])
    bring_near(near.remote, [cid])

    assert list(near.cache) == []


def test_weights_of_many_small_tensors_come_several_at_a_time(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {f"t{n}": np.full(3, n, np.float32) for n in range(2 * N)}
    safetensors.numpy.save_file(tensors, path)
    far = FarAway()
    manifest = import_weights(path, far, roles_by_pattern([("train", ["*"])]))

    verify_complete(
        LayeredStore(MemoryStore(), far),
        # The header is a block by itself, for which nobody else would ask.
        replace(manifest, source=None),
    )

    assert far.most == N
    assert len(far.asked) == 2 * N
