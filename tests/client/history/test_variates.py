"""A contributor's variate of SCAFFOLD, worked out from the history alone."""

from dataclasses import replace

import numpy as np
import pytest
from history_world import BOT, OWNER, PARAMS, SITES, STRANGER, World
from member_events import delegate
from strategy_params import params_of

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind
from flair_client.errors import BlockMissing, ObjectInvalid
from flair_client.history.graph import read_commit
from flair_client.history.variates import own_line, own_tensor, server_tensor
from flair_client.history.verify_weights import read_manifest
from flair_client.objects import CommitKind, Revert, RevertKind

UNIT = 2.0**PARAMS.scale_exp
RATE = 0.5


def scaffold(**given):
    return params_of("scaffold", **({"rate": RATE, "contributors": 4} | given))


@pytest.fixture
def world():
    made = World(params=scaffold())
    made.publish_root()
    return made


def round_of(world, **steps):
    """Sites push these steps and the round is merged."""
    world.open_round()
    for name, step in steps.items():
        world.push(SITES[int(name[1:])], step)
    world.close_round()
    world.accumulate()
    return world.finalize(world.make_merge(OWNER), by=OWNER)


def variate(world, site, known=()):
    head, _, manifest = world.head()
    entry = manifest.by_name()["bias"]
    line = own_line(world.store, head, site.address, known)
    return float(own_tensor(world.store, line, entry, None).reshape(-1)[0]), line


def server(world):
    _, commit, manifest = world.head()
    state = read_manifest(world.store, commit.strategy_state)
    tensor = server_tensor(world.store, state, manifest.by_name()["bias"])
    return float(tensor.reshape(-1)[0])


def test_it_moves_with_each_merged_update_by_the_papers_formula(world):
    round_of(world, s0=8, s1=4)
    # c was 0: c_0 = -8 / rate and so on; the mean of four is c = -6 / rate / 2.
    assert variate(world, SITES[0])[0] == -8 * UNIT / RATE
    assert variate(world, SITES[1])[0] == -4 * UNIT / RATE
    assert server(world) == -3 * UNIT / RATE

    round_of(world, s0=2, s2=6)
    # c_0 - c - 2 / rate, and c_2 begins at 0.
    assert variate(world, SITES[0])[0] == (-8 + 3 - 2) * UNIT / RATE
    assert variate(world, SITES[1])[0] == -4 * UNIT / RATE
    assert variate(world, SITES[2])[0] == (3 - 6) * UNIT / RATE
    own = [variate(world, site)[0] for site in SITES]
    assert server(world) == pytest.approx(np.mean(own), abs=1e-15)


def test_an_update_that_was_rejected_or_taken_back_leaves_no_trace(world):
    round_of(world, s0=8, s1=4)
    before = variate(world, SITES[0])[0]
    world.open_round()
    pushed = {site: world.push(site, 100) for site in SITES}
    for site, event, by, more in (
        (SITES[0], ev.UpdateRejected, OWNER, {"reason": 1}),
        (SITES[3], ev.UpdateWithdrawn, SITES[3], {}),
    ):
        world.emit(
            event,
            by,
            branch=world.main,
            round_index=world.live.round_index,
            contributor=site.address,
            commit_id=pushed[site],
            **more,
        )
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(OWNER), by=OWNER)

    assert variate(world, SITES[0])[0] == before
    assert variate(world, SITES[3])[0] == 0.0
    assert variate(world, SITES[1])[0] != -4 * UNIT / RATE


def test_from_a_merge_at_which_it_is_known_only_newer_ones_are_read(world):
    first = round_of(world, s0=8, s1=4)
    round_of(world, s0=2, s1=2)

    _, line = variate(world, SITES[0], {first})

    assert line.since == first
    assert [step.delta.contributor for step in line.steps] == [SITES[0].address]
    head = world.head()[0]
    assert own_line(world.store, head, SITES[0].address, {head}).steps == ()


def test_somebody_who_never_took_part_has_zeros(world):
    round_of(world, s0=8, s1=4)

    found, line = variate(world, STRANGER)

    assert (found, line.steps, line.since) == (0.0, (), None)


@pytest.mark.parametrize("kind", ["revert", "snapshot"])
def test_it_begins_anew_where_the_servers_does(world, kind):
    first = round_of(world, s0=8, s1=4)
    if kind == "revert":
        reverts = Revert(kind=RevertKind.MERGE, commit=first)
        world.advance(MoveKind.REVERT, world.make_revert(reverts))
    else:
        head, head_commit, manifest = world.head()
        snapshot = world.put_commit(
            OWNER,
            kind=CommitKind.SNAPSHOT,
            parents=(head,),
            weights=world.put_manifest(manifest),
            events=world.event_list(head_commit),
        )
        world.advance(MoveKind.SNAPSHOT, snapshot)

    assert variate(world, SITES[0]) == (0.0, variate(world, SITES[0])[1])
    assert variate(world, SITES[0], {first})[1].since is None
    round_of(world, s0=1, s1=1)
    assert variate(world, SITES[0])[0] == -1 * UNIT / RATE


def test_other_strategies_have_none():
    world = World(params=params_of("fedavg"))
    world.publish_root()
    round_of(world, s0=8, s1=4)

    assert variate(world, SITES[0])[1].steps == ()


def test_an_update_by_a_machine_key_belongs_to_its_wallet(world):
    delegate(world, SITES[0], BOT)
    world.open_round()
    world.push(SITES[0], 8, by=BOT)
    world.push(SITES[1], 4)
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(OWNER), by=OWNER)

    assert variate(world, SITES[0])[0] == -8 * UNIT / RATE
    assert variate(world, BOT)[0] == 0.0


def test_an_update_that_is_gone_is_named(world):
    merge = round_of(world, s0=8, s1=4)
    first = min(read_commit(world.store, merge).parents[1:])
    world.store.delete(first.cid)

    with pytest.raises(BlockMissing):
        variate(world, STRANGER)


def test_a_merge_without_a_rate_is_named(world):
    world.open_round()
    world.push(SITES[0], 8)
    world.push(SITES[1], 8)
    world.close_round()
    world.accumulate()
    merge = read_commit(world.store, world.make_merge(OWNER))
    record = replace(merge.strategy, params={"eta_q24": 1, "lambda": 1})
    world.finalize(world.make_merge(OWNER, strategy=record), by=OWNER)

    with pytest.raises(ObjectInvalid, match="rate_q48 is missing"):
        variate(world, SITES[0])


def test_a_state_without_the_tensor_is_named(world):
    round_of(world, s0=8, s1=4)
    _, commit, manifest = world.head()
    state = read_manifest(world.store, commit.strategy_state)
    entry = replace(manifest.by_name()["bias"], name="other")

    with pytest.raises(ObjectInvalid, match="holds no variate of 'other'"):
        server_tensor(world.store, state, entry)
