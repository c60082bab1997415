import pytest
from program_harness.call import CONFIG, find_bump, wallet
from program_harness.chain import account_of
from program_harness.members import DAY
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import DUPLICATE, IN_USE, SEEDS, TOO_SMALL
from program_harness.tampering import Case, Rules, Scene, check, refusals, twin_call
from program_harness.values import ADMINISTER, ATTEST, CONTRIBUTE, MERGE, NO_BRANCH
from program_harness.world import Place, make_place


def scene(place: Place):
    place.created()
    place.chain.send(place.invite_create("key", uses=2))
    return place.invite_redeem("key", "a")


def for_branch(place: Place):
    place.created()
    place.chain.send(place.invite_create("key", branch=place.branch))
    return place.invite_redeem("key", "a", branch=place.branch)


@refusals(
    "invite_redeem",
    scene,
    # The role's address hangs on the repository; the payer is another wallet.
    Rules(errors={"foreign-repo": SEEDS, "alias-invite_payer": "RentPayerMismatch"}),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("who", ["another key", "owner", "a"])
def test_refuses_whoever_has_not_the_key(who: str):
    place = make_place()
    call = scene(place).signed_by(invite_key=place.chain.party(who))

    place.chain.expect_refusal(call, "AccountMismatch")


def test_refuses_the_key_of_another_invite():
    place = make_place()
    call = scene(place)
    place.chain.send(place.invite_create("other", scope=MERGE))

    place.chain.expect_refusal(
        call.signed_by(invite_key=wallet("other")), "AccountMismatch"
    )


def test_refuses_an_invite_of_another_repository_with_its_role():
    place = make_place()
    call = scene(place)
    other = twin_call(place, scene).accounts

    place.chain.expect_refusal(
        call.with_accounts(invite=other["invite"]), "AccountMismatch"
    )


@pytest.mark.parametrize("wait", [DAY, DAY + 1, 1_000_000])
def test_refuses_an_invite_that_has_expired(wait: int):
    place = make_place()
    call = scene(place)
    place.chain.wait(wait)

    place.chain.expect_refusal(call, "InviteExpired")


@pytest.mark.parametrize("epoch", [1, 7])
def test_refuses_an_invite_that_is_older_than_the_authority(epoch: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, authority_epoch=epoch)

    place.chain.expect_refusal(call, "RoleVoid")


def test_refuses_an_invite_of_a_later_epoch():
    place = make_place()
    call = scene(place)
    place.chain.edit(call.accounts["invite"], authority_epoch=1)

    place.chain.expect_refusal(call, "RoleVoid")


@pytest.mark.parametrize("wait", [10, 11])
def test_refuses_a_role_that_would_have_expired(wait: int):
    place = make_place().created()
    at = place.chain.now + 10
    place.chain.send(place.invite_create("key", role_expires_at=at))
    place.chain.wait(wait)

    place.chain.expect_refusal(place.invite_redeem("key", "a"), "ExpiryInPast")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, IN_USE, before=[call])


def test_refuses_a_spent_invite():
    place = make_place()
    call = scene(place)
    place.chain.send(call, place.invite_redeem("key", "b"))

    place.chain.expect_refusal(place.invite_redeem("key", "c"), TOO_SMALL)


def test_refuses_whoever_has_such_a_role_already():
    place = make_place()
    call = scene(place)
    place.chain.send(place.role_grant("a", MERGE))

    place.chain.expect_refusal(call, IN_USE)


def test_refuses_the_role_of_another_grantee():
    place = make_place()
    call = scene(place)
    role = place.find_role(place.chain.party("b").pubkey())

    place.chain.expect_refusal(call.with_accounts(new_role=role), SEEDS)


def test_refuses_a_role_for_another_place_than_the_invites():
    place = make_place()
    call = for_branch(place)
    role = place.find_role(wallet("a").pubkey())

    place.chain.expect_refusal(call.with_accounts(new_role=role), SEEDS)


def test_refuses_another_receiver_of_the_invites_rent():
    place = make_place()
    call = scene(place).with_accounts(invite_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


@pytest.mark.parametrize("name", ["repo", "invite", "new_role"])
def test_refuses_an_account_of_the_call_as_the_receiver(name: str):
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(
        call.with_accounts(invite_payer=call.accounts[name]), DUPLICATE
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=32)

    place.chain.expect_refusal(call, "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"uses_left": 0}, "Overflow"),
        ({"uses_left": 1_002}, "InviteUses"),
        ({"uses_left": 65_535}, "InviteUses"),
        ({"scope": ADMINISTER}, "ScopeTooWide"),
        ({"scope": 0}, "RoleScope"),
        ({"scope": 16}, "UnknownBits"),
        ({"version": 0}, "InvariantBroken"),
        ({"version": 2}, "InvariantBroken"),
    ],
)
def test_refuses_an_invite_that_no_instruction_makes(changes, error: str):
    place = make_place()
    call = scene(place)
    place.chain.edit(call.accounts["invite"], **changes)

    place.chain.expect_refusal(call, error)


