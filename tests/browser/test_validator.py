"""Five actions, signed in a real browser, on a real Solana node."""

import os
import sys
from pathlib import Path

import pytest
from aggregator_place import Place, make_update
from browser_world import World, running_site

from flair_client.chain.accounts import Scope
from flair_client.chain.pdas import find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.ids import Address
from flair_client.localnet.validator import find_validator

CONTRACT = Path(__file__).parents[1] / "client" / "localnet" / "contract"


@pytest.fixture(scope="module")
def world(browser, tmp_path_factory):
    """A site in front of the node that the other tests of this run use as well."""
    binary = find_validator(os.environ.get("FLAIR_TEST_VALIDATOR"))
    if binary is None:
        pytest.skip("there is no solana-test-validator; scripts/install-validator")
    sys.path.insert(0, str(CONTRACT))
    from contract_sharing import share

    with share(binary, tmp_path_factory) as node:
        rpc = Rpc(node.url)
        genesis_hash = rpc.get_genesis_hash()
        rpc.close()
        place = Place(tmp_path_factory.mktemp("place"), node.url, genesis_hash)
        place.context("owner")
        # Until a block is final takes a real cluster thirteen seconds.
        with running_site(place) as url:
            yield World(place, browser, url, done="Confirmed.")
        place.close()


@pytest.mark.validator
def test_five_actions_take_effect_on_a_real_node(world, people):
    chain = world.place.chains[0]
    model = world.model("browser")
    text = f"{model.address.creator}/{model.address.name}"
    owner, nurse = people("owner").sign_in(), people("nurse").sign_in()

    nurse.act("repo_create", {"name": "lungs"})
    owner.act("invite_create", {"scope": "attest"}, repo=text)
    owner.act("role_grant", {"grantee": nurse.address}, repo=text)
    nurse.act("round_open", repo=text, branch="main", round=1)
    made = make_update(model, world.place.context("nurse"), 3, 1)
    nurse.act("push", {"weight": 4}, commit=made["commit_id"], repo=text)

    wallet = Address.parse(nurse.address)
    assert chain.repo(find_repo_pda(wallet, "lungs")[0]).authority == wallet
    (invite,) = chain.invites(model.repo)
    assert invite.scope == Scope.ATTEST
    assert chain.role_for(model.repo, None, wallet).scope == Scope.CONTRIBUTE
    (update,) = model.updates()
    assert (update.commit_id, update.weight) == (made["commit_id"], 4)
