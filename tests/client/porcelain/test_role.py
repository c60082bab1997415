from dataclasses import replace

import pytest

from flair_client.chain.accounts import Scope
from flair_client.chain.arguments import RoleGrantArgs
from flair_client.chain.layout import decode
from flair_client.chain.pdas import find_role_pda
from flair_client.errors import AccountMissing, WalletError
from flair_client.porcelain.role import role_grant, role_list, role_revoke
from flair_client.testing import (
    ADDRESS,
    ADMIN,
    ALICE,
    BOB,
    MAIN,
    NOW,
    OWNER,
    REPO,
    make_role,
)


def sent_args(chain):
    return decode(RoleGrantArgs, chain.sent[-1].data[8:])


def test_the_owner_brings_no_role(chain, as_):
    chain.role_accounts.append(make_role(OWNER, Scope.ADMINISTER))

    made = role_grant(as_(OWNER), ADDRESS, ALICE.address, Scope.CONTRIBUTE)

    assert chain.sent_account("role") is None
    assert chain.sent_account("branch") is None
    assert made.expires_at is None
    assert sent_args(chain) == RoleGrantArgs(ALICE.address, Scope.CONTRIBUTE, 0)


def test_an_administrator_brings_its_role(chain, as_):
    chain.role_accounts.append(make_role(ADMIN, Scope.ADMINISTER | Scope.MERGE))

    role_grant(as_(ADMIN), ADDRESS, ALICE.address, Scope.CONTRIBUTE, branch="main")

    assert chain.sent_account("role") == find_role_pda(REPO, None, ADMIN.address)[0]
    assert chain.sent_account("branch") == MAIN


def test_a_branchs_administrator_brings_the_branchs_role(chain, as_):
    chain.role_accounts.append(make_role(ADMIN, Scope.ADMINISTER, branch=MAIN))

    role_grant(as_(ADMIN), ADDRESS, ALICE.address, Scope.MERGE, branch="main")
    assert chain.sent_account("role") == find_role_pda(REPO, MAIN, ADMIN.address)[0]

    role_grant(as_(ADMIN), ADDRESS, ALICE.address, Scope.MERGE)
    assert chain.sent_account("role") is None


@pytest.mark.parametrize(
    "role",
    [
        make_role(ADMIN, Scope.MERGE),
        make_role(ADMIN, Scope.ADMINISTER, expires_at=NOW),
        make_role(ADMIN, Scope.ADMINISTER, authority_epoch=1),
        make_role(BOB, Scope.ADMINISTER),
    ],
    ids=["scope", "expired", "epoch", "another's"],
)
def test_a_role_that_does_not_hold_is_not_brought(chain, as_, role):
    chain.role_accounts.append(role)

    role_grant(as_(ADMIN), ADDRESS, ALICE.address, Scope.CONTRIBUTE)

    assert chain.sent_account("role") is None


def test_a_role_for_some_time_ends_from_now(chain, as_):
    made = role_grant(
        as_(OWNER), ADDRESS, ALICE.address, Scope.CONTRIBUTE, lasts_s=3600
    )

    assert made.expires_at == NOW + 3600
    assert sent_args(chain).expires_at == NOW + 3600


def test_granting_needs_a_wallet_and_a_branch_that_exists(as_):
    with pytest.raises(WalletError):
        role_grant(as_(), ADDRESS, ALICE.address, Scope.MERGE)
    with pytest.raises(AccountMissing, match="branch"):
        role_grant(as_(OWNER), ADDRESS, ALICE.address, Scope.MERGE, branch="trial")


def test_revoking_gives_the_rent_back_to_its_payer(chain, as_):
    chain.role_accounts.append(make_role(ALICE, rent_payer=BOB.address, branch=MAIN))

    gone = role_revoke(as_(OWNER), ADDRESS, ALICE.address, branch="main")

    assert chain.sent_account("rent_payer") == BOB.address
    assert chain.sent_account("old_role") == find_role_pda(REPO, MAIN, ALICE.address)[0]
    assert gone.scope == Scope.CONTRIBUTE


def test_revoking_a_role_that_is_not_there_names_whose(chain, as_):
    chain.role_accounts.append(make_role(ALICE, branch=MAIN))

    with pytest.raises(AccountMissing, match=str(ALICE.address)):
        role_revoke(as_(OWNER), ADDRESS, ALICE.address)
    assert chain.sent == []


def test_the_list_tells_which_roles_hold(chain, as_):
    chain.repo_account = replace(chain.repo_account, authority_epoch=1)
    chain.role_accounts += [
        make_role(ALICE, authority_epoch=1),
        make_role(ALICE, authority_epoch=1, branch=MAIN, expires_at=NOW + 1),
        make_role(BOB, authority_epoch=1, expires_at=NOW),
        make_role(ADMIN, authority_epoch=0),
    ]

    listed = role_list(as_(), ADDRESS)

    found = {(item.grantee, item.branch): item.holds for item in listed.roles}
    assert found == {
        (ALICE.address, None): True,
        (ALICE.address, "main"): True,
        (BOB.address, None): False,
        (ADMIN.address, None): False,
    }
    assert listed.authority == OWNER.address
