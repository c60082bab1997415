import pytest
from program_harness.call import CONFIG
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import (
    ABORTED,
    ACCEPTED,
    ACCUMULATED,
    ADMINISTER,
    MERGED,
    PENDING,
    REJECTED,
    SNAPSHOT,
    digest,
)
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.opened(["a", "b"]).update_reject("a")


@refusals("update_reject", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_a_signer_who_is_not_the_authority():
    place = make_place()
    call = scene(place).signed_by(authority=place.anyone)

    place.chain.expect_refusal(call, "NotAuthority")


def test_refuses_an_administrator():
    place = make_place()
    call = scene(place)
    place.chain.send(place.role_grant("helper", ADMINISTER))

    place.chain.expect_refusal(
        call.signed_by(authority=place.chain.party("helper")), "NotAuthority"
    )


def test_refuses_the_creator_who_is_no_longer_the_authority():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, authority=place.anyone.pubkey())

    place.chain.expect_refusal(call, "NotAuthority")


def test_refuses_without_a_reason():
    place = make_place()

    place.chain.expect_refusal(scene(place).with_arguments(reason=0), "ReasonMissing")


@pytest.mark.parametrize("state", [MERGED, ABORTED])
def test_refuses_a_round_that_is_over(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundNotLive")


def test_refuses_after_the_merge():
    place = make_place().merged()
    call = place.update_reject("a").with_accounts(
        round=place.find_round(1), update=place.find_update("a", 1)
    )

    place.chain.expect_refusal(call, "RoundNotLive")


@pytest.mark.parametrize("reopened", [False, True])
def test_refuses_a_round_that_the_head_left_behind(reopened: bool):
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    if reopened:
        place.chain.send(place.round_open())

    place.chain.expect_refusal(call, "RoundNotLive")


@pytest.mark.parametrize("status", [REJECTED, ACCUMULATED])
def test_refuses_an_update_that_is_decided(status: int):
    place = make_place()
    call = scene(place)
    reason = int(status == REJECTED)
    place.chain.edit(call.accounts["update"], status=status, reject_reason=reason)

    place.chain.expect_refusal(call, "UpdateStatus")


def test_refuses_an_accumulated_update():
    place = make_place().accumulated()

    place.chain.expect_refusal(place.update_reject("a"), "UpdateStatus")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, "UpdateStatus", before=[call])


@pytest.mark.parametrize(("name", "value"), [("n_accepted", 0), ("weight_sum", 0)])
def test_refuses_when_a_count_of_the_round_would_fall_below_zero(name: str, value: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, **{name: value})

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def reject(place: Place, reason: int) -> None:
    """Rejects `a` and checks what changes."""
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    call = place.update_reject("a", reason)
    update = call.accounts["update"]
    old, round_before = chain.read(update), place.round_state()
    held = chain.lamports(update)

    event = chain.act(call, place.repo, place.owner)

    assert event == (
        "UpdateRejected",
        {
            "branch": place.branch,
            "round_index": 1,
            "contributor": chain.party("a").pubkey(),
            "commit_id": old.commit_id,
            "reason": reason,
        },
    )
    if old.status == ACCEPTED:
        round_before.n_accepted -= 1
        round_before.weight_sum -= old.weight
    vars(old).update(status=REJECTED, reject_reason=reason)
    assert chain.read(update) == old
    assert chain.lamports(update) == held
    assert place.round_state() == round_before


@pytest.mark.parametrize("reason", [1, 255])
def test_rejects_in_an_open_round(reason: int):
    reject(make_place().opened({"a": 8, "b": 2}), reason)


def test_rejects_in_a_closed_round():
    reject(make_place().closed({"a": 8, "b": 2, "c": 1}), 7)


def test_rejects_below_the_minimum():
    reject(make_place().closed({"a": 8, "b": 2}), 7)


def test_rejects_an_update_that_waits_for_its_proof():
    place = make_place().opened({"a": 8, "b": 2})
    place.chain.edit(place.find_update("a"), status=PENDING)
    place.chain.edit(place.round, n_accepted=1, weight_sum=2)

    reject(place, 1)


def test_makes_room_for_another_contributor():
    place = make_place().opened(["a", "b", "c", "d"])

    place.chain.send(place.update_reject("a"), place.update_push("e"))

    state = place.round_state()
    assert (state.n_accepted, state.n_live) == (4, 5)
