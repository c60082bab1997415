"""Accounts that no instruction makes, at the right address and with a sound layout.

They are written by hand, to see that nothing rests on how an account came to be.
"""

import hashlib

import pytest
from program_harness.call import Call, find_bump, find_pda
from program_harness.calls import CALLS
from program_harness.values import BAD_NAMES
from program_harness.world import Place, make_place
from solders.pubkey import Pubkey

# Those that fit into the field.
NAMES = [name for name in BAD_NAMES if len(name) <= 64]
OF_LIVE_ROUNDS = [
    *("round_close", "update_push", "update_withdraw", "update_reject"),
    *("merge_accumulate", "merge_propose", "merge_finalize"),
]


def renamed(place: Place, address: Pubkey, name: bytes, *seeds: bytes | Pubkey):
    """Copies an account to where it would lie under another name."""
    seeds = (*seeds, hashlib.sha256(name).digest())
    copy = find_pda(*seeds)
    place.chain.put(copy, data=place.chain.data(address))
    place.chain.edit(
        copy, name=name.ljust(64, b"\0"), name_len=len(name), bump=find_bump(*seeds)
    )
    return copy


@pytest.mark.parametrize("name", NAMES)
def test_refuses_a_branch_with_a_bad_name(name: bytes):
    place = make_place().created()
    branch = renamed(place, place.branch, name, b"branch", place.repo)

    place.chain.expect_refusal(
        place.branch_set_policy(0).with_accounts(branch=branch), "NameInvalid"
    )


@pytest.mark.parametrize("name", NAMES)
def test_refuses_a_repository_with_a_bad_name(name: bytes):
    place = make_place().created()
    repo = renamed(place, place.repo, name, b"repo", place.owner.pubkey())
    policy = find_pda(b"policy", repo, (1).to_bytes(4, "little"))
    call = place.policy_create().with_accounts(repo=repo, policy=policy)

    place.chain.expect_refusal(call, "NameInvalid")


@pytest.mark.parametrize("name", NAMES)
def test_refuses_a_sponsor_for_a_repository_with_a_bad_name(name: bytes):
    place = make_place().created()
    repo = renamed(place, place.repo, name, b"repo", place.owner.pubkey())

    place.chain.expect_refusal(
        place.repo_set_sponsor("a").with_accounts(repo=repo), "NameInvalid"
    )


def without_live_round(place: Place, call: Call) -> Call:
    """The round's index is still the branch's, but no round is in progress."""
    place.chain.edit(call.accounts["branch"], round_live=0)
    return call


@pytest.mark.parametrize("name", OF_LIVE_ROUNDS)
def test_refuses_the_next_round_of_a_branch_as_the_live_one(name: str):
    place = make_place()
    call = without_live_round(place, CALLS[name](place))

    place.chain.expect_refusal(call, "RoundNotLive")
