"""The merge commit follows from the round alone, and verification accepts it."""

import json

import pytest
from history_world import BOT, SITES, World

from flair_aggregator.merge import make_merge
from flair_aggregator.round import Fault
from flair_aggregator.verify import examine_update
from flair_client.encoding import decode_commit
from flair_client.history.verify import gather_evidence, verify_branch, walk_verified
from flair_client.history.verify_move import terms_of
from flair_client.ids import Digest
from flair_client.objects import Training
from flair_client.porcelain.update import RejectReason


@pytest.fixture
def world():
    world = World()
    world.publish_root()
    return world


def merge(world):
    evidence = gather_evidence(world, world.store, world.repo_address, "main").evidence
    *_, (_, head) = walk_verified(evidence)
    live = evidence.history.branches[world.main].live_round
    return make_merge(evidence, live, head, BOT)


def test_merge_is_the_same_again_and_checks(world):
    world.begin_round(3, -5, 7)

    first = merge(world)
    world.now += 100
    again = merge(world)
    world.finalize(first)

    assert first == again
    assert verify_branch(world, world.store, world.repo_address, "main").head == first
    report = json.loads(
        world.store.get(decode_commit(world.store.get(first.cid)).report)
    )
    assert [row["weight"] for row in report["updates"]].count(4) == 1
    # 8 values of 7 each.
    assert {row["norm_sq"] for row in report["updates"]} == {"72", "200", "392"}
    assert not any(row["is_outlier"] for row in report["updates"])


def test_report_names_outliers(world):
    world.begin_round(3, -3, 3, 300)

    report = json.loads(
        world.store.get(decode_commit(world.store.get(merge(world).cid)).report)
    )

    assert [row["norm_sq"] for row in report["updates"] if row["is_outlier"]] == [
        str(8 * 300**2)
    ]


@pytest.mark.parametrize(
    ("changes", "reason", "is_final"),
    [
        ({"round_index": 9}, RejectReason.BASE, True),
        ({"delta_fields": {"norm_sq": 10**10}}, RejectReason.NORM, True),
        ({"delta_terms": {"scale_exp": -11}}, RejectReason.MALFORMED, True),
        ({"ints": {}}, RejectReason.SHAPE, True),
    ],
)
def test_unsound_update_gets_its_public_reason(world, changes, reason, is_final):
    world.open_round()
    world.push(SITES[0], 3, **changes)

    found = examine(world)

    assert isinstance(found, Fault)
    assert (found.reason_code, found.is_final) == (reason, is_final)


def test_missing_blocks_may_still_come(world):
    world.open_round()
    pushed = world.put_update(SITES[0], 3)
    commit = decode_commit(world.store.get(pushed["commit_id"].cid))
    world.store.delete(commit.delta)
    world.push(SITES[0], pushed=pushed)

    found = examine(world)

    assert isinstance(found, Fault)
    assert (found.reason_code, found.is_final) == (RejectReason.MISSING, False)


def test_sound_update_has_no_fault(world):
    world.open_round()
    world.push(SITES[0], 3)

    _, delta = examine(world)

    assert Digest(bytes(32)) != delta.policy


def examine(world):
    history = world.history
    live = history.branches[world.main].live_round
    (update,) = live.accepted()
    return examine_update(world.store, terms_of(history, live), update, world.head()[2])


def test_report_sums_up_what_the_sites_state(world):
    world.open_round()
    stated = [(64, {"auc": 0.9, "log_loss": 0.2}), (16, {"auc": 0.7})]
    for site, step, (samples, metrics) in zip(SITES, (3, 5), stated, strict=False):
        training = Training(samples_bucket=samples, epochs=1, framework="numpy")
        world.push(site, step, training=training, metrics=metrics)
    world.close_round()
    world.accumulate()

    made = merge(world)

    assert made == merge(world)
    report = json.loads(
        world.store.get(decode_commit(world.store.get(made.cid)).report)
    )
    auc, loss = report["metrics"]
    assert (auc["name"], auc["n_sites"], auc["n_samples"]) == ("auc", 2, 80)
    assert auc["mean"] == pytest.approx(0.86)
    assert (auc["worst"], auc["worst_site"]) == (0.7, str(SITES[1].address))
    assert auc["spread"] == pytest.approx(0.2)
    assert (loss["n_sites"], loss["lower_is_better"]) == (1, True)


def test_nobody_fills_the_report_with_names_of_its_own(world):
    world.open_round()
    own = [{f"{site}-{n:02}": 1.0 for n in range(63)} for site in "ab"]
    for site, step, metrics in zip(SITES, (3, 5), own, strict=False):
        world.push(site, step, metrics={**metrics, "zeta": 0.5})
    world.close_round()
    world.accumulate()

    report = json.loads(
        world.store.get(decode_commit(world.store.get(merge(world).cid)).report)
    )

    assert len(report["metrics"]) == 64
    assert report["metrics"][0]["name"] == "zeta"
