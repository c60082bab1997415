import pytest
from program_harness.acts import config_create, repo_create
from program_harness.call import CONFIG, find_bump
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, SEEDS
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals, twin_call
from program_harness.values import ADMINISTER, BAD_NAMES, GOOD_NAMES, digest
from program_harness.world import Place, make_place


def with_policy(place: Place) -> Place:
    chain = place.chain
    if not chain.exists(CONFIG):
        chain.send(config_create(chain))
    chain.send(repo_create(chain, place.name))
    chain.send(place.policy_create())
    return place


def scene(place: Place):
    return with_policy(place).branch_create()


def second_branch(place: Place):
    place.created()
    return Place(place.chain, place.name, b"side").branch_create()


USE = RoleUse(second_branch, ADMINISTER, for_branch=False)


@refusals(
    "branch_create",
    scene,
    Rules(
        errors={
            # The branch's address hangs on the repository's.
            "foreign-repo": SEEDS,
            "foreign-policy": "AccountMismatch",
        }
    ),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


@pytest.mark.parametrize("name", BAD_NAMES)
def test_refuses_names_outside_the_alphabet(name: bytes):
    place = with_policy(make_place(branch_name=name))

    place.chain.expect_refusal(place.branch_create(), "NameInvalid")


@pytest.mark.parametrize("length", [65, 255, 256])
def test_refuses_names_that_are_too_long(length: int):
    place = with_policy(make_place(branch_name=b"x" * length))

    place.chain.expect_refusal(place.branch_create(), "NameInvalid")


def test_refuses_the_address_of_another_name():
    place = with_policy(make_place())

    place.chain.expect_refusal(
        place.branch_create().with_arguments(name=b"other"), SEEDS
    )


def test_refuses_a_second_branch_of_the_same_name():
    place = with_policy(make_place())
    place.chain.send(place.branch_create())

    place.chain.expect_refusal(place.branch_create(first_round=0), IN_USE)


@pytest.mark.parametrize("index", [1, 2**32 - 1])
def test_refuses_a_policy_index_that_is_not_the_given_policys(index: int):
    place = with_policy(make_place())

    place.chain.expect_refusal(
        place.branch_create().with_arguments(policy_index=index), "PolicyMismatch"
    )


@pytest.mark.parametrize("first_round", [2, 255])
def test_refuses_a_first_round_that_is_neither_0_nor_1(first_round: int):
    place = with_policy(make_place())

    place.chain.expect_refusal(
        place.branch_create(first_round=first_round), "UnknownBits"
    )


@pytest.mark.parametrize("protected", [2, 255])
def test_refuses_a_protected_that_is_neither_0_nor_1(protected: int):
    place = with_policy(make_place())

    place.chain.expect_refusal(place.branch_create(protected=protected), "UnknownBits")


def test_refuses_a_protected_branch_made_by_an_administrator():
    place = make_place()
    call = place.with_role(second_branch(place), "helper", ADMINISTER)

    place.chain.expect_refusal(call.with_arguments(protected=1), "ProtectedBranch")


def test_refuses_a_policy_of_another_repository_than_the_branchs():
    place = make_place()
    call = scene(place)
    other = twin_call(place, scene).accounts

    place.chain.expect_refusal(
        call.with_accounts(repo=other["repo"], branch=other["branch"]),
        "AccountMismatch",
    )


def test_refuses_while_paused():
    place = with_policy(make_place())
    place.chain.edit(CONFIG, pause_bits=2)

    place.chain.expect_refusal(place.branch_create(), "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = with_policy(make_place())
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(place.branch_create(), "Overflow")


@pytest.mark.parametrize("name", GOOD_NAMES)
@pytest.mark.parametrize(("protected", "first_round"), [(0, 1), (1, 0)])
def test_makes_a_branch_without_a_head(name: bytes, protected: int, first_round: int):
    place = with_policy(make_place(branch_name=name))
    chain = place.chain
    chain.send(place.policy_create())
    place.policy_index = 1
    chain.edit(CONFIG, pause_bits=63 & ~2)
    before = chain.lamports(place.payer.pubkey())

    event = chain.act(
        place.branch_create(protected=protected, first_round=first_round),
        place.repo,
        place.owner,
    )

    values = {
        "name_len": len(name),
        "name": name.ljust(64, b"\0"),
        "policy_index": 1,
        "protected": protected,
    }
    assert event == (
        "BranchCreated",
        {"branch": place.branch, **values, "first_round": first_round},
    )
    assert chain.read(place.branch) == account_of(
        "Branch",
        bump=find_bump(b"branch", place.repo, digest(name.decode())),
        repo=place.repo,
        round_index=first_round,
        created_at=chain.now,
        **values,
    )
    rent = chain.rent(ACCOUNTS["Branch"].size + 8)
    assert chain.lamports(place.branch) == rent
    assert before - chain.lamports(place.payer.pubkey()) == rent


def test_lets_an_administrator_of_the_repository_act():
    check_role_holds(USE, make_place(), of_branch=False)
