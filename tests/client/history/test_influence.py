"""Directions of updates beside their merge, against whole arrays worked out at once."""

import numpy as np
import pytest
from history_world import SITES, World

from flair_client.encoding import decode_commit, decode_delta
from flair_client.errors import DigestMismatch, TensorMismatch
from flair_client.history.graph import manifest_of
from flair_client.history.influence import merge_cosines
from flair_client.weights import load_tensor


@pytest.fixture
def world():
    made = World()
    made.publish_root()
    return made


def merged(world, *updates):
    """Merges updates of these integers; gives both states and the deltas."""
    world.open_round()
    before = world.head()[2]
    for n, ints in enumerate(updates):
        world.push(SITES[n], weight=1 << n, ints=ints)
    world.close_round()
    world.accumulate()
    merge = world.finalize(world.make_merge())
    commit = decode_commit(world.store.get(merge.cid))
    deltas = [
        decode_delta(world.store.get(decode_commit(world.store.get(p.cid)).delta))
        for p in commit.parents[1:]
    ]
    return before, manifest_of(world.store, merge), deltas


def ints_of(world, rng):
    return {
        entry.name: rng.integers(-900, 900, entry.shape, dtype=np.int16)
        for entry in world.head()[2].tensors
        if entry.role.is_shared
    }


def test_cosines_are_those_of_the_whole_arrays(world):
    rng = np.random.default_rng(5)
    updates = [ints_of(world, rng) for _ in range(3)]

    before, after, deltas = merged(world, *updates)
    found = merge_cosines(world.store, before, after, deltas)

    names = [entry.name for entry in before.tensors if entry.role.is_shared]

    def flat(manifest):
        tensors = manifest.by_name()
        parts = [load_tensor(manifest, tensors[name], world.store) for name in names]
        return np.concatenate([part.ravel() for part in parts]).astype(np.float64)

    change = flat(after) - flat(before)
    for delta, cosine in zip(deltas, found, strict=True):
        ints = next(
            one
            for one, site in zip(updates, SITES, strict=False)
            if site.address == delta.contributor
        )
        own = np.concatenate([ints[name].ravel() for name in names]).astype(np.float64)
        expected = own @ change / np.linalg.norm(own) / np.linalg.norm(change)
        assert cosine == pytest.approx(expected, abs=1e-9)


def test_an_update_of_zeros_has_no_direction(world):
    rng = np.random.default_rng(6)
    update = ints_of(world, rng)
    nothing = {name: np.zeros_like(values) for name, values in update.items()}

    before, after, deltas = merged(world, update, nothing)
    found = dict(
        zip(
            (delta.contributor for delta in deltas),
            merge_cosines(world.store, before, after, deltas),
            strict=True,
        )
    )

    assert found[SITES[1].address] is None
    assert found[SITES[0].address] == pytest.approx(1.0)


def test_a_merge_that_changes_nothing_has_no_direction(world):
    rng = np.random.default_rng(7)
    update = ints_of(world, rng)
    before, _, deltas = merged(world, update, update)

    assert merge_cosines(world.store, before, before, deltas) == [None, None]


def test_a_delta_of_another_model_is_refused(world):
    rng = np.random.default_rng(8)
    update = ints_of(world, rng)
    before, after, deltas = merged(world, update, update)
    from dataclasses import replace

    less = replace(deltas[0], tensors=deltas[0].tensors[1:])

    with pytest.raises(TensorMismatch):
        merge_cosines(world.store, before, after, [less])


def test_a_block_that_was_changed_is_refused(world):
    rng = np.random.default_rng(9)
    update = ints_of(world, rng)
    before, after, deltas = merged(world, update, update)
    world.flip(deltas[0].tensors[0].blocks[0])

    with pytest.raises(DigestMismatch):
        merge_cosines(world.store, before, after, deltas)
