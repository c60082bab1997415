import pytest
from program_harness.call import CONFIG, find_bump
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import (
    IN_USE,
    SEEDS,
)
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
    """A role for the branch, so that every account is there."""
    return place.created().role_grant("a", CONTRIBUTE, branch=place.branch)


def for_repo(place: Place):
    return place.created().role_grant("a", CONTRIBUTE)


REPO_USE = RoleUse(for_repo, ADMINISTER, for_branch=False)
BRANCH_USE = RoleUse(scene, ADMINISTER)


@refusals(
    "role_grant",
    scene,
    # The role's address hangs on repository and branch.
    Rules(
        errors={
            "foreign-repo": SEEDS,
            "foreign-branch": SEEDS,
        }
    ),
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
@pytest.mark.parametrize("of_branch", [False, True])
def test_refuses_administer_granted_by_an_administrator(scope: int, of_branch: bool):
    place = make_place().created()
    branch = place.branch if of_branch else None
    call = place.role_grant("a", scope, branch=branch)

    place.chain.expect_refusal(
        place.with_role(call, "helper", 15, branch=branch), "NotAuthority"
    )


def test_refuses_a_scope_without_any_right():
    place = make_place().created()

    place.chain.expect_refusal(place.role_grant("a", 0), "RoleScope")


@pytest.mark.parametrize("scope", [16, 17, 32_768, 65_535])
def test_refuses_unknown_scope_bits(scope: int):
    place = make_place().created()

    place.chain.expect_refusal(place.role_grant("a", scope), "UnknownBits")


def test_names_unknown_bits_first_where_an_administrator_grants_administer_too():
    place = make_place().created()
    call = place.with_role(place.role_grant("a", ADMINISTER | 16), "helper", 15)

    place.chain.expect_refusal(call, "UnknownBits")


@pytest.mark.parametrize("ahead", [0, -1, -10_000])
def test_refuses_an_expiry_that_has_passed(ahead: int):
    place = make_place().created()

    place.chain.expect_refusal(
        place.role_grant("a", MERGE, expires_at=place.chain.now + ahead),
        "ExpiryInPast",
    )


@pytest.mark.parametrize("expires_at", [-1, -(2**63)])
def test_refuses_a_negative_expiry(expires_at: int):
    place = make_place().created()

    place.chain.expect_refusal(
        place.role_grant("a", MERGE, expires_at=expires_at), "ExpiryInPast"
    )


def test_refuses_an_expiry_in_the_future_that_is_negative():
    place = make_place().created()
    place.chain.set_now(-10)

    place.chain.expect_refusal(
        place.role_grant("a", MERGE, expires_at=-5), "InvariantBroken"
    )


def test_refuses_a_role_that_exists():
    place = make_place().created()
    place.chain.send(place.role_grant("a", MERGE))

    place.chain.expect_refusal(place.role_grant("a", ATTEST), IN_USE)


def test_refuses_the_address_of_another_grantee():
    place = make_place().created()
    call = place.role_grant("a", MERGE)

    place.chain.expect_refusal(
        call.with_arguments(grantee=place.chain.party("b").pubkey()), SEEDS
    )


def test_refuses_the_address_of_another_branch():
    place = make_place().created()
    call = place.role_grant("a", MERGE).with_accounts(branch=place.branch)

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_a_branch_of_another_repository_with_a_role_of_its_own():
    place = make_place()
    call = scene(place)
    branch = twin_call(place, scene).accounts["branch"]
    role = place.find_role(call.arguments["grantee"], branch)

    place.chain.expect_refusal(
        call.with_accounts(branch=branch, new_role=role), "AccountMismatch"
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


@pytest.mark.parametrize("of_branch", [False, True])
@pytest.mark.parametrize("scope", [CONTRIBUTE, MERGE, ATTEST, ADMINISTER, 15])
@pytest.mark.parametrize("ahead", [None, 1])
def test_the_authority_grants(of_branch: bool, scope: int, ahead: int | None):
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~32)
    chain.edit(place.repo, authority_epoch=3)
    branch = place.branch if of_branch else NO_BRANCH
    before = chain.lamports(place.payer.pubkey())
    expires_at = 0 if ahead is None else chain.now + ahead
    call = place.role_grant(
        "a", scope, branch=branch if of_branch else None, expires_at=expires_at
    )

    event = chain.act(call, place.repo, place.owner)

    grantee = chain.party("a").pubkey()
    values = {"grantee": grantee, "branch": branch, "scope": scope}
    assert event == ("RoleGranted", {**values, "expires_at": expires_at})
    assert chain.read(call.accounts["new_role"]) == account_of(
        "Role",
        bump=find_bump(b"role", place.repo, branch, grantee),
        repo=place.repo,
        granted_by=place.owner.pubkey(),
        rent_payer=place.payer.pubkey(),
        expires_at=expires_at,
        authority_epoch=3,
        **values,
    )
    rent = chain.rent(ACCOUNTS["Role"].size + 8)
    assert chain.lamports(call.accounts["new_role"]) == rent
    assert before - chain.lamports(place.payer.pubkey()) == rent


def test_an_administrator_is_named_as_the_giver():
    place = make_place()
    call = place.with_role(for_repo(place), "helper", ADMINISTER)

    place.chain.send(call)

    role = place.chain.read(call.accounts["new_role"])
    assert role.granted_by == place.chain.party("helper").pubkey()


def test_lets_an_administrator_of_the_repository_act_for_it():
    check_role_holds(REPO_USE, make_place(), of_branch=False)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act_for_a_branch(of_branch: bool):
    check_role_holds(BRANCH_USE, make_place(), of_branch=of_branch)
