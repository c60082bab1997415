from fractions import Fraction

import pytest
from program_harness.call import CONFIG
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import (
    ABORTED,
    MERGED,
    OPEN,
    POINTS,
    REVERT,
    SNAPSHOT,
    ZERO,
    digest,
    ordered,
)
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.proposed().merge_finalize()


# The policy, which stands before the round, is not the other round's.
@refusals("merge_finalize", scene, Rules(errors={"foreign-round": "PolicyMismatch"}))
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_before_every_update_is_added():
    place = make_place().closed(["a", "b", "c"])
    place.chain.send(place.merge_propose())
    place.chain.send(place.merge_accumulate(ordered(["a", "b", "c"])[:2]))
    place.chain.wait(600)

    place.chain.expect_refusal(place.merge_finalize(), "NotAllAccumulated")


def test_refuses_with_none_added():
    place = make_place().closed()
    place.chain.send(place.merge_propose())
    place.chain.wait(600)

    place.chain.expect_refusal(place.merge_finalize(), "NotAllAccumulated")


def test_refuses_fewer_than_the_minimum_after_rejections():
    place = make_place().closed()
    place.chain.send(place.update_reject("a"))
    place.chain.send(place.merge_accumulate(["b"]), place.merge_propose())
    place.chain.wait(600)

    place.chain.expect_refusal(place.merge_finalize(), "TooFewUpdates")


def test_refuses_when_every_update_was_rejected():
    place = make_place().closed()
    place.chain.send(place.update_reject("a"), place.update_reject("b"))
    place.chain.send(place.merge_propose())
    place.chain.wait(600)

    place.chain.expect_refusal(place.merge_finalize(), "TooFewUpdates")


def test_refuses_before_the_challenge_time_has_passed():
    place = make_place().accumulated()
    place.chain.send(place.merge_propose())
    place.chain.wait(599)

    place.chain.expect_refusal(place.merge_finalize(), "ChallengeOpen")


