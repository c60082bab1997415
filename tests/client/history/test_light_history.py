"""Light forms in a history: recomputed, carried on, and enough for a light clone."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from history_world import World

from flair_client.chain.accounts import MoveKind
from flair_client.errors import ObjectInvalid, VerificationError
from flair_client.history.verify import gather_evidence, valid_head_of, verify_branch
from flair_client.history.verify_merge import merged_updates
from flair_client.history.verify_move import terms_of
from flair_client.history.verify_weights import verify_complete
from flair_client.ids import CODEC_RAW, Digest
from flair_client.objects import Revert, RevertKind, Role
from flair_client.tensor_encodings import int8
from flair_client.testing_objects import make_manifest
from flair_client.weights.light_form import with_light_form, without_light_form

BASE = np.linspace(-1, 1, 900, dtype=np.float32)


def weights(world, base=BASE):
    tensors = {
        "base": base,
        "weight": np.zeros(6, np.float32),
        "bias": np.zeros(2, "f4"),
    }
    manifest = make_manifest(world.store, tensors, {"base": Role.FROZEN})
    return with_light_form(manifest, world.store)


def lying(world, manifest):
    """The same weights with the light form of others."""
    entry = manifest.by_name()["base"]
    chunk = int8.quantise(BASE[::-1])
    light = replace(
        entry.light,
        digest=Digest(hashlib.sha256(chunk).digest()),
        blocks=(world.store.put(CODEC_RAW, int8.pack(chunk)),),
    )
    other = {"base": replace(entry, light=light)}
    tensors = tuple(other.get(one.name, one) for one in manifest.tensors)
    return replace(manifest, tensors=tensors)


@pytest.fixture
def world():
    world = World()
    world.publish_root(weights=world.put_manifest(weights(world)))
    return world


def verify(world):
    return verify_branch(world, world.store, world.repo_address, "main")


def fault(world):
    with pytest.raises(VerificationError) as caught:
        verify(world)
    return caught.value


def light_head(world):
    gathered = gather_evidence(world, world.store, world.repo_address, "main")
    return valid_head_of(gathered.taking_light(takes_light=True))


def base_entry(world):
    return world.head()[2].by_name()["base"]


def test_merges_and_reverts_carry_the_light_form_on(world):
    before = base_entry(world)
    merge = world.run_round(1, 2)
    world.advance(
        MoveKind.REVERT,
        world.make_revert(Revert(kind=RevertKind.MERGE, commit=merge)),
    )

    assert verify(world).head_seq == 3
    assert base_entry(world) == before
    assert before.light is not None


def test_a_light_form_of_other_values_is_named():
    world = World()
    root = world.publish_root(weights=world.put_manifest(lying(world, weights(world))))

    error = fault(world)

    assert error.where == f"commit {root.short}"
    assert "'base': its light form is not that of its values" in error.reason


@pytest.mark.parametrize("change", [lying, lambda _, m: without_light_form(m)])
def test_a_merge_with_another_light_form_is_named(world, change):
    world.begin_round(1, 2)
    _, _, base = world.head()
    terms = terms_of(world.history, world.live)
    merged = world.merge_updates(merged_updates(world.live), base, terms).weights
    changed = world.put_manifest(change(world, merged))
    merge = world.finalize(world.make_merge(weights=changed))

    error = fault(world)
    light = light_head(world)

    assert error.where == f"commit {merge.short}"
    assert "tensor 'base' has another light form" in error.reason
    assert "another light form" in light.fault.reason


def test_who_takes_the_light_form_reads_nothing_of_the_full_one(world):
    merge = world.run_round(1, 2)
    for cid in base_entry(world).blocks:
        world.store.delete(cid)

    found = light_head(world)

    assert (found.commit_id, found.fault) == (merge, None)
    assert "missing" in fault(world).reason


def test_a_missing_block_of_the_light_form_is_named(world):
    root = world.head()[0]
    for cid in base_entry(world).light.blocks:
        world.store.delete(cid)

    assert fault(world).where == light_head(world).fault.where == f"commit {root.short}"


def test_blocks_that_are_known_do_not_vouch_for_another_digest(world):
    """Two tensors whose blocks were read are not one with the digest of another."""
    _, _, manifest = world.head()
    known = set()
    verify_complete(world.store, manifest, known=known)
    entries = manifest.by_name()
    mixed = replace(entries["bias"], digest=entries["weight"].digest)
    tensors = tuple({"bias": mixed}.get(one.name, one) for one in manifest.tensors)

    with pytest.raises(ObjectInvalid, match=r"'bias'.*digest"):
        verify_complete(world.store, replace(manifest, tensors=tensors), known=known)
