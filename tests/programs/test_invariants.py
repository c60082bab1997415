"""Accounts that contradict themselves are refused, whoever made them so.

No instruction leaves such accounts behind; these are written by hand, to see that a
call which finds one stops before it builds on it.
"""

from typing import Any

import pytest
from program_harness.acts import config_set
from program_harness.call import CONFIG
from program_harness.calls import CALLS
from program_harness.values import ADMINISTER, CLOSED, MERGED, OPEN, SNAPSHOT, digest
from program_harness.world import Place, make_place
from solders.pubkey import Pubkey


def expect_broken(place: Place, call, account: str, **changes: Any) -> None:
    place.chain.edit(call.accounts[account], **changes)

    place.chain.expect_refusal(call, "InvariantBroken")


@pytest.mark.parametrize("changes", [{"version": 0}, {"version": 2}, {"mode_bits": 1}])
def test_refuses_a_config_of_another_version_or_mode(changes: dict[str, int]):
    place = make_place().created()

    expect_broken(place, config_set(place.chain), "config", **changes)


OF_REPOS = [
    *("policy_create", "role_revoke", "merge_expire", "invite_revoke", "join_close"),
    *("delegation_revoke", "repo_set_sponsor", "authority_offer", "authority_accept"),
]


@pytest.mark.parametrize("name", OF_REPOS)
@pytest.mark.parametrize("version", [0, 2])
def test_refuses_a_repository_of_another_version(name: str, version: int):
    place = make_place()

    expect_broken(place, CALLS[name](place), "repo", version=version)


def test_refuses_a_repository_without_authority():
    place = make_place().created()
    call = place.with_role(place.policy_create(), "helper", ADMINISTER)

    expect_broken(place, call, "repo", authority=Pubkey.from_bytes(bytes(32)))


@pytest.mark.parametrize(
    "name", ["branch_set_policy", "branch_advance", "branch_merge", "round_open"]
)
@pytest.mark.parametrize(
    "changes", [{"version": 0}, {"version": 2}, {"protected": 2}, {"protected": 255}]
)
def test_refuses_a_branch_with_unknown_values(name: str, changes: dict[str, int]):
    place = make_place()

    expect_broken(place, CALLS[name](place), "branch", **changes)


@pytest.mark.parametrize(
    "name", ["branch_set_policy", "branch_advance", "branch_merge"]
)
def test_refuses_a_branch_whose_round_is_neither_live_nor_not(name: str):
    place = make_place()

    expect_broken(place, CALLS[name](place), "branch", round_live=2)


@pytest.mark.parametrize("name", ["round_abort", "merge_finalize"])
def test_refuses_an_ended_round_on_a_branch_of_another_version(name: str):
    place = make_place()

    expect_broken(place, CALLS[name](place), "branch", version=2)


@pytest.mark.parametrize("changes", [{"round_live": 1}, {"head_seq": 1}])
def test_refuses_a_branch_without_head_that_has_a_round_or_moves(changes):
    place = make_place().created()

    expect_broken(place, place.branch_set_policy(0), "branch", **changes)


OF_ROUNDS = [
    *("round_close", "round_abort", "update_push", "update_withdraw"),
    *("update_reject", "update_expire", "update_settle", "merge_accumulate"),
    "merge_finalize",
]


@pytest.mark.parametrize("name", OF_ROUNDS)
def test_refuses_a_round_of_another_version(name: str):
    place = make_place()

    expect_broken(place, CALLS[name](place), "round", version=2)


@pytest.mark.parametrize("state", [0, 5, 255])
def test_refuses_a_round_in_an_unknown_state(state: int):
    place = make_place()

    expect_broken(place, CALLS["update_expire"](place), "round", state=state)


@pytest.mark.parametrize("before", [0, 1])
def test_refuses_a_round_that_ended_before_it_began(before: int):
    place = make_place()
    call = CALLS["round_close"](place)
    opened_at = place.round_state().opened_at

    expect_broken(place, call, "round", deadline=opened_at - before)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        # Two updates of weight 1 are accepted; n_accumulated and its weight are 0.
        ("round_close", {"n_accumulated": 3}),
        ("round_close", {"weight_accumulated": 3}),
        ("round_close", {"weight_sum": 1}),
        ("merge_accumulate", {"n_accepted": 1}),
        ("merge_accumulate", {"weight_sum": 1, "n_accepted": 1}),
        ("update_settle", {"n_accumulated": 1}),
        ("update_settle", {"weight_accumulated": 1}),
    ],
)
def test_refuses_a_round_whose_sums_contradict_each_other(name: str, changes):
    place = make_place()

    expect_broken(place, CALLS[name](place), "round", **changes)


@pytest.mark.parametrize("n_accumulated", [2, 0])
def test_accepts_sums_at_their_limits(n_accumulated: int):
    place = make_place()
    call = CALLS["round_close"](place)
    place.chain.edit(
        call.accounts["round"],
        n_accumulated=n_accumulated,
        weight_accumulated=n_accumulated,
    )

    place.chain.send(call)

    assert place.round_state().state == CLOSED


def test_refuses_a_finalized_weight_that_is_not_the_whole():
    place = make_place()

    expect_broken(place, CALLS["merge_finalize"](place), "round", weight_accumulated=1)


@pytest.mark.parametrize(
    "changes", [{"version": 0}, {"version": 2}, {"weight": 3}, {"reject_reason": 1}]
)
def test_refuses_to_accumulate_an_update_that_contradicts_itself(changes):
    place = make_place().closed({"a": 1, "b": 4})
    call = place.merge_accumulate(["b"])
    place.chain.edit(place.find_update("b"), **changes)

    place.chain.expect_refusal(call, "InvariantBroken")


@pytest.mark.parametrize("changes", [{"version": 2}, {"weight": 3}])
def test_refuses_to_reject_an_update_that_contradicts_itself(changes):
    place = make_place().opened({"a": 4, "b": 4})

    expect_broken(place, place.update_reject("a"), "update", **changes)


@pytest.mark.parametrize("changes", [{"version": 2}, {"updates": 0}])
def test_refuses_to_credit_a_contribution_that_contradicts_itself(changes):
    place = make_place()

    expect_broken(place, CALLS["update_settle"](place), "contribution", **changes)


@pytest.mark.parametrize("changes", [{"version": 2}, {"merges": 9}])
def test_refuses_to_count_on_a_contribution_that_contradicts_itself(changes):
    place = make_place().opened(["a"])
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    place.opened()

    expect_broken(place, place.update_push("a"), "contribution", **changes)


def test_states_and_versions_are_the_documents():
    """What the cases above call wrong is wrong because these are right."""
    place = make_place().opened(["a"])

    assert place.round_state().state == OPEN
    assert {place.chain.read(address).version for address in (CONFIG, place.repo)} == {
        1
    }
    assert (OPEN, CLOSED, MERGED) == (1, 2, 3)
