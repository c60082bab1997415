import pytest
from program_harness.call import CONFIG, find_bump, wallet
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, SEEDS
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.world import Place, make_place

# docs/protocol.md: 366 days.
LONGEST = 31_622_400


def scene(place: Place):
    return place.created().delegation_create("a", "machine")


@refusals(
    "delegation_create",
    scene,
    # The delegation's address hangs on the repository.
    Rules(errors={"foreign-repo": SEEDS}),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("ahead", [0, -1, -LONGEST])
def test_refuses_an_expiry_that_has_passed(ahead: int):
    place = make_place().created()

    place.chain.expect_refusal(
        place.delegation_create("a", "machine", expires_at=place.chain.now + ahead),
        "ExpiryInPast",
    )


# Zero is no "never" here.
@pytest.mark.parametrize("expires_at", [0, -1, -(2**63)])
def test_refuses_no_expiry(expires_at: int):
    place = make_place().created()

    place.chain.expect_refusal(
        place.delegation_create("a", "machine", expires_at=expires_at), "ExpiryInPast"
    )


@pytest.mark.parametrize("beyond", [1, LONGEST, 2**40])
def test_refuses_an_expiry_that_is_too_far(beyond: int):
    place = make_place().created()
    expires_at = place.chain.now + LONGEST + beyond

    place.chain.expect_refusal(
        place.delegation_create("a", "machine", expires_at=expires_at),
        "DelegationTooLong",
    )


def test_refuses_the_largest_expiry():
    place = make_place().created()

    place.chain.expect_refusal(
        place.delegation_create("a", "machine", expires_at=2**63 - 1),
        "DelegationTooLong",
    )


def test_refuses_where_the_latest_expiry_is_no_number():
    place = make_place().created()
    place.chain.set_now(2**63 - LONGEST)

    place.chain.expect_refusal(
        place.delegation_create("a", "machine", expires_at=2**63 - 1), "Overflow"
    )


def test_refuses_a_delegation_to_the_wallet_itself():
    place = make_place().created()

    place.chain.expect_refusal(place.delegation_create("a", "a"), "DelegateSelf")


@pytest.mark.parametrize("expires_at", [0, 2**62])
def test_names_the_wallet_itself_before_the_expiry(expires_at: int):
    place = make_place().created()

    place.chain.expect_refusal(
        place.delegation_create("a", "a", expires_at=expires_at), "DelegateSelf"
    )


def test_refuses_a_delegation_that_exists():
    place = make_place()
    call = scene(place)
    place.chain.send(call)
    longer = place.delegation_create("a", "machine", expires_at=place.chain.now + 10)

    place.chain.expect_refusal(longer, IN_USE)


def test_refuses_to_prolong_an_expired_one():
    place = make_place()
    call = scene(place)
    place.chain.send(call)
    place.chain.set_now(call.arguments["expires_at"])

    place.chain.expect_refusal(place.delegation_create("a", "machine"), IN_USE)


@pytest.mark.parametrize("of", ["key", "wallet"])
def test_refuses_the_address_of_another(of: str):
    place = make_place()
    call = scene(place)
    other = place.chain.party("b")
    if of == "key":
        call = call.with_arguments(key=other.pubkey())
    else:
        call = call.signed_by(wallet=other)

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_a_key_that_delegates_for_the_wallet():
    """Wallet and key in each other's place are another address."""
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(
        call.signed_by(wallet=wallet("machine")).with_arguments(
            key=wallet("a").pubkey()
        ),
        SEEDS,
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=32)

    place.chain.expect_refusal(call, "Paused")


def test_names_the_pause_before_the_key():
    place = make_place().created()
    place.chain.edit(CONFIG, pause_bits=32)

    place.chain.expect_refusal(place.delegation_create("a", "a"), "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("ahead", [1, 86_400, LONGEST])
def test_a_wallet_delegates(ahead: int):
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~32)
    before = chain.lamports(place.payer.pubkey())
    expires_at = chain.now + ahead
    call = place.delegation_create("a", "machine", expires_at=expires_at)

    event = chain.act(call, place.repo, chain.party("a"))

    values = {
        "wallet": chain.party("a").pubkey(),
        "key": wallet("machine").pubkey(),
        "expires_at": expires_at,
    }
    assert event == ("DelegationCreated", values)
    seeds = (b"delegate", place.repo, values["wallet"], values["key"])
    assert chain.read(call.accounts["delegation"]) == account_of(
        "Delegation",
        bump=find_bump(*seeds),
        repo=place.repo,
        rent_payer=place.payer.pubkey(),
        created_at=chain.now,
        **values,
    )
    rent = chain.rent(ACCOUNTS["Delegation"].size + 8)
    assert chain.lamports(call.accounts["delegation"]) == rent
    assert before - chain.lamports(place.payer.pubkey()) == rent


def test_a_wallet_delegates_to_several_keys_and_a_key_serves_several_wallets():
    place = make_place().created()
    pairs = [("a", "m1"), ("a", "m2"), ("b", "m1")]

    for who, key in pairs:
        place.chain.send(place.delegation_create(who, key))

    assert len({place.find_delegation(who, key) for who, key in pairs}) == 3


def test_two_keys_may_delegate_to_each_other():
    place = make_place().created()
    place.chain.send(place.delegation_create("a", "b"))

    place.chain.send(place.delegation_create("b", "a"))

    for who, key in (("a", "b"), ("b", "a")):
        held = place.chain.read(place.find_delegation(who, key))
        assert (held.wallet, held.key) == (wallet(who).pubkey(), wallet(key).pubkey())


def test_a_key_cannot_pass_on_what_it_was_given():
    place = make_place().opened()
    place.chain.send(place.delegation_create("a", "m1"))
    place.chain.send(place.delegation_create("m1", "m2"))
    call = place.update_push("a", by="m2")

    place.chain.expect_refusal(
        call.with_accounts(delegation=place.find_delegation("m1", "m2")),
        "AccountMismatch",
    )
    place.chain.expect_refusal(
        call.with_accounts(delegation=place.find_delegation("a", "m1")),
        "AccountMismatch",
    )
