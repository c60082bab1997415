import pytest
from program_harness.call import CONFIG
from program_harness.refusal import IN_USE, TOO_SMALL
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import ADMINISTER, CONTRIBUTE, MERGE, NO_BRANCH
from program_harness.world import Place, make_place


def for_repo(place: Place):
    place.created()
    place.chain.send(place.role_grant("a", CONTRIBUTE))
    return place.role_revoke("a")


def for_branch(place: Place):
    place.created()
    place.chain.send(place.role_grant("a", CONTRIBUTE, branch=place.branch))
    return place.role_revoke("a", branch=place.branch)


REPO_USE = RoleUse(for_repo, ADMINISTER, for_branch=False)
BRANCH_USE = RoleUse(for_branch, ADMINISTER)


@refusals("role_revoke", for_branch)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(REPO_USE)
def test_refuses_a_role_that_does_not_hold_for_the_repository(spoil, error):
    check_role_refusal(REPO_USE, spoil, error, make_place())


@role_refusals(BRANCH_USE)
def test_refuses_a_role_that_does_not_hold_for_the_branch(spoil, error):
    check_role_refusal(BRANCH_USE, spoil, error, make_place())


@pytest.mark.parametrize("scope", [ADMINISTER, 15])
@pytest.mark.parametrize("of_branch", [False, True])
def test_refuses_administer_revoked_by_an_administrator(scope: int, of_branch: bool):
    place = make_place().created()
    branch = place.branch if of_branch else None
    place.chain.send(place.role_grant("a", scope, branch=branch))
    call = place.with_role(place.role_revoke("a", branch=branch), "helper", 15)

    place.chain.expect_refusal(call, "NotAuthority")


def test_refuses_an_administrator_who_revokes_its_own_role():
    place = make_place().created()
    place.chain.send(place.role_grant("a", ADMINISTER))
    call = place.role_revoke("a").signed_by(actor=place.chain.party("a"))

    # With its role beside it, one account would stand twice.
    place.chain.expect_refusal(call, "RoleMissing")


def test_refuses_another_receiver_of_the_rent():
    place = make_place()
    call = for_repo(place).with_accounts(rent_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


def test_refuses_a_role_that_is_revoked_already():
    place = make_place()
    call = for_repo(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


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
    role, payer = call.accounts["old_role"], place.payer.pubkey()
    held, before = chain.lamports(role), chain.lamports(payer)

    event = chain.act(call, place.repo, place.owner)

    branch = place.branch if of_branch else NO_BRANCH
    grantee = chain.party("a").pubkey()
    assert event == ("RoleRevoked", {"grantee": grantee, "branch": branch})
    assert not chain.exists(role)
    assert chain.lamports(payer) - before == held


def test_the_authority_revokes_a_void_or_expired_role():
    place = make_place()
    call = for_repo(place)
    place.chain.edit(call.accounts["old_role"], expires_at=1)
    place.chain.edit(place.repo, authority_epoch=1)

    place.chain.send(call)

    assert not place.chain.exists(call.accounts["old_role"])


def test_the_authority_revokes_administer():
    place = make_place().created()
    place.chain.send(place.role_grant("a", ADMINISTER))

    place.chain.send(place.role_revoke("a"))


def test_a_revoked_role_may_be_granted_anew_in_the_same_transaction():
    place = make_place()
    call = for_repo(place)

    place.chain.send(call, place.role_grant("a", MERGE))

    assert place.chain.read(call.accounts["old_role"]).scope == MERGE
    place.chain.expect_refusal(place.role_grant("a", MERGE), IN_USE)


def test_lets_an_administrator_of_the_repository_act_for_it():
    check_role_holds(REPO_USE, make_place(), of_branch=False)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act_for_a_branch(of_branch: bool):
    check_role_holds(BRANCH_USE, make_place(), of_branch=of_branch)
