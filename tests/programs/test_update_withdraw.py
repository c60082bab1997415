import pytest
from program_harness.call import CONFIG, Call
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import (
    ABORTED,
    ACCEPTED,
    ACCUMULATED,
    CLOSED,
    MERGED,
    PENDING,
    REJECTED,
    SNAPSHOT,
    digest,
)
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.opened(["a", "b"]).update_withdraw("a")


def pushed_by_machine(place: Place) -> Call:
    """A machine takes back what it pushed for a wallet."""
    place.opened(["b"])
    # Another branch of the repository is served by the same delegation.
    if not place.chain.exists(place.find_delegation("a", "machine")):
        place.chain.send(place.delegation_create("a", "machine"))
    place.chain.send(place.update_push("a", by="machine"))
    return place.update_withdraw("a").signed_by(actor=place.chain.party("machine"))


@refusals("update_withdraw", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals("update_withdraw", pushed_by_machine, Rules(only="update"))
def test_refuses_wrong_updates_of_a_machine(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("who", ["b", "payer", "owner", "m2", "anyone"])
def test_refuses_whoever_is_neither_contributor_nor_signer(who: str):
    place = make_place()
    call = pushed_by_machine(place)
    # It may push for the wallet, but did not push this.
    place.chain.send(place.delegation_create("a", "m2"))

    place.chain.expect_refusal(
        call.signed_by(actor=place.chain.party(who)), "NotContributor"
    )


def test_refuses_a_machine_for_what_the_wallet_pushed_itself():
    place = make_place()
    call = scene(place)
    place.chain.send(place.delegation_create("a", "machine"))

    place.chain.expect_refusal(
        call.signed_by(actor=place.chain.party("machine")), "NotContributor"
    )


def test_refuses_the_signer_of_another_update():
    place = make_place()
    call = pushed_by_machine(place)

    place.chain.expect_refusal(
        call.with_accounts(update=place.find_update("b")), "NotContributor"
    )


def test_names_a_stranger_before_the_round():
    place = make_place().closed()
    call = place.update_withdraw("a").signed_by(actor=place.anyone)

    place.chain.expect_refusal(call, "NotContributor")


@pytest.mark.parametrize("receiver", ["machine", "a"])
def test_refuses_the_rent_for_machine_or_wallet_where_another_paid(receiver: str):
    place = make_place()
    call = pushed_by_machine(place)

    place.chain.expect_refusal(
        call.with_accounts(rent_payer=place.chain.party(receiver).pubkey()),
        "RentPayerMismatch",
    )


def test_refuses_an_update_of_another_contributor():
    place = make_place()
    call = scene(place).with_accounts(update=place.find_update("b"))

    place.chain.expect_refusal(call, "NotContributor")


def test_refuses_the_authority():
    place = make_place()
    call = scene(place).signed_by(actor=place.owner)

    place.chain.expect_refusal(call, "NotContributor")


@pytest.mark.parametrize("state", [CLOSED, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_open(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundClosed")


def test_refuses_after_round_close():
    place = make_place().closed()

    place.chain.expect_refusal(place.update_withdraw("a"), "RoundClosed")


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


def test_refuses_a_rejected_update():
    place = make_place()
    call = scene(place)
    place.chain.send(place.update_reject("a"))

    place.chain.expect_refusal(call, "UpdateStatus")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


@pytest.mark.parametrize(
    ("name", "value"), [("n_live", 0), ("n_accepted", 0), ("weight_sum", 0)]
)
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


def withdraw(place: Place, by: str = "a") -> None:
    """Withdraws `a` and checks what changes."""
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    call = place.update_withdraw("a").signed_by(actor=chain.party(by))
    update, payer = call.accounts["update"], place.payer.pubkey()
    old, round_before = chain.read(update), place.round_state()
    held, before = chain.lamports(update), chain.lamports(payer)

    event = chain.act(call, place.repo, chain.party(by))

    assert event == (
        "UpdateWithdrawn",
        {
            "branch": place.branch,
            "round_index": 1,
            "contributor": chain.party("a").pubkey(),
            "commit_id": old.commit_id,
        },
    )
    assert not chain.exists(update)
    assert chain.lamports(payer) - before == held
    round_before.n_live -= 1
    if old.status == ACCEPTED:
        round_before.n_accepted -= 1
        round_before.weight_sum -= old.weight
    assert place.round_state() == round_before


def test_withdraws_and_gives_rent_and_deposit_back():
    withdraw(make_place().opened({"a": 8, "b": 2}))


@pytest.mark.parametrize("by", ["a", "machine"])
def test_wallet_and_machine_withdraw_what_the_machine_pushed(by: str):
    place = make_place()
    pushed_by_machine(place)

    withdraw(place, by)


def test_a_machine_withdraws_after_its_delegation_expired():
    place = make_place()
    pushed_by_machine(place)
    place.chain.edit(place.find_delegation("a", "machine"), expires_at=1)

    withdraw(place, "machine")


def test_withdraws_an_update_that_waits_for_its_proof():
    place = make_place().opened({"a": 8, "b": 2})
    place.chain.edit(place.find_update("a"), status=PENDING)
    place.chain.edit(place.round, n_accepted=1, weight_sum=2)

    withdraw(place)


def test_withdraws_after_the_deadline_while_the_round_is_open():
    place = make_place().opened({"a": 8, "b": 2})
    place.chain.wait(1_000_000)

    withdraw(place)


def test_a_contributor_may_push_anew_after_withdrawing():
    place = make_place()
    call = scene(place)

    place.chain.send(call, place.update_push("a", weight=4, commit="better"))

    assert place.chain.read(place.find_update("a")).commit_id == digest("better")
    assert place.chain.read(place.find_contribution("a")).updates == 2
    assert place.round_state().weight_sum == 5
