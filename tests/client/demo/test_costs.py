"""Costs are those that the cluster's own records tell."""

import pytest

from flair_client.chain.accounts import Scope
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID, find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.context import Context
from flair_client.demo.costs import chain_costs
from flair_client.localnet import start_localnet
from flair_client.porcelain.repo import repo_create
from flair_client.porcelain.role import role_grant
from flair_client.settings import NetworkProfile
from flair_client.store.memory import MemoryStore

# A signature costs 5,000 lamports, and each of these transactions has one.
FEE = 5_000


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("costs")
    with start_localnet(folder / "net") as net:
        wallet = create_wallet(folder / "owner.json")
        chain = ChainClient(Rpc(net.url, genesis_hash=net.genesis_hash))
        chain.wait_for(chain.rpc.request_airdrop(wallet.address, 10**10))
        profile = NetworkProfile(
            "localnet", net.url, net.genesis_hash, PROGRAM_ID, "file:///unused"
        )
        yield Context(profile, chain, MemoryStore(), wallet)
        chain.close()


def test_fees_units_and_rent_of_a_repository(owner):
    chain = owner.chain
    empty = sum(one.lamports for one in chain.rpc.get_program_accounts(PROGRAM_ID))
    before = chain.rpc.get_balance(owner.wallet.address)
    made = repo_create(owner, "heart", points_per_merge=1)
    for name in (b"a", b"b"):
        grantee = find_repo_pda(owner.wallet.address, name.decode())[0]
        role_grant(owner, made.repo, grantee, Scope.CONTRIBUTE)
    costs = chain_costs(chain, find_repo_pda(owner.wallet.address, "heart")[0])
    spent = before - chain.rpc.get_balance(owner.wallet.address)
    assert costs.fee_lamports == 3 * FEE
    assert spent == costs.fee_lamports + costs.rent_lamports - empty
    assert {name: n for name, (n, _) in costs.compute_units.items()} == {
        "repo_create": 1,
        "role_grant": 2,
    }
    assert all(0 < most < 20_000 for _, most in costs.compute_units.values())