@pytest.mark.parametrize(
    "changes", [{"expires_at": 0}, {"expires_at": -5}, {"role_expires_at": -5}]
)
def test_refuses_an_invite_with_a_time_before_1970(changes):
    place = make_place()
    call = scene(place)
    place.chain.edit(call.accounts["invite"], **changes)
    place.chain.set_now(-10)

    place.chain.expect_refusal(call, "InvariantBroken")


@pytest.mark.parametrize("of_branch", [False, True])
@pytest.mark.parametrize("scope", [CONTRIBUTE, MERGE, ATTEST, 7])
@pytest.mark.parametrize("ahead", [0, DAY])
def test_whoever_has_the_key_takes_the_role(of_branch: bool, scope: int, ahead: int):
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~32)
    chain.edit(place.repo, authority_epoch=3)
    branch = place.branch if of_branch else NO_BRANCH
    role_expires_at = ahead and chain.now + ahead
    at = place.branch if of_branch else None
    more = {"scope": scope, "role_expires_at": role_expires_at, "uses": 3}
    chain.send(
        place.with_role(
            place.invite_create("key", branch=at, **more), "helper", ADMINISTER
        )
    )
    chain.wait(DAY - 1)
    call = place.invite_redeem("key", "a", branch=at)
    invite = chain.read(call.accounts["invite"])
    payers = [chain.party("redeem payer").pubkey(), place.payer.pubkey()]
    before = [chain.lamports(payer) for payer in payers]

    event = chain.act(call, place.repo, chain.party("a"))

    values = {
        "grantee": wallet("a").pubkey(),
        "branch": branch,
        "scope": scope,
    }
    assert event == (
        "InviteRedeemed",
        {
            "key": wallet("key").pubkey(),
            "role_expires_at": role_expires_at,
            "uses_left": 2,
            **values,
        },
    )
    assert chain.read(call.accounts["new_role"]) == account_of(
        "Role",
        bump=find_bump(b"role", place.repo, branch, wallet("a").pubkey()),
        repo=place.repo,
        granted_by=wallet("helper").pubkey(),
        rent_payer=payers[0],
        expires_at=role_expires_at,
        authority_epoch=3,
        **values,
    )
    invite.uses_left = 2
    assert chain.read(call.accounts["invite"]) == invite
    rent = chain.rent(ACCOUNTS["Role"].size + 8)
    assert [chain.lamports(payer) for payer in payers] == [before[0] - rent, before[1]]


def test_the_last_use_closes_the_invite_and_gives_its_rent_back():
    place = make_place()
    call = for_branch(place)
    invite, payer = call.accounts["invite"], place.payer.pubkey()
    held, before = place.chain.lamports(invite), place.chain.lamports(payer)

    name, event = place.chain.act(call, place.repo, place.chain.party("a"))

    assert (name, event["uses_left"]) == ("InviteRedeemed", 0)
    assert not place.chain.exists(invite)
    assert place.chain.lamports(payer) - before == held


def test_an_invite_outlives_the_role_of_whoever_made_it():
    place = make_place().created()
    place.chain.send(place.with_role(place.invite_create("key"), "helper", ADMINISTER))
    place.chain.send(place.role_revoke("helper"))

    place.chain.send(place.invite_redeem("key", "a"))

    role = place.chain.read(place.find_role(wallet("a").pubkey()))
    assert (role.granted_by, role.scope) == (wallet("helper").pubkey(), CONTRIBUTE)


def test_the_role_of_an_invite_lets_its_holder_push():
    place = make_place(params={"contribute": 1}).opened()
    place.chain.send(place.invite_create("key"))
    place.chain.send(place.invite_redeem("key", "a"))
    role = place.find_role(wallet("a").pubkey())

    place.chain.send(place.update_push("a").with_accounts(role=role))

    assert place.chain.read(place.find_round(1)).n_accepted == 1
    assert place.chain.exists(place.find_update("a"))


def test_the_authority_revokes_a_role_that_came_by_an_invite():
    place = make_place()
    place.chain.send(scene(place))
    payer = place.chain.party("redeem payer").pubkey()

    place.chain.send(place.role_revoke("a").with_accounts(rent_payer=payer))

    assert not place.chain.exists(place.find_role(wallet("a").pubkey()))
