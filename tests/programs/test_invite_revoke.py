import pytest
from program_harness.call import CONFIG, wallet
from program_harness.members import DAY
from program_harness.refusal import TOO_SMALL
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import ADMINISTER, MERGE
from program_harness.world import Place, make_place


def for_repo(place: Place):
    place.created()
    place.chain.send(place.invite_create("key", uses=2))
    return place.invite_revoke("key")


def for_branch(place: Place):
    place.created()
    place.chain.send(place.invite_create("key", branch=place.branch))
    return place.invite_revoke("key")


REPO_USE = RoleUse(for_repo, ADMINISTER, for_branch=False)
BRANCH_USE = RoleUse(for_branch, ADMINISTER)


@refusals("invite_revoke", for_branch)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(REPO_USE)
def test_refuses_a_role_that_does_not_hold_for_the_repository(spoil, error):
    check_role_refusal(REPO_USE, spoil, error, make_place())


@role_refusals(BRANCH_USE)
def test_refuses_a_role_that_does_not_hold_for_the_branch(spoil, error):
    check_role_refusal(BRANCH_USE, spoil, error, make_place())


@pytest.mark.parametrize("wait", [0, DAY - 1])
def test_refuses_anyone_before_it_has_expired(wait: int):
    place = make_place()
    call = for_repo(place).signed_by(actor=place.anyone)
    place.chain.wait(wait)

    place.chain.expect_refusal(call, "RoleMissing")


def test_refuses_whoever_has_the_key():
    place = make_place()
    call = for_repo(place).signed_by(actor=wallet("key"))

    place.chain.expect_refusal(call, "RoleMissing")


def test_refuses_another_receiver_of_the_rent():
    place = make_place()
    call = for_repo(place).with_accounts(rent_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


def test_refuses_an_invite_that_is_revoked_already():
    place = make_place()
    call = for_repo(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


@pytest.mark.parametrize("version", [0, 2])
def test_refuses_a_repository_of_another_version(version: int):
    place = make_place()
    call = for_repo(place)
    place.chain.edit(place.repo, version=version)

    place.chain.expect_refusal(call, "InvariantBroken")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = for_repo(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("of_branch", [False, True])
def test_the_authority_revokes_and_the_rent_goes_back(of_branch: bool):
    place = make_place()
    call = for_branch(place) if of_branch else for_repo(place)
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    invite, payer = call.accounts["invite"], place.payer.pubkey()
    held, before = chain.lamports(invite), chain.lamports(payer)

    event = chain.act(call, place.repo, place.owner)

    assert event == ("InviteRevoked", {"key": wallet("key").pubkey()})
    assert not chain.exists(invite)
    assert chain.lamports(payer) - before == held


def test_whoever_made_it_revokes_without_any_role():
    place = make_place().created()
    place.chain.send(place.with_role(place.invite_create("key"), "helper", ADMINISTER))
    place.chain.send(place.role_revoke("helper"))
    helper = place.chain.party("helper")
    call = place.invite_revoke("key").signed_by(actor=helper)

    place.chain.act(call, place.repo, helper)

    assert not place.chain.exists(call.accounts["invite"])


@pytest.mark.parametrize("wait", [DAY, DAY + 1])
def test_anyone_closes_an_expired_one(wait: int):
    place = make_place()
    call = for_repo(place).signed_by(actor=place.anyone)
    place.chain.wait(wait)

    place.chain.act(call, place.repo, place.anyone)

    assert not place.chain.exists(call.accounts["invite"])


def test_the_authority_revokes_one_from_before_its_time():
    place = make_place()
    call = for_repo(place)
    place.chain.edit(place.repo, authority_epoch=1)

    place.chain.send(call)

    assert not place.chain.exists(call.accounts["invite"])


def test_a_revoked_invite_may_be_made_anew_in_the_same_transaction():
    place = make_place()
    call = for_repo(place)

    place.chain.send(call, place.invite_create("key", scope=MERGE))

    assert place.chain.read(call.accounts["invite"]).scope == MERGE


def test_lets_an_administrator_of_the_repository_act_for_it():
    check_role_holds(REPO_USE, make_place(), of_branch=False)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act_for_a_branch(of_branch: bool):
    check_role_holds(BRANCH_USE, make_place(), of_branch=of_branch)
