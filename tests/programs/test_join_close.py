import pytest
from program_harness.call import CONFIG, Call
from program_harness.refusal import TOO_SMALL
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import ADMINISTER, CONTRIBUTE, MERGE, NO_BRANCH
from program_harness.world import Place, make_place


def for_repo(place: Place) -> Call:
    place.created()
    place.chain.send(place.join_request("a"))
    return place.join_close("a")


def for_branch(place: Place) -> Call:
    place.created()
    place.chain.send(place.join_request("a", branch=place.branch))
    return place.join_close("a")


def by_applicant(place: Place) -> Call:
    return for_repo(place).signed_by(actor=place.chain.party("a"))


REPO_USE = RoleUse(for_repo, ADMINISTER, for_branch=False)
BRANCH_USE = RoleUse(for_branch, ADMINISTER)


@refusals("join_close", for_branch)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals("join_close", by_applicant, Rules(only="request"))
def test_refuses_a_wrong_request_of_the_applicant(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(REPO_USE)
def test_refuses_a_role_that_does_not_hold_for_the_repository(spoil, error):
    check_role_refusal(REPO_USE, spoil, error, make_place())


@role_refusals(BRANCH_USE)
def test_refuses_a_role_that_does_not_hold_for_the_branch(spoil, error):
    check_role_refusal(BRANCH_USE, spoil, error, make_place())


@pytest.mark.parametrize("who", ["anyone", "payer", "b"])
def test_refuses_whoever_neither_asked_nor_administers(who: str):
    place = make_place()
    call = for_repo(place)
    # An applicant too, but of another request.
    place.chain.send(place.join_request("b"))

    place.chain.expect_refusal(
        call.signed_by(actor=place.chain.party(who)), "RoleMissing"
    )


def test_refuses_another_receiver_of_the_rent():
    place = make_place()
    call = for_repo(place)
    thief = place.chain.party("thief").pubkey()

    for actor in (place.owner, place.chain.party("a")):
        place.chain.expect_refusal(
            call.signed_by(actor=actor).with_accounts(rent_payer=thief),
            "RentPayerMismatch",
        )


def test_refuses_a_request_that_is_closed_already():
    place = make_place()
    call = for_repo(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


def test_refuses_a_closed_request_that_was_given_lamports():
    place = make_place()
    call = for_repo(place)
    place.chain.send(call)
    place.chain.svm.airdrop(call.accounts["request"], 10_000_000)

    # An account of the system program, without data.
    place.chain.expect_refusal(call, TOO_SMALL)


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = for_repo(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("of_branch", [False, True])
@pytest.mark.parametrize("who", ["owner", "a"])
def test_it_is_closed_and_the_rent_goes_back(of_branch: bool, who: str):
    place = make_place()
    call = for_branch(place) if of_branch else for_repo(place)
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    chain.edit(place.repo, authority_epoch=4)
    request, payer = call.accounts["request"], place.payer.pubkey()
    held, before = chain.lamports(request), chain.lamports(payer)

    event = chain.act(
        call.signed_by(actor=chain.party(who)), place.repo, chain.party(who)
    )

    branch = place.branch if of_branch else NO_BRANCH
    applicant = chain.party("a").pubkey()
    assert event == ("JoinClosed", {"applicant": applicant, "branch": branch})
    assert not chain.exists(request)
    assert chain.lamports(payer) - before == held


def test_the_applicant_closes_with_whatever_role_it_brings():
    place = make_place()
    call = for_repo(place)
    place.chain.send(place.role_grant("a", CONTRIBUTE, expires_at=place.chain.now + 1))
    place.chain.wait(10)
    role = place.find_role(place.chain.party("a").pubkey())
    place.chain.edit(place.repo, authority_epoch=1)

    place.chain.send(
        call.signed_by(actor=place.chain.party("a")).with_accounts(role=role)
    )

    assert not place.chain.exists(call.accounts["request"])


def test_a_grant_and_the_end_of_its_request_share_a_transaction():
    place = make_place()
    call = for_repo(place)

    place.chain.send(place.role_grant("a", CONTRIBUTE), call)

    assert place.chain.exists(place.find_role(place.chain.party("a").pubkey()))
    assert not place.chain.exists(call.accounts["request"])


def test_a_closed_request_may_be_made_anew_in_the_same_transaction():
    place = make_place()
    call = for_repo(place)

    place.chain.send(call, place.join_request("a", MERGE))

    assert place.chain.read(call.accounts["request"]).scope == MERGE


def test_an_applicant_who_paid_gets_its_rent_back():
    place = make_place().created()
    key = place.chain.party("a")
    before = place.chain.lamports(key.pubkey())
    place.chain.send(place.join_request("a").signed_by(payer=key))

    place.chain.send(
        place.join_close("a")
        .signed_by(actor=key)
        .with_accounts(rent_payer=key.pubkey())
    )

    assert place.chain.lamports(key.pubkey()) == before


def test_lets_an_administrator_of_the_repository_act_for_it():
    check_role_holds(REPO_USE, make_place(), of_branch=False)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act_for_a_branch(of_branch: bool):
    check_role_holds(BRANCH_USE, make_place(), of_branch=of_branch)
