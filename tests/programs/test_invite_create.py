import pytest
from program_harness.call import CONFIG, find_bump, wallet
from program_harness.chain import account_of
from program_harness.members import DAY
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, SEEDS
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals, twin_call
from program_harness.values import ADMINISTER, ATTEST, CONTRIBUTE, MERGE, NO_BRANCH
from program_harness.world import Place, make_place


def scene(place: Place):
    """An invite for the branch, so that every account is there."""
    return place.created().invite_create("key", branch=place.branch)


def for_repo(place: Place):
    return place.created().invite_create("key")


REPO_USE = RoleUse(for_repo, ADMINISTER, for_branch=False)
BRANCH_USE = RoleUse(scene, ADMINISTER)


@refusals(
    "invite_create",
    scene,
    # The invite's address hangs on the repository.
    Rules(errors={"foreign-repo": SEEDS}),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(REPO_USE)
def test_refuses_a_role_that_does_not_hold_for_the_repository(spoil, error):
    check_role_refusal(REPO_USE, spoil, error, make_place())


@role_refusals(BRANCH_USE)
def test_refuses_a_role_that_does_not_hold_for_the_branch(spoil, error):
    check_role_refusal(BRANCH_USE, spoil, error, make_place())


@pytest.mark.parametrize("scope", [ADMINISTER, ADMINISTER | CONTRIBUTE, 15])
def test_refuses_administer_even_from_the_authority(scope: int):
    place = make_place()
    call = for_repo(place).with_arguments(scope=scope)

    place.chain.expect_refusal(call, "ScopeTooWide")


def test_refuses_a_scope_without_any_right():
    place = make_place()

    place.chain.expect_refusal(for_repo(place).with_arguments(scope=0), "RoleScope")


@pytest.mark.parametrize("scope", [16, 17, 24, 32_768, 65_535])
def test_refuses_unknown_scope_bits(scope: int):
    place = make_place()
    call = for_repo(place).with_arguments(scope=scope)

    place.chain.expect_refusal(call, "UnknownBits")


@pytest.mark.parametrize(
    ("scope", "error"), [(8, "ScopeTooWide"), (0, "RoleScope"), (16, "UnknownBits")]
)
def test_names_the_scope_before_the_expiry_and_the_uses(scope: int, error: str):
    place = make_place()
    call = for_repo(place).with_arguments(scope=scope, expires_at=1, uses=0)

    place.chain.expect_refusal(call, error)


def test_names_the_expiry_before_the_uses():
    place = make_place()
    call = for_repo(place).with_arguments(expires_at=1, uses=1001)

    place.chain.expect_refusal(call, "ExpiryInPast")


@pytest.mark.parametrize(
    ("scope", "error"), [(0, "RoleScope"), (8, "ScopeTooWide"), (16, "UnknownBits")]
)
def test_names_the_scope_before_the_times(scope: int, error: str):
    place = make_place()
    call = for_repo(place).with_arguments(scope=scope, expires_at=1)

    place.chain.expect_refusal(call, error)


@pytest.mark.parametrize("ahead", [0, -1, -10_000])
@pytest.mark.parametrize("name", ["expires_at", "role_expires_at"])
def test_refuses_an_expiry_that_has_passed(name: str, ahead: int):
    place = make_place()
    call = for_repo(place).with_arguments(**{name: place.chain.now + ahead})

    place.chain.expect_refusal(call, "ExpiryInPast")


@pytest.mark.parametrize("expires_at", [0, -1, -(2**63)])
def test_refuses_an_invite_without_a_time(expires_at: int):
    place = make_place()
    call = for_repo(place).with_arguments(expires_at=expires_at)

    place.chain.expect_refusal(call, "ExpiryInPast")


@pytest.mark.parametrize("name", ["expires_at", "role_expires_at"])
def test_refuses_an_expiry_in_the_future_that_is_negative(name: str):
    place = make_place()
    call = for_repo(place).with_arguments(**{name: -5})
    place.chain.set_now(-10)

    place.chain.expect_refusal(call, "InvariantBroken")


@pytest.mark.parametrize("uses", [0, 1_001, 65_535])
def test_refuses_no_use_and_too_many(uses: int):
    place = make_place()
    call = for_repo(place).with_arguments(uses=uses)

    place.chain.expect_refusal(call, "InviteUses")


def test_refuses_an_invite_that_exists():
    place = make_place()
    place.chain.send(for_repo(place))

    place.chain.expect_refusal(place.invite_create("key", scope=MERGE), IN_USE)


def test_refuses_the_address_of_another_key():
    place = make_place()
    call = for_repo(place).with_arguments(key=wallet("another").pubkey())

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_a_branch_of_another_repository():
    place = make_place()
    call = scene(place)
    branch = twin_call(place, scene).accounts["branch"]

    place.chain.expect_refusal(call.with_accounts(branch=branch), "AccountMismatch")


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


@pytest.mark.parametrize("of_branch", [False, True])
@pytest.mark.parametrize("scope", [CONTRIBUTE, MERGE, ATTEST, 7])
@pytest.mark.parametrize(("ahead", "uses"), [(0, 1), (1, 1_000)])
def test_the_authority_invites(of_branch: bool, scope: int, ahead: int, uses: int):
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~32)
    chain.edit(place.repo, authority_epoch=3)
    branch = place.branch if of_branch else NO_BRANCH
    before = chain.lamports(place.payer.pubkey())
    values = {
        "scope": scope,
        "expires_at": chain.now + 1,
        "role_expires_at": ahead and chain.now + ahead,
    }
    call = place.invite_create(
        "key", branch=branch if of_branch else None, uses=uses, **values
    )

    event = chain.act(call, place.repo, place.owner)

    values |= {"key": wallet("key").pubkey(), "branch": branch}
    assert event == ("InviteCreated", {**values, "uses": uses})
    assert chain.read(call.accounts["invite"]) == account_of(
        "Invite",
        bump=find_bump(b"invite", place.repo, wallet("key").pubkey()),
        repo=place.repo,
        created_by=place.owner.pubkey(),
        rent_payer=place.payer.pubkey(),
        uses_left=uses,
        authority_epoch=3,
        **values,
    )
    rent = chain.rent(ACCOUNTS["Invite"].size + 8)
    assert chain.lamports(call.accounts["invite"]) == rent
    assert before - chain.lamports(place.payer.pubkey()) == rent


def test_an_administrator_is_named_as_the_maker():
    place = make_place()
    call = place.with_role(for_repo(place), "helper", ADMINISTER)

    place.chain.send(call)

    invite = place.chain.read(call.accounts["invite"])
    assert invite.created_by == place.chain.party("helper").pubkey()
    assert invite.expires_at == place.chain.now + DAY


def test_lets_an_administrator_of_the_repository_act_for_it():
    check_role_holds(REPO_USE, make_place(), of_branch=False)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act_for_a_branch(of_branch: bool):
    check_role_holds(BRANCH_USE, make_place(), of_branch=of_branch)
