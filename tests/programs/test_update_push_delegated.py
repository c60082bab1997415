"""Pushes by a machine for the wallet that delegated to it: refusals."""

import pytest
from program_harness.call import wallet
from program_harness.refusal import IN_USE, MISSING
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import CONTRIBUTE
from program_harness.world import Place, make_place


def delegated(place: Place):
    """A machine pushes for a wallet."""
    place.opened()
    place.chain.send(place.delegation_create("a", "machine"))
    return place.update_push("a", by="machine")


@refusals("update_push", delegated, Rules(only="delegation"))
def test_refuses_wrong_delegations(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("signer", ["a", "another machine", "owner"])
def test_refuses_a_delegation_to_another_key(signer: str):
    place = make_place()
    call = delegated(place).signed_by(signer=place.chain.party(signer))

    place.chain.expect_refusal(call, "AccountMismatch")


@pytest.mark.parametrize("wallet_name", ["b", "machine"])
def test_refuses_a_delegation_of_another_wallet(wallet_name: str):
    place = make_place()
    delegation = delegated(place).accounts["delegation"]
    call = place.update_push(wallet_name).with_accounts(delegation=delegation)

    place.chain.expect_refusal(
        call.signed_by(signer=place.chain.party("machine")), "AccountMismatch"
    )


def test_refuses_a_machine_without_the_delegation_that_it_has():
    place = make_place()

    place.chain.expect_refusal(
        delegated(place).with_accounts(delegation=None), "DelegationMissing"
    )


@pytest.mark.parametrize("wait", [0, 1, 1_000_000])
def test_refuses_a_delegation_that_has_expired(wait: int):
    place = make_place()
    call = delegated(place)
    place.chain.edit(call.accounts["delegation"], expires_at=place.chain.now)
    place.chain.wait(wait)

    place.chain.expect_refusal(call, "DelegationExpired")


def test_refuses_a_delegation_that_was_revoked():
    place = make_place()
    call = delegated(place)
    place.chain.send(place.delegation_revoke("a", "machine"))

    place.chain.expect_refusal(call, MISSING)


def test_a_delegation_gives_no_role():
    place = make_place()
    place.params["contribute"] = 1
    call = delegated(place)
    place.chain.send(place.role_grant("machine", CONTRIBUTE))
    role = place.find_role(wallet("machine").pubkey())

    place.chain.expect_refusal(call, "RoleMissing")
    place.chain.expect_refusal(call.with_accounts(role=role), "RoleMissing")


def test_a_wallet_pushes_once_whoever_signs():
    place = make_place()
    call = delegated(place)

    place.chain.expect_refusal(place.update_push("a"), IN_USE, before=[call])
