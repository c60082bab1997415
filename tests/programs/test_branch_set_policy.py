import pytest
from program_harness.call import CONFIG
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import ADMINISTER
from program_harness.world import Place, make_place


def scene(place: Place):
    place.rooted()
    place.chain.send(place.policy_create())
    return place.branch_set_policy(1)


USE = RoleUse(scene, ADMINISTER)


@refusals(
    "branch_set_policy",
    scene,
    Rules(errors={"foreign-policy": "AccountMismatch"}),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


def test_refuses_an_administrator_on_a_protected_branch():
    place = make_place()
    call = place.with_role(scene(place), "helper", ADMINISTER)
    place.chain.edit(place.branch, protected=1)

    place.chain.expect_refusal(call, "ProtectedBranch")


@pytest.mark.parametrize("index", [0, 2, 2**32 - 1])
def test_refuses_an_index_that_is_not_the_given_policys(index: int):
    place = make_place()
    call = scene(place).with_arguments(policy_index=index)

    place.chain.expect_refusal(call, "PolicyMismatch")


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=2)

    place.chain.expect_refusal(call, "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("protected", [0, 1])
def test_the_authority_names_the_policy_of_the_next_round(protected: int):
    place = make_place()
    chain = place.chain
    call = scene(place)
    chain.edit(place.branch, protected=protected)
    chain.edit(CONFIG, pause_bits=63 & ~2)
    before = chain.read(place.branch)

    event = chain.act(call, place.repo, place.owner)

    assert event == ("BranchPolicySet", {"branch": place.branch, "policy_index": 1})
    before.policy_index = 1
    assert chain.read(place.branch) == before


def test_a_live_round_keeps_its_policy():
    place = make_place()
    call = scene(place)
    place.opened()
    before = place.round_state()

    place.chain.send(call)

    assert place.round_state() == before
    assert before.policy == place.find_policy(0)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act(of_branch: bool):
    check_role_holds(USE, make_place(), of_branch=of_branch)
