"""A head that a merge of models became: what the events may say, and verification."""

import pytest
from history_world import BOT, OWNER, STRANGER, World
from member_events import refused

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.chain.instructions import branch_merge
from flair_client.errors import VerificationError
from flair_client.history.verify import verify_branch
from flair_client.ids import ZERO_ADDRESS, CommitId
from flair_client.merging import Asked, Side, make_spec, merge_models
from flair_client.merging.record import inputs_of, record_of
from flair_client.objects import CommitKind
from flair_client.testing_objects import make_manifest

A, B = (CommitId(bytes([n]) * 32) for n in (1, 2))
MERGE = CommitId(bytes([7]) * 32)


@pytest.fixture
def world():
    world = World()
    world.publish_root()
    return world


def merge(world, *merged, by=OWNER, new_head=MERGE, **changes):
    record = world.history.branches[world.main]
    moved = {
        "branch": world.main,
        "old_head": record.head,
        "new_head": new_head,
        "new_seq": len(record.moves) + 1,
        "ended_round": record.live_round is not None,
        "round_index": 0,
        "n_merged": len(merged),
        "merged": b"".join(each.raw for each in merged).ljust(512, b"\0"),
    }
    world.emit(ev.BranchMerged, by, **(moved | changes))


def test_the_head_is_the_merge_and_the_live_round_is_over(world):
    world.open_round()
    merge(world, A, B, round_index=1)

    branch = world.history.branches[world.main]
    assert (branch.head, branch.live_round, branch.round_index) == (MERGE, None, 2)
    move = branch.moves[-1]
    assert (move.kind, move.merged, move.round) == (CommitKind.MERGE, (A, B), None)
    assert move.may_sign == {OWNER.address}


@pytest.mark.parametrize(
    ("merged", "changes", "reason"),
    [
        ((A,), {"old_head": B}, "does not start from the head"),
        ((A,), {"new_seq": 3}, "wrong sequence"),
        ((A,), {"ended_round": True}, "wrong ended round"),
        ((), {}, "merges nothing"),
        ((CommitId(bytes(32)),), {}, "merges nothing"),
        ((B, A), {}, "not in order"),
        ((A, A), {}, "not in order"),
        ((A, B), {"n_merged": 1}, "more than it counts"),
        ((A, MERGE), {}, "merges itself"),
        ((A,), {"by": STRANGER}, "who may not"),
        ((A,), {"by": BOT}, "who may not"),
    ],
)
def test_a_merge_that_cannot_have_happened_is_refused(world, merged, changes, reason):
    world.grant(BOT, Scope.MERGE)
    merge(world, *merged, **changes)

    assert reason in refused(world)


def test_the_head_is_not_merged_into_itself(world):
    merge(world, world.history.branches[world.main].head)

    assert "merges itself" in refused(world)


def test_an_administrator_merges_models(world):
    world.grant(BOT, Scope.ADMINISTER)
    merge(world, A, by=BOT)

    move = world.history.branches[world.main].moves[-1]
    assert move.may_sign == {OWNER.address, BOT.address}


def test_a_branch_without_head_merges_nothing():
    world = World()
    merge(world, A)

    assert "does not start from the head" in refused(world)


def real_merge(world):
    """A merge of the head with another model, and that model."""
    head, head_commit, manifest = world.head()
    arrays = {
        entry.name: (number * 2.0, entry.shape)
        for number, entry in enumerate(manifest.tensors, start=1)
    }
    import numpy as np

    other = make_manifest(
        world.store,
        {
            name: np.full(shape, value, np.float32)
            for name, (value, shape) in arrays.items()
        },
    )
    model = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(head,),
        weights=world.put_manifest(other),
        events=world.event_list(head_commit),
    )
    manifests = {head: manifest, model: other}
    spec = make_spec(Asked("linear", [head, model], params={}, base=None))
    inputs = inputs_of(spec, Side(head, manifest), manifests.__getitem__)
    merged = merge_models(world.store, spec, inputs, world.store)
    parents, record = record_of(spec, head)
    commit = world.put_commit(
        OWNER,
        kind=CommitKind.MERGE,
        parents=parents,
        strategy=record,
        weights=world.put_manifest(merged),
        events=world.event_list(head_commit),
    )
    return commit, model


def test_a_merge_of_models_is_verified_as_a_head(world):
    commit, model = real_merge(world)
    merge(world, model, new_head=commit)

    report = verify_branch(world, world.store, world.repo_address, "main")

    assert report.head == commit


def test_a_merge_of_other_models_than_the_chain_says_is_refused(world):
    commit, _ = real_merge(world)
    merge(world, A, new_head=commit)

    with pytest.raises(VerificationError, match="merges other commits"):
        verify_branch(world, world.store, world.repo_address, "main")


def test_a_builder_takes_as_many_models_as_fit():
    given = {
        "actor": OWNER.address,
        "repo": ZERO_ADDRESS,
        "branch": ZERO_ADDRESS,
        "expected_head": A,
        "expected_seq": 1,
        "new_head": MERGE,
    }
    with pytest.raises(ValueError, match="17 commits are merged, 16 fit"):
        branch_merge(merged=[A] * 17, **given)
    assert branch_merge(merged=[A] * 16, **given).data.endswith(A.raw)
