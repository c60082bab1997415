"""Every action on a repository in a real browser, from button to final block."""

import re

import pytest

from flair_client.chain.accounts import Scope
from flair_client.chain.pdas import find_branch_pda, find_repo_pda
from flair_client.ids import Address
from flair_client.porcelain.join import join_request_list
from flair_client.porcelain.repo import repo_create
from flair_client.porcelain.repo_offer import repo_offer
from flair_client.porcelain.role import role_grant


@pytest.fixture
def chain(world):
    return world.place.chains[0]


def made(world, name, owner="owner"):
    """An empty repository; gives its address, as text too."""
    ctx = world.place.context(owner)
    repo = repo_create(ctx, name, points_per_merge=10).repo
    return repo, f"{repo.creator}/{repo.name}"


def account(chain, text):
    creator, _, name = text.partition("/")
    return chain.repo(find_repo_pda(Address.parse(creator), name)[0])


def test_a_repository_is_made(world, people, chain):
    maria = people("maria").sign_in()

    shown = maria.act("repo_create", {"name": "lungs"})

    assert str(account(chain, f"{maria.address}/lungs").authority) == maria.address
    assert "your wallet" in shown
    assert "Rent of repo" in shown
    assert "not paid back: the account stays" in shown
    assert "of which 0 SOL is paid back" in shown


def test_a_policy_and_a_branch_are_made(world, people, chain):
    repo, text = made(world, "rules")
    owner = people("owner").sign_in()

    owner.act(
        "policy_create",
        {"n_params": 12, "min_updates": 3, "approvals_needed": 1, "norm_bound": "2.5"},
        repo=text,
    )
    owner.act("branch_create", {"name": "main", "protected": "yes"}, repo=text)

    where = find_repo_pda(repo.creator, "rules")[0]
    params = chain.policy(where, 0).params
    assert (params.n_params, params.min_updates, params.approvals_needed) == (12, 3, 1)
    branch = chain.branch(where, "main")
    assert branch.protected
    assert branch.policy_index == 0


def test_an_invite_is_made_and_taken(world, people, chain):
    repo, text = made(world, "invites")
    owner, nurse = people("owner").sign_in(), people("nurse").sign_in()

    owner.act("invite_create", {"scope": "attest", "uses": 2}, repo=text)
    link = owner.page.locator("#invite-link").input_value()
    nurse.open("invite_redeem")
    nurse.page.locator("#link").fill(link)
    shown = nurse.plan().inner_text()
    nurse.sign()
    nurse.expect("Final: it cannot be undone.")

    where = find_repo_pda(repo.creator, repo.name)[0]
    role = chain.role_for(where, None, Address.parse(nurse.address))
    assert role.scope == Scope.ATTEST
    assert link.startswith(f"flair://localnet/{text}#invite=")
    assert "attest" in shown
    assert "paid back when the role is revoked" in shown
    seed = link.partition("#invite=")[2]
    assert not any(seed in one for one in world.requests), "the secret stays there"


def test_a_request_to_join_is_answered_with_a_role(world, people, chain):
    repo, text = made(world, "requests")
    nurse, owner = people("nurse").sign_in(), people("owner").sign_in()

    nurse.act("join_request", {"note": "We have 40 scans."}, repo=text)
    (waiting,) = join_request_list(world.place.context("owner"), repo).requests
    owner.act("role_grant", {"grantee": nurse.address, "days": 30}, repo=text)

    assert (str(waiting.wallet), waiting.note) == (nurse.address, "We have 40 scans.")
    assert join_request_list(world.place.context("owner"), repo).requests == ()
    (role,) = chain.roles(find_repo_pda(repo.creator, repo.name)[0])
    assert role.scope == Scope.CONTRIBUTE
    assert role.expires_at > 0


def test_a_role_is_revoked(world, people, chain):
    repo, text = made(world, "revokes")
    grantee = world.place.context("nurse").wallet.address
    role_grant(world.place.context("owner"), repo, grantee, Scope.CONTRIBUTE)
    owner = people("owner").sign_in()

    owner.act("role_revoke", {"grantee": str(grantee)}, repo=text)

    assert chain.roles(find_repo_pda(repo.creator, repo.name)[0]) == []


def test_a_repository_is_offered_and_accepted(world, people, chain):
    _, text = made(world, "handover")
    owner, heir = people("owner").sign_in(), people("heir").sign_in()

    owner.act("authority_offer", {"wallet": heir.address}, repo=text)
    shown = heir.act("authority_accept", repo=text)

    assert str(account(chain, text).authority) == heir.address
    assert re.search(r"0 roles, 0\s+invites", shown)


def test_refusals_say_what_stands_in_the_way_and_what_helps(world, people):
    _, text = made(world, "refusals")
    nurse = people("nurse").sign_in()
    stranger = world.place.context("heir").wallet.address

    told = nurse.refused("authority_accept", repo=text)
    forbidden = nurse.refused("role_revoke", repo=text, grantee=str(stranger))
    no_policy = nurse.refused("branch_create", repo=text)
    model = world.model("opens", round_length="1h")
    theirs = f"{model.address.creator}/{model.address.name}"
    refused = nurse.refused("branch_create", repo=theirs, name="ward")

    assert "was not offered to wallet" in told
    assert "Ask the owner to offer it to this wallet." in told
    assert "there is no role" in forbidden
    assert "there is no policy 0" in no_policy
    assert "Create a policy first." in no_policy
    assert "the signer is not the authority and brought no role" in refused
    assert "Ask the owner for the role 'administer'." in refused


def test_an_offer_that_stands_is_not_signed_again(world, people):
    repo, text = made(world, "twice")
    heir = world.place.context("heir").wallet.address
    repo_offer(world.place.context("owner"), repo, heir)
    owner = people("owner").sign_in()

    told = owner.refused("authority_offer", repo=text, wallet=str(heir))

    assert "it stands like that already" in told


def test_a_branch_names_its_own_address(world, people, chain):
    repo, text = made(world, "named")
    owner = people("owner").sign_in()
    owner.act("policy_create", {"n_params": 4}, repo=text)

    owner.act("branch_create", {"name": "ward"}, repo=text)

    where = find_repo_pda(repo.creator, repo.name)[0]
    assert chain.rpc.get_account(find_branch_pda(where, "ward")[0]) is not None
