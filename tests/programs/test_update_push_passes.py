"""What `update_push` changes where it passes; its refusals: test_update_push.py."""

import pytest
from program_harness.call import CONFIG, find_bump
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.values import (
    ACCEPTED,
    CONTRIBUTE,
    DEPOSIT,
    ZERO,
)
from program_harness.world import make_place


@pytest.mark.parametrize("weight", [1, 2, 32, 64])
def test_pushes_with_every_allowed_weight(weight: int):
    place = make_place().opened()
    chain = place.chain
    contributor, payer = chain.party("a"), place.payer.pubkey()
    chain.edit(CONFIG, pause_bits=63 & ~8)
    chain.wait(3599)
    before, lamports = place.round_state(), chain.lamports(payer)
    call = place.update_push("a", weight=weight)

    event = chain.act(call, place.repo, contributor)

    arguments = dict(call.arguments)
    del arguments["expected_base"]
    assert event == (
        "UpdatePushed",
        {
            "branch": place.branch,
            "round_index": 1,
            "contributor": contributor.pubkey(),
            "statement_digest": ZERO,
            "n_columns": 0,
            **arguments,
        },
    )
    update = place.find_update("a")
    assert chain.read(update) == account_of(
        "Update",
        bump=find_bump(b"update", place.round, contributor.pubkey()),
        status=ACCEPTED,
        repo=place.repo,
        branch=place.branch,
        round=place.round,
        contributor=contributor.pubkey(),
        pushed_at=chain.now,
        deposit_lamports=DEPOSIT,
        rent_payer=payer,
        signer=contributor.pubkey(),
        **arguments,
    )
    contribution = place.find_contribution("a")
    assert chain.read(contribution) == account_of(
        "Contribution",
        bump=find_bump(b"contrib", place.repo, contributor.pubkey()),
        repo=place.repo,
        contributor=contributor.pubkey(),
        updates=1,
    )
    vars(before).update(n_live=1, n_accepted=1, weight_sum=weight)
    assert place.round_state() == before
    rents = [chain.rent(ACCOUNTS[n].size + 8) for n in ("Update", "Contribution")]
    assert chain.lamports(update) == rents[0] + DEPOSIT
    assert chain.lamports(contribution) == rents[1]
    assert lamports - chain.lamports(payer) == sum(rents) + DEPOSIT


def test_a_machine_pushes_for_the_wallet_that_delegated_to_it():
    place = make_place(params={"contribute": 1}).opened()
    chain, wallet, machine = place.chain, "a", place.chain.party("machine")
    chain.send(place.role_grant(wallet, CONTRIBUTE))
    chain.send(place.delegation_create(wallet, "machine"))
    key = chain.party(wallet).pubkey()
    call = place.update_push(wallet, by="machine")
    call = call.with_accounts(role=place.find_role(key))
    chain.edit(call.accounts["delegation"], expires_at=chain.now + 1)

    name, event = chain.act(call, place.repo, machine)

    assert (name, event["contributor"]) == ("UpdatePushed", key)
    update = chain.read(place.find_update(wallet))
    assert (update.contributor, update.signer) == (key, machine.pubkey())
    contribution = chain.read(place.find_contribution(wallet))
    assert (contribution.contributor, contribution.updates) == (key, 1)
    assert not chain.exists(place.find_contribution("machine"))


def test_keeps_the_counts_of_an_account_that_got_lamports_before():
    place = make_place().opened()
    place.chain.svm.airdrop(place.find_contribution("a"), 1_000_000)
    place.chain.svm.airdrop(place.find_update("a"), 1_000_000_000)

    place.chain.send(place.update_push("a"))

    assert place.chain.read(place.find_contribution("a")).updates == 1


def test_takes_no_deposit_where_the_policy_asks_for_none():
    place = make_place(params={"deposit_lamports": 0}).opened(["a"])

    update = place.find_update("a")
    assert place.chain.lamports(update) == place.chain.rent(ACCOUNTS["Update"].size + 8)
    assert place.chain.read(update).deposit_lamports == 0


def test_an_open_policy_asks_for_no_role():
    place = make_place().opened()
    call = place.with_role(
        place.update_push("helper"), "helper", CONTRIBUTE, signer="signer"
    )
    place.chain.edit(call.accounts["role"], expires_at=1)

    place.chain.send(call)


def test_the_round_keeps_its_policy_when_the_branch_gets_another():
    place = make_place().opened()
    place.chain.send(place.policy_create(weight_cap=1), place.branch_set_policy(1))

    place.chain.send(place.update_push("a", weight=64))
