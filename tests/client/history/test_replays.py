"""Reverts that make merges again without a contributor, beside worlds without it."""

from dataclasses import replace

import pytest
from history_world import BOT, OWNER, SITES, STRANGER, World
from strategy_params import params_of

from flair_client.chain.accounts import MoveKind
from flair_client.encoding import decode_commit
from flair_client.errors import UsageError, VerificationError
from flair_client.history.evidence import gather_evidence
from flair_client.history.verify import verify_branch
from flair_client.history.without import replay_without
from flair_client.objects import CommitKind, Revert, RevertKind
from flair_client.store import MemoryStore
from flair_client.strategies import STRATEGIES

PEOPLE = [*SITES, BOT, STRANGER]
ROUNDS = ((3, -5, 7, 2, 4, 1), (6, 1, 2, -3, 8, 5), (2, 2, 9, 4, -1, 3))
LEFT = PEOPLE[1]


def world_of(store, name, **given):
    made = World(store=store, params=params_of(name, **given))
    made.publish_root()
    return made


def run(world, steps, without=()):
    world.open_round()
    for n, (who, step) in enumerate(zip(PEOPLE, steps, strict=False)):
        if who not in without:
            world.push(who, step, weight=1 << n)
    world.close_round()
    world.accumulate()
    return world.finalize(world.make_merge(OWNER), by=OWNER)


def update_of(world, merge, who):
    moves = world.history.branches[world.main].moves
    (move,) = [one for one in moves if one.new_head == merge]
    return next(
        one.commit_id for one in move.round.accepted() if one.contributor == who.address
    )


def replay_of(world, merge, who=LEFT):
    return Revert(
        kind=RevertKind.REPLAY, commit=merge, update=update_of(world, merge, who)
    )


def move(world, reverts, manifest=None):
    """Moves a revert in, with these weights or those of the head."""
    made = manifest or world.head()[2]
    commit_id = world.make_revert(reverts, weights=world.put_manifest(made))
    world.advance(MoveKind.REVERT, commit_id)
    return commit_id


def verify(world):
    return verify_branch(world, world.store, world.repo_address, "main")


def fault(world):
    with pytest.raises(VerificationError) as caught:
        verify(world)
    return caught.value


def digests(manifest):
    return [(one.name, one.digest, one.fixed_digest) for one in manifest.tensors]


@pytest.mark.parametrize(
    ("name", "first"), [(name, n % 3) for n, name in enumerate(STRATEGIES)]
)
def test_the_state_is_that_of_a_world_where_it_never_took_part(name, first):
    store = MemoryStore()
    world, other = world_of(store, name), world_of(store, name)
    merges = [run(world, steps) for steps in ROUNDS]
    for n, steps in enumerate(ROUNDS):
        run(other, steps, without=(LEFT,) if n >= first else ())

    made = move(world, replay_of(world, merges[first]), other.head()[2])

    report = verify(world)
    assert report.head == made
    assert report.commits[-1].check == "recomputed"
    assert digests(world.head()[2]) != digests(world_of(store, name).head()[2])


@pytest.mark.parametrize("name", ["fedavg", "median", "fedadam"])
def test_other_weights_are_a_wrong_replay(name):
    world = world_of(MemoryStore(), name)
    merge = run(world, ROUNDS[0])
    bad = move(world, replay_of(world, merge))

    error = fault(world)

    assert error.where == f"commit {bad.short}"
    assert "is not what recomputing gives" in error.reason


@pytest.mark.parametrize("name", ["fedavgm", "krum", "scaffold"])
def test_rounds_go_on_and_another_one_can_be_left_out_as_well(name):
    store, third = MemoryStore(), PEOPLE[0]
    given = {"f": 0} if name == "krum" else {}
    world, other, both = (world_of(store, name, **given) for _ in range(3))
    first = run(world, ROUNDS[0])
    run(other, ROUNDS[0], without=(LEFT,))
    move(world, replay_of(world, first), other.head()[2])
    run(world, ROUNDS[1])

    verify(world)

    # Now somebody else from the first merge on: LEFT stays out of the first alone.
    run(both, ROUNDS[0], without=(LEFT, third))
    # Moments begin anew after a replay; a snapshot of the same does so here.
    head, head_commit, manifest = both.head()
    both.advance(
        MoveKind.SNAPSHOT,
        both.put_commit(
            OWNER,
            kind=CommitKind.SNAPSHOT,
            parents=(head,),
            weights=both.put_manifest(manifest),
            events=both.event_list(head_commit),
        ),
    )
    run(both, ROUNDS[1], without=(third,))
    move(world, replay_of(world, first, third), both.head()[2])

    verify(world)


