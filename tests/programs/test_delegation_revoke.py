import pytest
from program_harness.call import CONFIG, wallet
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.world import Place, make_place


def scene(place: Place):
    place.created()
    place.chain.send(place.delegation_create("a", "machine"))
    return place.delegation_revoke("a", "machine")


def expired(place: Place):
    """Anyone may close it."""
    call = scene(place)
    place.chain.set_now(place.chain.read(call.accounts["delegation"]).expires_at)
    return call.signed_by(actor=place.anyone)


@refusals("delegation_revoke", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals("delegation_revoke", expired, Rules(only="delegation"))
def test_refuses_a_wrong_delegation_from_anyone(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("who", ["anyone", "owner", "payer", "b", "m2"])
def test_refuses_anyone_else_until_it_expires(who: str):
    place = make_place()
    call = scene(place)
    # They have delegations too, but not this one.
    place.chain.send(place.delegation_create("b", "machine"))
    place.chain.send(place.delegation_create("a", "m2"))
    call = call.signed_by(actor=place.chain.party(who))

    place.chain.expect_refusal(call, "NotDelegator")
    place.chain.wait(86_399)
    place.chain.expect_refusal(call, "NotDelegator")
    place.chain.wait(1)
    place.chain.send(call)

    assert not place.chain.exists(call.accounts["delegation"])


@pytest.mark.parametrize("make", [scene, expired])
def test_refuses_another_receiver_of_the_rent(make):
    place = make_place()
    call = make(place)

    for thief in ("a", "machine", "anyone"):
        place.chain.expect_refusal(
            call.with_accounts(rent_payer=place.chain.party(thief).pubkey()),
            "RentPayerMismatch",
        )


def test_refuses_a_delegation_that_is_revoked_already():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


def test_refuses_a_revoked_one_that_was_given_lamports():
    place = make_place()
    call = scene(place)
    place.chain.send(call)
    place.chain.svm.airdrop(call.accounts["delegation"], 10_000_000)

    # An account of the system program, without data.
    place.chain.expect_refusal(call, TOO_SMALL)


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("who", ["a", "machine", "anyone"])
def test_it_is_closed_and_the_rent_goes_back(who: str):
    place = make_place()
    call = expired(place) if who == "anyone" else scene(place)
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    delegation, payer = call.accounts["delegation"], place.payer.pubkey()
    held, before = chain.lamports(delegation), chain.lamports(payer)

    event = chain.act(
        call.signed_by(actor=chain.party(who)), place.repo, chain.party(who)
    )

    assert event == (
        "DelegationRevoked",
        {"wallet": wallet("a").pubkey(), "key": wallet("machine").pubkey()},
    )
    assert not chain.exists(delegation)
    assert chain.lamports(payer) - before == held


def test_an_expired_one_is_revoked_by_its_wallet_too():
    place = make_place()
    call = expired(place)

    place.chain.send(call.signed_by(actor=place.chain.party("a")))

    assert not place.chain.exists(call.accounts["delegation"])


def test_a_revoked_one_is_made_anew_in_the_same_transaction():
    place = make_place()
    call = scene(place)
    later = place.chain.now + 2 * 86_400

    place.chain.send(call, place.delegation_create("a", "machine", expires_at=later))

    assert place.chain.read(call.accounts["delegation"]).expires_at == later


def test_a_revoked_key_cannot_push():
    place = make_place().opened()
    place.chain.send(place.delegation_create("a", "machine"))
    push = place.update_push("a", by="machine")

    # The address is still right, and nothing lies there.
    place.chain.expect_refusal(
        push, "UninitializedAccount", before=[place.delegation_revoke("a", "machine")]
    )


def test_what_was_pushed_before_stays_and_its_signer_may_withdraw_it():
    place = make_place().opened()
    place.chain.send(place.delegation_create("a", "machine"))
    place.chain.send(place.update_push("a", by="machine"))
    place.chain.send(place.delegation_revoke("a", "machine"))

    update = place.chain.read(place.find_update("a"))
    assert (update.contributor, update.signer) == (
        wallet("a").pubkey(),
        wallet("machine").pubkey(),
    )
    place.chain.send(
        place.update_withdraw("a").signed_by(actor=place.chain.party("machine"))
    )

    assert not place.chain.exists(place.find_update("a"))
