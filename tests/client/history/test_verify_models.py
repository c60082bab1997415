"""A merge of models is made again from them, and believed in nothing."""

from dataclasses import replace

import numpy as np
import pytest
from history_world import OWNER, World

from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, encode_manifest
from flair_client.errors import StoreUnavailable, VerificationError
from flair_client.history.evidence import gather_evidence
from flair_client.history.verify_models import verify_model_merge
from flair_client.history.verify_move import trusted_commit, verify_move
from flair_client.ids import CODEC_DAG_CBOR
from flair_client.merging import Asked, Side, make_spec, merge_models
from flair_client.merging.record import inputs_of, record_of, spec_of
from flair_client.objects import CommitKind, StrategyRecord
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_commit, make_manifest, sign


class Place:
    """A head, two other models and their base in one store, and merges of them."""

    def __init__(self):
        self.store = MemoryStore()
        self.head, self.one, self.two, self.base = (
            self.model(values)
            for values in ([1.0, 2, 3, 4], [2.0, 0, 3, 1], [0.0, 5, 9, 4], [1.0] * 4)
        )

    def model(self, values, kind=CommitKind.SNAPSHOT):
        array = np.array(values, np.float32)
        return self.put(
            kind,
            weights=self.put_manifest(make_manifest(self.store, {"w": array})),
        )

    def put_manifest(self, manifest):
        return self.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))

    def put(self, kind, **fields):
        block = encode_commit(sign(make_commit(kind, **fields)))
        self.store.put(CODEC_DAG_CBOR, block)
        return id_of(block)

    def manifest_of(self, commit_id):
        from flair_client.porcelain.checkout import manifest_of

        return manifest_of(self.store, commit_id)

    def asked(self, method="ties", **how):
        fields = {"params": {"density": "0.5"}, "base": self.base}
        return Asked(method, [self.one, self.two], **{**fields, **how})

    def merge(self, asked=None, **changes):
        """The commit of a merge, with fields that are not what was asked for."""
        spec = make_spec(asked or self.asked())
        side = Side(self.head, self.manifest_of(self.head))
        inputs = inputs_of(spec, side, self.manifest_of)
        manifest = merge_models(self.store, spec, inputs, self.store)
        parents, record = record_of(spec, self.head)
        fields = {
            "policy": None,
            "round_index": None,
            "parents": parents,
            "strategy": record,
            "weights": self.put_manifest(manifest),
        }
        return sign(make_commit(CommitKind.MERGE, **{**fields, **changes}))

    def verify(self, commit):
        commit_id = id_of(encode_commit(commit))
        head = self.manifest_of(self.head)
        return verify_model_merge(self.store, commit_id, commit, head)

    def refused(self, commit):
        with pytest.raises(VerificationError) as caught:
            self.verify(commit)
        return str(caught.value)


@pytest.fixture
def place():
    return Place()


def changed(record, **changes):
    fields = {name: getattr(record, name) for name in ("id", "params", "weights")}
    return StrategyRecord(**{**fields, "base": record.base, **changes})


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("linear", {"params": {}, "base": None, "weights": ["0.3", "2"]}),
        ("slerp", {"params": {"t": "0.3"}, "base": None}),
        ("task_arithmetic", {"params": {"lambda": "0.5"}}),
        ("ties", {}),
        ("dare_linear", {"seed": 7}),
        ("dare_ties", {"seed": 7}),
    ],
)
def test_a_merge_by_every_method_is_made_again(place, method, how):
    commit = place.merge(place.asked(method, **how))

    manifest = place.verify(commit)

    assert manifest.by_name()["w"].digest


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("with_head", [True, False])
def test_a_record_says_what_was_asked(place, order, with_head):
    models = [place.head if with_head else place.one, place.two]
    models = models[::-1] if order else models
    spec = make_spec(Asked("slerp", models, {"t": "0.25"}))

    commit = place.merge(Asked("slerp", models, {"t": "0.25"}))

    assert spec_of(commit) == spec
    assert dict(spec.models)[models[0]] == 750_000_000
    assert commit.parents[0] == place.head
    assert list(commit.parents[1:]) == sorted(commit.parents[1:])


def test_other_weights_than_the_method_gives(place):
    weights = make_weights_of(place, place.one)

    text = place.refused(place.merge(weights=weights))

    assert "tensor 'w' is not what recomputing gives" in text


def make_weights_of(place, commit_id):
    return place.put_manifest(place.manifest_of(commit_id))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "average"}, "there is no merge method 'average'"),
        ({"params": {}}, "needs parameter 'density'"),
        ({"weights": (1, 2)}, "is not what recomputing gives"),
        ({"base": None}, "method 'ties' needs a base"),
        ({"id": "linear"}, "'linear' takes no base"),
    ],
)
def test_another_record_than_the_merge_was_made_by(place, changes, reason):
    merge = place.merge()
    record = changed(merge.strategy, **changes)

    assert reason in place.refused(place.merge(strategy=record))


