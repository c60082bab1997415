"""What a policy demands of updates, and verification finds missing."""

from dataclasses import replace

import pytest
from history_world import OWNER, PARAMS, SITES, World

from flair_client.errors import VerificationError
from flair_client.history.verify import verify_branch
from flair_client.ids import Digest
from flair_client.objects import Privacy, Training


def world_under(**params):
    world = World(params=replace(PARAMS, **params))
    world.publish_root()
    world.open_round()
    return world


def merge(world):
    """Merges by hand: the builder itself would refuse what these tests push."""
    world.close_round()
    world.accumulate()
    weights = world.head()[1].weights
    world.finalize(world.make_merge(OWNER, weights=weights), by=OWNER)


def fault(world):
    with pytest.raises(VerificationError) as caught:
        verify_branch(world, world.store, world.repo_address, "main")
    return caught.value


def trained(epochs):
    return Training(samples_bucket=64, epochs=epochs, framework="numpy 2")


def test_more_epochs_than_the_policy_allows_are_named():
    world = world_under(max_epochs=2)
    world.push(SITES[1], 1, training=trained(2))
    bad = world.push(SITES[0], 1, training=trained(3))
    merge(world)

    error = fault(world)

    assert error.where.startswith(f"update {bad.short}")
    assert "more epochs than the policy allows" in error.reason


def test_as_many_epochs_as_the_policy_allows_are_merged():
    world = world_under(max_epochs=2)
    world.push(SITES[0], 1, training=trained(2))
    world.push(SITES[1], 1)
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(OWNER), by=OWNER)

    verify_branch(world, world.store, world.repo_address, "main")


@pytest.mark.parametrize(
    "privacy", [None, Privacy(mode="public", clip=1.0)], ids=["nothing", "no epsilon"]
)
def test_an_update_without_the_privacy_loss_that_is_required_is_named(privacy):
    world = world_under(dp_rule=1)
    stated = Privacy(mode="public", clip=1.0, epsilon=1.0, delta=1e-5, accountant="rdp")
    world.push(SITES[1], 1, privacy=stated)
    bad = world.push(SITES[0], 1, privacy=privacy)
    merge(world)

    error = fault(world)

    assert error.where.startswith(f"update {bad.short}")
    assert "states no privacy loss" in error.reason


@pytest.mark.parametrize("named", [True, False])
def test_an_update_of_another_recipe_than_the_policys_is_named(named):
    world = world_under(recipe_digest=Digest(bytes([4]) * 32))
    other = world.put_recipe() if named else None
    world.push(SITES[0], 1, recipe=other)
    world.push(SITES[1], 1, recipe=other)
    merge(world)

    error = fault(world)

    assert error.where.startswith("update ")
    assert error.reason == "was made with another recipe"