def test_each_replay_leaves_out_from_its_own_merge_on():
    store, third = MemoryStore(), PEOPLE[0]
    world, other, both = (world_of(store, "fedavgm") for _ in range(3))
    first, second = (run(world, steps) for steps in ROUNDS[:2])
    for one, late in ((other, (LEFT,)), (both, (LEFT, third))):
        run(one, ROUNDS[0], without=(LEFT,))
        run(one, ROUNDS[1], without=late)
    move(world, replay_of(world, first), other.head()[2])

    # In the first merge the other one still counts.
    move(world, replay_of(world, second, third), both.head()[2])

    verify(world)


def repair(world, good, wrong):
    """Leaves a wrong head behind."""
    good_commit = decode_commit(world.store.get(good.cid))
    commit_id = world.put_commit(
        OWNER,
        kind=CommitKind.REVERT,
        parents=(wrong,),
        weights=good_commit.weights,
        recipe=world.put_recipe(),
        reverts=Revert(kind=RevertKind.MERGE, commit=wrong),
        events=world.event_list(good_commit),
    )
    world.advance(MoveKind.REVERT, commit_id)


def test_a_merge_that_was_never_valid_takes_no_part():
    store = MemoryStore()
    world, other = world_of(store, "median"), world_of(store, "median")
    first = run(world, ROUNDS[0])
    run(other, ROUNDS[0], without=(LEFT,))
    # Fewer than its strategy needs: it can be made by nobody.
    world.begin_round(3, 4)
    weights = world.head()[1].weights
    wrong = world.finalize(world.make_merge(weights=weights))
    repair(world, first, wrong)
    run(world, ROUNDS[1])
    run(other, ROUNDS[1], without=(LEFT,))

    move(world, replay_of(world, first), other.head()[2])

    assert [one.commit_id for one in verify(world).invalid] == [wrong]


def test_a_replay_that_was_never_valid_leaves_nobody_out():
    store, third = MemoryStore(), PEOPLE[0]
    world, other = world_of(store, "fedavg"), world_of(store, "fedavg")
    first = run(world, ROUNDS[0])
    run(other, ROUNDS[0], without=(third,))
    wrong = move(world, replay_of(world, first))
    repair(world, first, wrong)

    move(world, replay_of(world, first, third), other.head()[2])

    assert [one.commit_id for one in verify(world).invalid] == [wrong]


def test_a_contributors_only_merge_drops_out():
    store = MemoryStore()
    world, other = world_of(store, "fedavg"), world_of(store, "fedavg")
    run(world, ROUNDS[0])
    run(other, ROUNDS[0])
    alone = run(world, (0, 9), without=(PEOPLE[0],))
    run(world, ROUNDS[2])
    run(other, ROUNDS[2], without=(LEFT,))

    move(world, replay_of(world, alone), other.head()[2])

    verify(world)


def test_reverts_on_the_way_are_made_again():
    store = MemoryStore()
    world, other = world_of(store, "median"), world_of(store, "median")
    for one, without in ((world, ()), (other, (LEFT,))):
        first = run(one, ROUNDS[0], without)
        second = run(one, ROUNDS[1], without)
        whole = Revert(kind=RevertKind.MERGE, commit=second)
        one.advance(MoveKind.REVERT, one.make_revert(whole))
        run(one, ROUNDS[2], without)
        if one is world:
            merge = first

    move(world, replay_of(world, merge), other.head()[2])

    verify(world)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("krum", {"f": 1}, "needs at least 5 updates (2f + 3 for f = 1), there are 4"),
        ("median", {"f": 2}, "needs at least 5 updates (2f + 1 for f = 2)"),
        ("multi_krum", {"f": 1, "m": 2}, "(m + f + 2 for f = 1 and m = 2)"),
    ],
)
def test_where_the_bound_would_break_it_is_refused_with_the_sentence(
    name, given, words
):
    world = world_of(MemoryStore(), name, **given)
    merge = run(world, ROUNDS[0][:5])
    bad = move(world, replay_of(world, merge))

    error = fault(world)

    assert error.where == f"commit {bad.short}"
    needed = "cannot be made again without it: strategy"
    assert f"merge {merge.short} {needed}" in error.reason
    assert words in error.reason or name == "multi_krum"