def test_another_seed_than_the_merge_was_made_by(place):
    place.head = place.model(np.arange(64.0))
    place.one = place.model(np.arange(64.0) * 2)
    place.two = place.model(np.arange(64.0) * 3)
    place.base = place.model(np.ones(64))
    asked = place.asked("dare_ties", seed=1)
    merge = place.merge(asked)
    record = changed(merge.strategy, params={**merge.strategy.params, "seed": 2})

    assert "recomputing" in place.refused(place.merge(asked, strategy=record))


def test_a_model_that_is_not_there(place):
    merge = place.merge()
    place.store.delete(place.one.cid)

    text = place.refused(merge)

    assert text.startswith(f"model {place.one.short} of merge")


def test_a_model_that_is_not_signed_by_its_author(place):
    commit = make_commit(CommitKind.SNAPSHOT, weights=make_weights_of(place, place.one))
    block = encode_commit(replace(commit, signature=bytes(64)))
    place.store.put(CODEC_DAG_CBOR, block)
    place.one = id_of(block)

    assert f"model {place.one.short}" in place.refused(place.merge())


def test_a_model_that_is_an_update(place):
    update = place.put(CommitKind.UPDATE)
    merge = place.merge()
    parents = (place.head, *sorted((update, place.two)))

    text = place.refused(place.merge(parents=parents, strategy=merge.strategy))

    assert "is an update and has no weights" in text


def test_a_model_with_another_tensor(place):
    other = make_manifest(place.store, {"v": np.ones(2)})
    stranger = place.put(CommitKind.SNAPSHOT, weights=place.put_manifest(other))
    parents = (place.head, *sorted((stranger, place.two)))

    text = place.refused(place.merge(parents=parents))

    assert f"in {stranger.short}" in text
    assert "'v'" in text


def test_a_report_that_is_not_there(place):
    merge = place.merge(report=place.store.put(0x55, b"{}"))
    place.store.delete(merge.report)

    assert "commit" in place.refused(merge)


def test_a_merge_of_updates_is_none_of_models(place):
    merge = make_commit(CommitKind.MERGE)

    assert "is no merge of models" in place.refused(sign(merge))


def test_a_store_that_does_not_answer_is_no_verdict(place):
    merge = place.merge()

    class Silent:
        def get(self, cid, **_):
            raise StoreUnavailable(f"no answer about {cid}")

    head = place.manifest_of(place.head)
    with pytest.raises(StoreUnavailable):
        verify_model_merge(Silent(), id_of(encode_commit(merge)), merge, head)


def moved_in(world, root, other, **changes):
    """The last move of a branch, as one that moved a merge of models in."""
    spec = make_spec(Asked("linear", [root, other]))
    manifests = {one: manifest_at(world, one) for one in (root, other)}
    inputs = inputs_of(spec, Side(root, manifests[root]), manifests.__getitem__)
    manifest = merge_models(world.store, spec, inputs, world.store)
    parents, record = record_of(spec, root)
    parent = trusted(world, root)
    fields = {
        "kind": CommitKind.MERGE,
        "parents": parents,
        "strategy": record,
        "weights": world.put_manifest(manifest),
        "events": world.event_list(parent.commit),
        **changes,
    }
    commit = world.put_commit(OWNER, **fields)
    gathered = gather_evidence(world, world.store, world.repo_address, "main")
    move = replace(
        gathered.evidence.moves[-1],
        kind=CommitKind.MERGE,
        old_head=root,
        new_head=commit,
        event_seq=len(world.events) + 1,
    )
    return gathered.evidence, move, parent


def manifest_at(world, commit_id):
    return trusted(world, commit_id).manifest


def trusted(world, commit_id):
    gathered = gather_evidence(world, world.store, world.repo_address, "main")
    return trusted_commit(gathered.evidence, commit_id)


@pytest.fixture
def two_heads():
    world = World()
    root = world.publish_root()
    array = np.arange(4, dtype=np.float32)
    manifest = manifest_at(world, root)
    shapes = {one.name: one.shape for one in manifest.tensors}
    tensors = {
        name: np.resize(array + n, shape).astype(np.float32)
        for n, (name, shape) in enumerate(shapes.items())
    }
    roles = {one.name: one.role for one in manifest.tensors}
    other = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(root,),
        weights=world.put_manifest(make_manifest(world.store, tensors, roles)),
        events=world.event_list(None),
    )
    return world, root, other


def test_a_move_that_merges_models_is_verified(two_heads):
    evidence, move, parent = moved_in(*two_heads)

    checked = verify_move(evidence, move, parent)

    assert checked.commit.merges_models


def test_a_move_that_merges_models_to_other_weights_is_not_valid(two_heads):
    world, root, other = two_heads
    wrong = world.put_manifest(manifest_at(world, other))
    evidence, move, parent = moved_in(world, root, other, weights=wrong)

    with pytest.raises(VerificationError, match="not what recomputing gives"):
        verify_move(evidence, move, parent)


def test_a_merge_of_updates_is_not_moved_in_without_a_round(two_heads):
    evidence, move, parent = moved_in(
        *two_heads,
        policy=two_heads[0].policy_digest,
        round_index=1,
        strategy=StrategyRecord(id="fedavg", params={}, weights=(1,)),
    )

    with pytest.raises(VerificationError, match="is no merge of models"):
        verify_move(evidence, move, parent)