def test_refuses_a_challenge_beyond_the_end_of_time():
    place = make_place()
    call = scene(place)
    place.chain.edit(call.accounts["candidate"], proposed_at=2**63 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("state", [OPEN, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_closed(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundNotClosed")


@pytest.mark.parametrize("reopened", [False, True])
def test_refuses_a_round_that_the_head_left_behind(reopened: bool):
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    if reopened:
        place.chain.send(place.round_open())
    call = call.with_arguments(expected_head=digest("next"), expected_seq=2)

    place.chain.expect_refusal(call, "RoundNotLive")


@pytest.mark.parametrize(
    "seen",
    [
        {"expected_head": digest("another")},
        {"expected_head": ZERO},
        {"expected_seq": 0},
        {"expected_seq": 2},
    ],
)
def test_refuses_a_stale_head_or_sequence(seen):
    place = make_place()
    call = scene(place).with_arguments(**seen)

    place.chain.expect_refusal(call, "HeadMoved")


@pytest.mark.parametrize(
    "changes", [{"head_commit": digest("another")}, {"head_seq": 7}]
)
def test_refuses_a_head_that_is_not_the_rounds_base(changes):
    place = make_place()
    scene(place)
    place.chain.edit(place.branch, **changes)

    # Head and sequence are as expected, but the round began elsewhere.
    place.chain.expect_refusal(place.merge_finalize(), "HeadMoved")


def test_refuses_a_candidate_of_another_round_of_the_branch():
    place = make_place().proposed()
    old = place.find_candidate(digest("merge"))
    place.chain.send(place.branch_advance(REVERT, digest("back")))
    place.proposed()
    call = place.merge_finalize().with_accounts(candidate=old)

    place.chain.expect_refusal(call, "AccountMismatch")


def test_refuses_another_receiver_of_the_rent():
    place = make_place()
    call = scene(place).with_accounts(candidate_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


def test_refuses_another_policy_of_the_repository():
    place = make_place()
    call = scene(place)
    place.chain.send(place.policy_create(challenge_s=0))

    place.chain.expect_refusal(
        call.with_accounts(policy=place.find_policy(1)), "PolicyMismatch"
    )


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


def test_refuses_a_second_candidate_after_the_merge():
    place = make_place().accumulated()
    place.chain.send(place.merge_propose("one"), place.merge_propose("two"))
    place.chain.wait(600)
    late = place.merge_finalize("two")
    place.chain.send(place.merge_finalize("one"))

    place.chain.expect_refusal(
        late.with_arguments(expected_head=digest("one"), expected_seq=2), "RoundNotLive"
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=16)

    place.chain.expect_refusal(call, "Paused")


@pytest.mark.parametrize("full", ["event_seq", "head_seq", "round_index"])
def test_refuses_when_a_count_is_at_its_end(full: str):
    place = make_place().rooted()
    end = 2**64 - 1
    if full != "event_seq":
        place.chain.edit(place.branch, **{full: end})
    call = scene(place)
    if full == "event_seq":
        place.chain.edit(place.repo, event_seq=end)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize(
    ("weights", "eta"),
    [
        ({"a": 1, "b": 1}, 1 << 24),
        ({"a": 1, "b": 2}, 1 << 24),
        ({"a": 64, "b": 32, "c": 32, "d": 1}, (1 << 26) - 1),
        # Halves: 1/2 goes to 0, 3/2 to 2, 5/2 to 2.
        ({"a": 1, "b": 1}, 1),
        ({"a": 1, "b": 1}, 3),
        ({"a": 1, "b": 1}, 5),
        ({"a": 2, "b": 1}, 7),
    ],
)
def test_moves_the_head_and_ends_the_round(weights: dict[str, int], eta: int):
    place = make_place(params={"eta_q24": eta}).proposed(weights)
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~16)
    call = place.merge_finalize()
    candidate, payer = call.accounts["candidate"], place.payer.pubkey()
    branch, state = chain.read(place.branch), place.round_state()
    held, before = chain.lamports(candidate), chain.lamports(payer)

    event = chain.act(call, place.repo, place.anyone)

    total = sum(weights.values())
    assert event == (
        "MergeFinalized",
        {
            "branch": place.branch,
            "round_index": 1,
            "commit_id": digest("merge"),
            "old_head": digest("root"),
            "new_seq": 2,
            "n_accepted": len(weights),
            "weight_sum": total,
            # Fractions round half to even.
            "lambda": round(Fraction(eta, total)),
            "update_root": state.update_root,
        },
    )
    vars(branch).update(
        head_commit=digest("merge"), head_seq=2, round_live=0, round_index=2
    )
    assert chain.read(place.branch) == branch
    vars(state).update(
        state=MERGED,
        merge_commit=digest("merge"),
        points_each=POINTS // len(weights),
    )
    assert place.round_state(1) == state
    assert not chain.exists(candidate)
    assert chain.lamports(payer) - before == held


@pytest.mark.parametrize(
    ("points", "each"), [(0, 0), (1, 0), (3, 1), (2**64 - 1, 2**63 - 1)]
)
def test_divides_the_points_downwards(points: int, each: int):
    place = make_place().rooted()
    place.chain.edit(place.repo, points_per_merge=points)

    place.merged()

    assert place.round_state(1).points_each == each


def test_finalizes_without_challenge_time_at_once():
    place = make_place(params={"challenge_s": 0}).accumulated()

    place.chain.send(place.merge_propose(), place.merge_finalize())

    assert place.head == digest("merge")


def test_the_rounds_policy_decides_when_the_branch_has_another():
    place = make_place().proposed()
    place.chain.send(place.policy_create(min_updates=4), place.branch_set_policy(1))

    place.chain.send(place.merge_finalize())


def test_a_protected_branch_merges_like_any_other():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.branch, protected=1)

    place.chain.send(call)
