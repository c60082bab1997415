import pytest
from program_harness.call import CONFIG, wallet
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import ABORTED, MERGED, SNAPSHOT, digest
from program_harness.world import Place, make_place

GRACE = 600 + 7200  # challenge_s + merge_grace_s


def scene(place: Place):
    place.opened(["a"])
    place.chain.wait(3600)
    return place.round_abort()


# The policy, which stands before the round, is not the other round's.
@refusals("round_abort", scene, Rules(errors={"foreign-round": "PolicyMismatch"}))
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_an_open_round_before_its_deadline():
    place = make_place().opened()
    place.chain.wait(3599)

    place.chain.expect_refusal(place.round_abort(), "RoundNotAbortable")


def test_refuses_an_open_round_with_enough_updates():
    place = make_place().opened(["a", "b"])
    place.chain.wait(1_000_000)

    place.chain.expect_refusal(place.round_abort(), "RoundNotAbortable")


def test_refuses_a_closed_round_before_the_grace_has_passed():
    place = make_place().closed()
    place.chain.wait(GRACE - 1)

    place.chain.expect_refusal(place.round_abort(), "RoundNotAbortable")


@pytest.mark.parametrize("state", [MERGED, ABORTED])
@pytest.mark.parametrize("live", [True, False])
def test_refuses_a_round_that_is_over(state: int, live: bool):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)
    if not live:
        place.chain.edit(place.branch, round_live=0)

    error = "RoundMerged" if state == MERGED else "RoundNotLive"
    place.chain.expect_refusal(call, error)


def test_refuses_a_merged_round():
    place = make_place().merged()

    place.chain.expect_refusal(place.round_abort(1), "RoundMerged")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, "RoundNotLive", before=[call])


def test_refuses_another_receiver_of_the_rent():
    place = make_place().opened()
    place.chain.wait(3600)
    call = place.round_abort().with_accounts(round_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


def test_refuses_another_receiver_even_where_no_rent_goes_back():
    place = make_place()
    call = scene(place).with_accounts(round_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


def test_refuses_another_policy_of_the_repository():
    place = make_place()
    call = scene(place)
    place.chain.send(place.policy_create(min_updates=4))

    place.chain.expect_refusal(
        call.with_accounts(policy=place.find_policy(1)), "PolicyMismatch"
    )


@pytest.mark.parametrize("full", ["event_seq", "round_index"])
def test_refuses_when_a_count_is_at_its_end(full: str):
    place = make_place()
    if full == "event_seq":
        call = scene(place)
        place.chain.edit(place.repo, event_seq=2**64 - 1)
    else:
        place.rooted()
        place.chain.edit(place.branch, round_index=2**64 - 1)
        call = scene(place)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("left", [0, 600, GRACE - 1])  # 600: challenge_s
def test_refuses_a_grace_beyond_the_end_of_time(left: int):
    place = make_place().closed()
    place.chain.edit(place.round, closed_at=2**63 - 1 - left)

    place.chain.expect_refusal(place.round_abort(), "Overflow")


def expect_end(place: Place, event, reason: int, index: int = 1) -> None:
    assert event == (
        "RoundAborted",
        {"branch": place.branch, "round_index": index, "reason": reason},
    )
    branch = place.chain.read(place.branch)
    assert (branch.round_live, branch.round_index) == (0, index + 1)


def test_aborts_for_too_few_updates_and_keeps_the_round_for_them():
    place = make_place()
    call = scene(place)
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    before, branch = place.round_state(), chain.read(place.branch)

    event = chain.act(call, place.repo, place.anyone)

    expect_end(place, event, 1)
    before.state = ABORTED
    assert place.round_state(1) == before
    vars(branch).update(round_live=0, round_index=2)
    assert chain.read(place.branch) == branch


def test_aborts_an_empty_round_and_gives_its_rent_back_at_once():
    place = make_place().opened()
    chain = place.chain
    chain.wait(3600)
    payer = wallet("round payer").pubkey()
    held, before = chain.lamports(place.round), chain.lamports(payer)

    event = chain.act(place.round_abort(), place.repo, place.anyone)

    expect_end(place, event, 1)
    assert not chain.exists(place.find_round(1))
    assert chain.lamports(payer) - before == held


def test_keeps_the_round_while_a_rejected_update_is_left():
    place = make_place().opened(["a"])
    place.chain.send(place.update_reject("a"))
    place.chain.wait(3600)

    place.chain.send(place.round_abort())

    assert place.round_state(1).n_live == 1


def test_aborts_a_closed_round_after_the_grace():
    place = make_place().closed()
    place.chain.wait(GRACE)

    event = place.chain.act(place.round_abort(), place.repo, place.anyone)

    expect_end(place, event, 2)
    assert place.round_state(1).state == ABORTED


@pytest.mark.parametrize("closed", [False, True])
def test_aborts_a_round_that_the_head_left_behind(closed: bool):
    place = make_place()
    chain = place.chain
    place = place.closed() if closed else place.opened(["a", "b"])
    chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    branch = chain.read(place.branch)

    event = chain.act(place.round_abort(1), place.repo, place.anyone)

    expect_end(place, event, 3)
    assert place.round_state(1).state == ABORTED
    assert chain.read(place.branch) == branch


def test_aborts_an_old_round_beside_the_live_one():
    place = make_place().opened()
    chain = place.chain
    chain.send(place.branch_advance(SNAPSHOT, digest("next")), place_open(place, 2))
    branch = chain.read(place.branch)

    event = chain.act(place.round_abort(1), place.repo, place.anyone)

    assert event[1]["reason"] == 3
    assert not chain.exists(place.find_round(1))
    assert chain.read(place.branch) == branch
    assert branch.round_live == 1


def place_open(place: Place, index: int):
    return place.round_open().with_accounts(round=place.find_round(index))
