"""Merges by every strategy, verified as a stranger would."""

from dataclasses import replace

import numpy as np
import pytest
from history_world import BOT, OWNER, SITES, World
from strategy_params import params_of

from flair_client.chain.accounts import MoveKind
from flair_client.encoding import decode_commit
from flair_client.errors import TooFewUpdates, VerificationError
from flair_client.history.merge import merge_weights
from flair_client.history.verify import verify_branch
from flair_client.history.verify_weights import read_manifest
from flair_client.objects import CommitKind, Manifest, Revert, RevertKind, Role
from flair_client.strategies import STRATEGIES, choice_of, get_strategy
from flair_client.testing_objects import make_delta
from flair_client.weights import load_tensor

STATEFUL = [name for name, one in STRATEGIES.items() if one.moments]


def world_of(name, **given):
    # n_params is what the delta says; five sites are enough for Krum with f = 1.
    world = World(params=params_of(name, **given))
    world.publish_root()
    return world


def push_all(world, *steps):
    world.open_round()
    sites = [*SITES, BOT]
    for n, step in enumerate(steps):
        world.push(sites[n], step, weight=1 << n)
    world.close_round()
    world.accumulate()


def run(world, *steps):
    push_all(world, *steps)
    return world.finalize(world.make_merge(OWNER), by=OWNER)


def verify(world, **more):
    return verify_branch(world, world.store, world.repo_address, "main", **more)


def fault(world):
    with pytest.raises(VerificationError) as caught:
        verify(world)
    return caught.value


def commit_of(world, commit_id):
    return decode_commit(world.store.get(commit_id.cid))


def moment(world, commit_id, name):
    state = read_manifest(world.store, commit_of(world, commit_id).strategy_state)
    return load_tensor(state, state.by_name()[name], world.store)


@pytest.mark.parametrize("name", STRATEGIES)
def test_two_rounds_check(name):
    world = world_of(name)
    run(world, 3, -5, 7, 2, 4)
    merge = run(world, 1, 2, 3, 4, 5)

    report = verify(world)

    assert report.head == merge
    assert [one.check for one in report.commits[1:]] == ["recomputed"] * 2
    record = commit_of(world, merge).strategy
    assert record.id == name
    assert sorted(record.weights) == [1, 2, 4, 8, 16]
    keys = {one.key for one in get_strategy(name).parameters}
    assert set(record.params) == keys | {"eta_q24", "lambda"}
    kept = commit_of(world, merge).strategy_state is not None
    assert kept == (name in STATEFUL)


@pytest.mark.parametrize("name", STATEFUL)
def test_moments_go_on_from_merge_to_merge(name):
    # With as many contributors as updates SCAFFOLD's variate would be the last mean.
    given = {"contributors": 4} if name == "scaffold" else {}
    world = world_of(name, **given)
    first = run(world, 8, 8)
    second = run(world, 8, 8)

    # Two equal rounds: moments that began anew would be equal.
    assert any(
        not np.array_equal(moment(world, first, one), moment(world, second, one))
        for one in (f"{kept}/weight" for kept in get_strategy(name).moments)
    )
    assert verify(world, since=first).head == second


def test_momentum_by_hand():
    # scale 2^-10, mean 8 units, momentum 0.9: m = 8, then 0.9 * 8 + 8, in weights.
    world = world_of("fedavgm")
    first = run(world, 8, 8)
    second = run(world, 8, 8)

    unit = 2.0**-10
    nine_tenths = round(0.9 * 2**48) / 2**48
    assert set(moment(world, first, "m/bias").tolist()) == {8 * unit}
    assert set(moment(world, second, "m/bias").tolist()) == {
        8 * unit * nine_tenths + 8 * unit
    }


def test_a_server_variate_by_hand():
    # rate 1/2 and two of four: c - (c + mean / rate) / 2, from zero. Weights count not.
    world = world_of("scaffold", rate=0.5, contributors=4)
    first = run(world, 8, 2)
    second = run(world, 8, 8)

    unit = 2.0**-10
    assert set(moment(world, first, "c/bias").tolist()) == {-5 * unit}
    assert set(moment(world, second, "c/bias").tolist()) == {(-5 - 11 / 2) * unit}


@pytest.mark.parametrize("name", STATEFUL)
def test_a_revert_of_a_merge_resets_its_moments(name):
    world = world_of(name)
    first = run(world, 8, 8)
    reverts = Revert(kind=RevertKind.MERGE, commit=first)
    world.advance(MoveKind.REVERT, world.make_revert(reverts))
    again = run(world, 8, 8)

    verify(world)
    for one in (f"{kept}/weight" for kept in get_strategy(name).moments):
        assert np.array_equal(moment(world, first, one), moment(world, again, one))


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: None, "has no state"),
        (lambda world: world.put_manifest(Manifest(tensors=())), "state is not what"),
        (lambda world: commit_of(world, world.first).strategy_state, "state is not"),
    ],
    ids=["none", "empty", "the one before"],
)
def test_another_state_than_recomputed_is_named(name, change, reason):
    world = world_of(name)
    world.first = run(world, 8, 8)
    push_all(world, 8, 3)
    lied = world.finalize(
        world.make_merge(OWNER, strategy_state=change(world)), by=OWNER
    )

    error = fault(world)

    assert error.where == f"commit {lied.short}"
    assert reason in error.reason


def test_a_state_whose_blocks_are_gone_is_named():
    world = world_of("fedadam")
    merge = run(world, 8, 8)
    state = read_manifest(world.store, commit_of(world, merge).strategy_state)
    world.store.delete(state.tensors[-1].blocks[0])

    assert "is missing" in fault(world).reason


