import pytest
from program_harness.call import CONFIG
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import ABORTED, CLOSED, MERGED, SNAPSHOT, digest
from program_harness.world import Place, make_place

FOUR = ["a", "b", "c", "d"]


def scene(place: Place):
    place.opened(["a", "b"])
    place.chain.wait(3600)
    return place.round_close()


# The policy, which stands before the round, is not the other round's.
@refusals("round_close", scene, Rules(errors={"foreign-round": "PolicyMismatch"}))
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_before_the_deadline_even_with_the_minimum():
    place = make_place().opened(["a", "b", "c"])
    place.chain.wait(3599)

    place.chain.expect_refusal(place.round_close(), "RoundNotReady")


@pytest.mark.parametrize("who", [[], ["a"]])
def test_refuses_below_the_minimum_after_the_deadline(who: list[str]):
    place = make_place().opened(who)
    place.chain.wait(10_000)

    place.chain.expect_refusal(place.round_close(), "RoundNotReady")


def test_refuses_when_rejections_bring_it_below_the_minimum():
    place = make_place().opened(["a", "b"])
    place.chain.send(place.update_reject("a"))
    place.chain.wait(3600)

    place.chain.expect_refusal(place.round_close(), "RoundNotReady")


def test_does_not_count_rejected_updates_for_the_maximum():
    place = make_place().opened(FOUR)
    place.chain.send(place.update_reject("a"))

    place.chain.expect_refusal(place.round_close(), "RoundNotReady")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, "RoundClosed", before=[call])


@pytest.mark.parametrize("state", [CLOSED, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_open(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundClosed")


def test_refuses_a_round_that_the_head_left_behind():
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))

    place.chain.expect_refusal(call, "RoundNotLive")


def test_refuses_an_old_round_while_a_new_one_is_live():
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    place.chain.send(place.round_open())

    place.chain.expect_refusal(call, "RoundNotLive")


def test_refuses_another_policy_of_the_repository():
    place = make_place()
    call = scene(place)
    place.chain.send(place.policy_create())

    place.chain.expect_refusal(
        call.with_accounts(policy=place.find_policy(1)), "PolicyMismatch"
    )


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize(("who", "wait"), [(["a", "b"], 3600), (FOUR, 0)])
def test_anyone_closes_at_the_deadline_or_at_the_maximum(who: list[str], wait: int):
    place = make_place().opened(dict.fromkeys(who, 8))
    chain = place.chain
    chain.wait(wait)
    chain.edit(CONFIG, pause_bits=63)
    before, branch = place.round_state(), chain.read(place.branch)

    event = chain.act(place.round_close(), place.repo, place.anyone)

    values = {"n_accepted": len(who), "weight_sum": 8 * len(who)}
    assert event == (
        "RoundClosed",
        {"branch": place.branch, "round_index": 1, **values},
    )
    vars(before).update(state=CLOSED, closed_at=chain.now, **values)
    assert place.round_state() == before
    assert chain.read(place.branch) == branch


def test_the_policy_of_the_round_decides_not_the_branchs_new_one():
    place = make_place()
    call = scene(place)
    place.chain.send(place.policy_create(min_updates=3), place.branch_set_policy(1))

    place.chain.send(call)
