"""A real aggregator merges what machines push for their wallets."""

from dataclasses import replace

import pytest
from aggregator_place import aggregator

from flair_client.errors import NotDelegated
from flair_client.history.verify import verify_branch
from flair_client.porcelain.delegation import delegation_create, delegation_revoke
from flair_client.porcelain.verify import verify

DAY = 86_400


def machine_of(model, name):
    """A hospital whose clone pushes with a machine key of its own."""
    hospital = model.hospital(name)
    wallet = hospital.ctx
    key = model.place.context(f"{name}-machine")
    delegation_create(wallet, model.address, key.wallet.address, lasts_s=DAY)
    hospital.ctx = replace(key, on_behalf_of=wallet.wallet.address)
    return wallet, hospital


def test_updates_of_machine_keys_are_merged_and_earn_for_their_wallets(place):
    model = place.publish("machines", max_updates=2)
    bot = aggregator(model, "owner", "bot-machines")
    wallet, north = machine_of(model, "machines-north")
    south = model.hospital("machines-south")
    north.push(0.5)
    south.push(0.25)
    signed = {one.contributor: one.signer for one in model.updates()}

    assert bot.once()[:4] == [
        "round_close",
        "merge_accumulate",
        "merge_propose",
        "merge_finalize",
    ]

    chain = model.owner.chain
    assert signed[wallet.wallet.address] == north.ctx.wallet.address
    assert chain.contribution(model.repo, wallet.wallet.address).merges == 1
    assert chain.contribution(model.repo, north.ctx.wallet.address) is None
    report = verify_branch(chain, model.owner.remote, model.repo, "main")
    assert [one.n_updates for one in report.commits] == [0, 2]


def test_a_revoked_machine_key_pushes_no_more_and_what_it_pushed_stays(place):
    model = place.publish("revoked", max_updates=2)
    bot = aggregator(model, "owner", "bot-revoked")
    wallet, north = machine_of(model, "revoked-north")
    south = model.hospital("revoked-south")
    north.push(0.5)
    south.push(0.25)
    bot.once()
    key = north.ctx.wallet.address
    delegation_revoke(wallet, model.address, key)

    with pytest.raises(NotDelegated):
        north.push(0.5)
    assert verify(model.owner, model.address).fault is None