def test_weights_that_came_from_elsewhere_later_are_not_made_again():
    world = world_of(MemoryStore(), "fedavg")
    merge = run(world, ROUNDS[0])
    head, head_commit, manifest = world.head()
    snapshot = world.put_commit(
        OWNER,
        kind=CommitKind.SNAPSHOT,
        parents=(head,),
        weights=world.put_manifest(manifest),
        events=world.event_list(head_commit),
    )
    world.advance(MoveKind.SNAPSHOT, snapshot)
    move(world, replay_of(world, merge))

    reason = fault(world).reason

    assert (
        reason
        == f"snapshot {snapshot.short} brought weights of its own after that merge"
    )


@pytest.mark.parametrize("again", ["replay", "contributor", "other", "merge", "later"])
def test_what_was_made_again_is_not_taken_back(again):
    store = MemoryStore()
    world, other = world_of(store, "fedavg"), world_of(store, "fedavg")
    first, second = (run(world, steps) for steps in ROUNDS[:2])
    for steps in ROUNDS[:2]:
        run(other, steps, without=(LEFT,))
    done = move(world, replay_of(world, first), other.head()[2])
    reverts = {
        "replay": replay_of(world, first),
        "later": replay_of(world, second),
        "merge": Revert(kind=RevertKind.MERGE, commit=second),
        "contributor": replace(replay_of(world, first), kind=RevertKind.CONTRIBUTOR),
        "other": replace(
            replay_of(world, second, PEOPLE[2]), kind=RevertKind.CONTRIBUTOR
        ),
    }[again]
    move(world, reverts)

    assert fault(world).reason == f"reverts what {done.short} has reverted already"


@pytest.mark.parametrize("kind", [RevertKind.MERGE, RevertKind.CONTRIBUTOR])
def test_what_was_taken_back_is_not_replayed(kind):
    world = world_of(MemoryStore(), "fedavg")
    merge = run(world, ROUNDS[0])
    reverts = replace(replay_of(world, merge), kind=kind)
    if kind is RevertKind.MERGE:
        reverts = replace(reverts, update=None)
    world.advance(MoveKind.REVERT, world.make_revert(reverts))
    move(world, replay_of(world, merge))

    assert "has reverted already" in fault(world).reason


def test_after_a_replay_new_merges_are_taken_back_as_ever():
    store = MemoryStore()
    world, other = world_of(store, "fedavg"), world_of(store, "fedavg")
    first = run(world, ROUNDS[0])
    run(other, ROUNDS[0], without=(LEFT,))
    move(world, replay_of(world, first), other.head()[2])
    before = digests(world.head()[2])
    later = run(world, ROUNDS[1])
    whole = Revert(kind=RevertKind.MERGE, commit=later)
    world.advance(MoveKind.REVERT, world.make_revert(whole))

    verify(world)

    assert digests(world.head()[2]) == before


def test_an_update_of_another_merge_is_named():
    world = world_of(MemoryStore(), "fedavg")
    first, second = (run(world, steps) for steps in ROUNDS[:2])
    reverts = replace(replay_of(world, first), update=update_of(world, second, LEFT))
    move(world, reverts)

    assert "its update that is left out is not in it" in str(fault(world))


def test_an_evaluation_without_somebody_knows_replays():
    store = MemoryStore()
    world, other = world_of(store, "fedavg"), world_of(store, "fedavg")
    first = run(world, ROUNDS[0])
    run(other, ROUNDS[0], without=(LEFT,))
    made = move(world, replay_of(world, first), other.head()[2])
    evidence = gather_evidence(world, store, world.repo_address, "main").evidence
    neither = world_of(store, "fedavg")
    run(neither, ROUNDS[0], without=(LEFT, PEOPLE[0]))

    found = replay_without(evidence, made, PEOPLE[0].address, store)
    own = replay_without(evidence, made, LEFT.address, store)

    assert digests(found.manifest) == digests(neither.head()[2])
    assert found.left_out == (update_of(world, first, PEOPLE[0]),)
    assert digests(own.manifest) == digests(world.head()[2])
    with pytest.raises(UsageError, match="holds no update"):
        replay_without(evidence, made, OWNER.address, store)


def test_a_replay_carries_no_state():
    world = world_of(MemoryStore(), "fedadam")
    merge = run(world, ROUNDS[0])
    head = decode_commit(world.store.get(merge.cid))
    commit_id = world.make_revert(
        replay_of(world, merge),
        weights=head.weights,
        strategy_state=head.strategy_state,
    )
    world.advance(MoveKind.REVERT, commit_id)

    assert "carries a strategy's state" in fault(world).reason
