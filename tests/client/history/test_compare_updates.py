"""Updates compared with the sum of the others, against NumPy on whole arrays."""

import numpy as np
import pytest

from flair_client.history.compare_updates import compare_updates
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_delta, make_manifest

RANDOM = np.random.default_rng(7)


@pytest.fixture
def store():
    return MemoryStore()


def base_of(store, shapes):
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return make_manifest(store, tensors)


def random_updates(store, shapes, weights):
    made = []
    for n, weight in enumerate(weights, start=1):
        tensors = {
            name: RANDOM.integers(-900, 900, shape).astype(np.int16)
            for name, shape in shapes.items()
        }
        made.append((weight, make_delta(store, tensors, contributor=n), tensors))
    return made


def cosine(left, right):
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def whole(tensors):
    return np.concatenate(
        [tensors[name].ravel().astype(np.float64) for name in sorted(tensors)]
    )


def test_lengths_and_directions_are_those_of_the_whole_arrays(store):
    # The larger tensor has more than one part, and parts more than one cut.
    shapes = {"a": (3, 5), "b": (300_000,)}
    made = random_updates(store, shapes, (1, 4, 8))

    found = compare_updates(
        store, base_of(store, shapes), [(weight, delta) for weight, delta, _ in made]
    )

    for n, (_, delta, tensors) in enumerate(made):
        others = sum(w * whole(t) for k, (w, _, t) in enumerate(made) if k != n)
        mine = whole(tensors)
        assert found[n].cosine == pytest.approx(cosine(mine, others))
        assert [one.name for one in found[n].tensors] == ["b", "a"]
        unit = 2.0**delta.scale_exp
        for one in found[n].tensors:
            values = tensors[one.name].ravel().astype(np.float64)
            assert one.l2 == pytest.approx(np.linalg.norm(values) * unit)
            assert one.share == pytest.approx((values @ values) / (mine @ mine))
            rest = sum(
                w * t[one.name].ravel().astype(np.float64)
                for k, (w, _, t) in enumerate(made)
                if k != n
            )
            assert one.cosine == pytest.approx(cosine(values, rest))


def test_a_copy_points_the_same_way_and_its_opposite_the_other(store):
    values = np.array([3, -4, 5], np.int16)
    base = base_of(store, {"w": (3,)})

    same = [
        (1, make_delta(store, {"w": values}, contributor=1)),
        (4, make_delta(store, {"w": values}, contributor=2)),
    ]
    against = [same[0], (4, make_delta(store, {"w": -values}, contributor=2))]

    for pair, expected in ((same, 1.0), (against, -1.0)):
        found = compare_updates(store, base, pair)
        assert [one.cosine for one in found] == pytest.approx([expected] * 2)


def test_nothing_has_no_direction(store):
    values, zero = np.array([1, 2], np.int16), np.zeros(2, np.int16)
    base = base_of(store, {"w": (2,)})
    one = make_delta(store, {"w": values}, contributor=1)
    none = make_delta(store, {"w": zero}, contributor=2)

    alone = compare_updates(store, base, [(1, one)])
    beside_zero = compare_updates(store, base, [(1, one), (1, none)])

    assert alone[0].cosine is None
    assert [found.cosine for found in beside_zero] == [None, None]
    assert beside_zero[1].tensors == ()
    assert compare_updates(store, base, []) == []


def test_what_does_not_count_is_compared_and_in_no_sum(store):
    base = base_of(store, {"w": (2,)})
    right, up = np.array([5, 0], np.int16), np.array([0, 5], np.int16)
    deltas = [
        make_delta(store, {"w": values}, contributor=n)
        for n, values in enumerate((right, right, up), start=1)
    ]

    found = compare_updates(store, base, list(zip((1, 1, 0), deltas, strict=True)))

    assert [one.cosine for one in found] == pytest.approx([1.0, 1.0, 0.0])
