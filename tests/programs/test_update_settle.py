import pytest
from program_harness.call import CONFIG, wallet
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import (
    ABORTED,
    CLOSED,
    OPEN,
    PENDING,
    POINTS,
    SNAPSHOT,
    digest,
    ordered,
)
from program_harness.world import Place, make_place

# There is no branch beside it that the round could contradict.
RULES = Rules(errors={"sibling-round": "UpdateMismatch"})


def scene(place: Place):
    """Two updates, so that the round stays when the first goes."""
    return place.merged().update_settle("a", 1)


def last(place: Place):
    """The second of two updates, so that the round goes with it."""
    place.merged()
    place.chain.send(place.update_settle("b", 1))
    return place.update_settle("a", 1)


@refusals("update_settle", scene, RULES)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals("update_settle", last, RULES)
def test_refuses_wrong_accounts_at_the_last_update(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_the_contribution_of_another():
    place = make_place()
    call = scene(place).with_accounts(contribution=place.find_contribution("b"))

    place.chain.expect_refusal(call, "AccountMismatch")


@pytest.mark.parametrize("state", [OPEN, CLOSED, ABORTED])
def test_refuses_a_round_that_was_not_merged(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.find_round(1), state=state)

    place.chain.expect_refusal(call, "RoundNotMerged")


def test_refuses_before_the_merge():
    place = make_place().proposed()

    place.chain.expect_refusal(place.update_settle("a"), "RoundNotMerged")


def test_refuses_a_round_that_the_head_left_behind():
    place = make_place().accumulated()
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))

    place.chain.expect_refusal(place.update_settle("a", 1), "RoundNotMerged")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


@pytest.mark.parametrize("name", ["merges", "points"])
def test_refuses_when_the_contributors_counts_are_at_their_end(name: str):
    place = make_place()
    call = scene(place)
    full = {"merges": 2**64 - 1, "points": 2**128 - 1}[name]
    place.chain.edit(place.find_contribution("a"), **{name: full}, updates=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_when_the_repositorys_points_are_at_their_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, points_total=2**128 - POINTS // 2)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize(("name", "value"), [("n_live", 0), ("n_settled", 2**16 - 1)])
def test_refuses_when_a_count_of_the_round_is_at_its_end(name: str, value: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.find_round(1), **{name: value})

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def settle(place: Place, who: str, points: int, *, merged: int, is_last: bool) -> None:
    """Settles an update of round 1 and checks what changes."""
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    call = place.update_settle(who, 1)
    update, round_address = call.accounts["update"], place.find_round(1)
    payers = [place.payer.pubkey(), wallet("round payer").pubkey()]
    old, round_before = chain.read(update), place.round_state(1)
    repo, contribution = (
        chain.read(place.repo),
        chain.read(place.find_contribution(who)),
    )
    held = [chain.lamports(update), chain.lamports(round_address) if is_last else 0]
    before = [chain.lamports(payer) for payer in payers]

    event = chain.act(call, place.repo, place.anyone)

    assert event == (
        "UpdateSettled",
        {
            "branch": place.branch,
            "round_index": 1,
            "contributor": wallet(who).pubkey(),
            "commit_id": old.commit_id,
            "merged": merged,
            "points": points,
        },
    )
    assert not chain.exists(update)
    gained = [
        chain.lamports(payer) - old for payer, old in zip(payers, before, strict=True)
    ]
    assert gained == held
    contribution.merges += merged
    contribution.points += points
    assert chain.read(place.find_contribution(who)) == contribution
    assert chain.read(place.repo).points_total == repo.points_total + points
    assert chain.exists(round_address) is not is_last
    if not is_last:
        round_before.n_live -= 1
        round_before.n_settled += 1
        assert place.round_state(1) == round_before


def test_credits_each_merged_update_and_closes_the_round_with_the_last():
    place = make_place().merged({"a": 8, "b": 2, "c": 2})

    settle(place, "c", POINTS // 3, merged=1, is_last=False)
    settle(place, "a", POINTS // 3, merged=1, is_last=False)
    settle(place, "b", POINTS // 3, merged=1, is_last=True)
    assert place.chain.read(place.repo).points_total == 3 * (POINTS // 3)


def test_credits_nothing_for_a_rejected_update():
    place = make_place().closed({"a": 8, "b": 2, "c": 2})
    chain = place.chain
    chain.send(place.update_reject("a"))
    chain.send(place.merge_accumulate(ordered({"b": 2, "c": 2})))
    chain.send(place.merge_propose())
    chain.wait(600)
    chain.send(place.merge_finalize())

    settle(place, "a", 0, merged=0, is_last=False)
    settle(place, "b", POINTS // 2, merged=1, is_last=False)
    settle(place, "c", POINTS // 2, merged=1, is_last=True)


def test_credits_nothing_for_an_update_that_was_never_accumulated():
    place = make_place().merged()
    place.chain.edit(place.find_update("a", 1), status=PENDING)

    settle(place, "a", 0, merged=0, is_last=False)


def test_settles_beside_the_next_live_round():
    place = make_place().merged()
    place.chain.send(place.round_open(), place.update_push("a"))

    settle(place, "a", POINTS // 2, merged=1, is_last=False)
    assert place.chain.read(place.find_contribution("a")).updates == 2


def test_adds_to_points_earned_before():
    place = make_place().merged()
    place.chain.edit(place.find_contribution("a"), points=2**100, merges=5, updates=9)
    place.chain.edit(place.repo, points_total=2**101)

    settle(place, "a", POINTS // 2, merged=1, is_last=False)