def test_a_state_that_no_strategy_keeps_is_named():
    world = world_of("median")
    push_all(world, 1, 2, 3)
    state = world.put_manifest(Manifest(tensors=()))
    world.finalize(world.make_merge(OWNER, strategy_state=state), by=OWNER)

    assert "does not keep" in fault(world).reason


@pytest.mark.parametrize("kind", ["revert", "snapshot"])
def test_only_merges_carry_a_state(kind):
    world = world_of("fedadam")
    merge = run(world, 8, 8)
    state = commit_of(world, merge).strategy_state
    if kind == "revert":
        reverts = Revert(kind=RevertKind.MERGE, commit=merge)
        commit_id = world.make_revert(reverts, strategy_state=state)
        world.advance(MoveKind.REVERT, commit_id)
    else:
        head, head_commit, manifest = world.head()
        commit_id = world.put_commit(
            OWNER,
            kind=CommitKind.SNAPSHOT,
            parents=(head,),
            weights=world.put_manifest(manifest),
            events=world.event_list(head_commit),
            strategy_state=state,
        )
        world.advance(MoveKind.SNAPSHOT, commit_id)

    assert f"is a {kind} and carries a strategy's state" in fault(world).reason


@pytest.mark.parametrize(
    ("name", "given", "steps", "words"),
    [
        ("median", {"f": 2}, (1, 2, 3, 4), "at least 5 updates (2f + 1 for f = 2)"),
        ("trimmed_mean", {"f": 1}, (1, 2), "at least 3 updates (2f + 1 for f = 1)"),
        ("krum", {"f": 1}, (1, 2, 3, 4), "at least 5 updates (2f + 3 for f = 1)"),
        ("multi_krum", {"f": 1, "m": 3}, (1, 2, 3, 4, 5), "(m + f + 2 for f = 1"),
        ("geometric_median", {"f": 1}, (1, 2), "2f + 1"),
        ("norm_clipping", {"f": 1}, (1, 2), "2f + 1"),
    ],
)
def test_a_merge_of_fewer_updates_than_its_bound_is_invalid(name, given, steps, words):
    world = world_of(name, **given)
    push_all(world, *steps)
    with pytest.raises(TooFewUpdates):
        world.make_merge(OWNER)
    weights = world.head()[1].weights
    bad = world.finalize(world.make_merge(OWNER, weights=weights), by=OWNER)

    error = fault(world)

    assert error.where == f"commit {bad.short}"
    assert words in error.reason


@pytest.mark.parametrize("name", [n for n, one in STRATEGIES.items() if not one.linear])
def test_one_contributor_cannot_be_taken_out_of_it(name):
    world = world_of(name)
    merge = run(world, 3, -5, 7, 2, 4)
    update = commit_of(world, merge).parents[1]
    reverts = Revert(kind=RevertKind.CONTRIBUTOR, commit=merge, update=update)
    world.advance(MoveKind.REVERT, world.make_revert(reverts))

    assert "has no separable terms" in fault(world).reason


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_whole_merge_can_be_taken_back(name):
    world = world_of(name)
    before = world.head()[2]
    merge = run(world, 3, -5, 7, 2, 4)
    reverts = Revert(kind=RevertKind.MERGE, commit=merge)
    world.advance(MoveKind.REVERT, world.make_revert(reverts))

    verify(world)
    assert world.head()[2] == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": 99}, "there is no strategy 99"),
        ({"strategy_params": bytes(64)}, "tau: must be a number from"),
        ({"strategy_params": bytes([255]) * 64}, "last parameter are not zero"),
    ],
)
def test_a_policy_that_no_strategy_fits_is_named(changes, words):
    world = World(params=replace(params_of("fedadam"), **changes))
    world.publish_root()
    push_all(world, 1, 2)
    head, head_commit, _ = world.head()
    updates = sorted(u.commit_id for u in world.live.accepted())
    world.finalize(
        world.put_commit(
            OWNER,
            kind=CommitKind.MERGE,
            parents=(head, *updates),
            policy=world.policy_digest,
            round_index=world.live.round_index,
            strategy=replace(_record(), weights=(1, 2)),
            weights=head_commit.weights,
            events=world.event_list(head_commit, world.live.frozen_seq),
        ),
        by=OWNER,
    )

    assert words in fault(world).reason


def _record():
    world = world_of("fedavg")
    return commit_of(world, run(world, 1, 2)).strategy


@pytest.mark.parametrize("name", STRATEGIES)
def test_zeros_everywhere_leave_the_integers(name):
    world = world_of(name)
    before = world.head()[2]
    run(world, 0, 0, 0, 0, 0)

    verify(world)
    after = world.head()[2].by_name()
    for entry in before.tensors:
        assert after[entry.name].digest == entry.digest


def test_the_order_of_arrival_does_not_matter():
    world = world_of("krum")
    base = world.head()[2]
    shared = [e for e in base.tensors if e.role is not Role.FROZEN]
    numbers = np.random.default_rng(5)
    updates = []
    for contributor in range(1, 7):
        values = {
            e.name: numbers.integers(-9, 9, e.shape).astype(np.int16) for e in shared
        }
        updates.append((1, make_delta(world.store, values, contributor=contributor)))
    for name in STRATEGIES:
        choice = choice_of(params_of(name))
        results = {
            repr(merge_weights(world.store, base, order, choice, world.store))
            for order in (updates, updates[::-1], updates[3:] + updates[:3])
        }
        assert len(results) == 1
