import math

import numpy as np
import pytest

from flair_client.history.diff import Change, diff_weights
from flair_client.history.merge import merge_weights
from flair_client.store import MemoryStore
from flair_client.strategies import Choice, FedAvg
from flair_client.testing_objects import make_delta, make_manifest


def diff(before, after):
    store = MemoryStore()
    manifests = [make_manifest(store, tensors) for tensors in (before, after)]
    return {one.name: one for one in diff_weights(store, *manifests)}


def test_figures_by_hand():
    one = diff(
        {"w": np.array([3.0, 4.0, 0.0, 1.0], np.float32)},
        {"w": np.array([3.0, 1.0, 4.0, 1.0], np.float32)},
    )["w"]

    assert one.change is Change.CHANGED
    assert one.l2 == 5.0
    assert one.max_abs == 4.0
    assert one.share_changed == 0.5
    assert one.cosine == pytest.approx(14 / (math.sqrt(26) * math.sqrt(27)))


def test_equal_tensors_are_not_read():
    store = MemoryStore()
    manifest = make_manifest(store, {"w": np.ones(3, np.float32)})

    (one,) = diff_weights(MemoryStore(), manifest, manifest)

    assert one.change is Change.SAME
    assert (one.l2, one.max_abs, one.cosine, one.share_changed) == (0, 0, 1, 0)


def test_tensors_that_come_go_or_change_shape():
    changes = diff(
        {"gone": np.ones(1, np.float32), "w": np.ones(2, np.float32)},
        {"new": np.ones(1, np.float32), "w": np.ones(3, np.float32)},
    )

    assert {name: one.change for name, one in changes.items()} == {
        "gone": Change.REMOVED,
        "new": Change.ADDED,
        "w": Change.RESHAPED,
    }
    assert list(changes) == ["gone", "new", "w"]
    assert changes["w"].l2 is None


def test_a_tensor_of_zeros_has_no_angle():
    one = diff({"w": np.zeros(2, np.float32)}, {"w": np.ones(2, np.float32)})["w"]

    assert one.cosine is None


def test_integers_are_compared():
    one = diff({"w": np.array([1, 2])}, {"w": np.array([1, 4])})["w"]

    assert (one.l2, one.share_changed) == (2.0, 0.5)


def test_floats_and_exact_integers_are_compared():
    store = MemoryStore()
    before = make_manifest(store, {"w": np.zeros(300_000, np.float32)})
    delta = make_delta(store, {"w": np.full(300_000, 1024, np.int16)})
    choice = Choice(FedAvg(), {}, 1 << 24, -10)
    after = merge_weights(store, before, [(1, delta)], choice, store).weights

    (one,) = diff_weights(store, before, after)

    assert one.l2 == pytest.approx(math.sqrt(300_000))
    assert one.max_abs == 1.0
    assert one.share_changed == 1.0
