from dataclasses import replace

import pytest

from flair_client.chain.accounts import Scope
from flair_client.chain.arguments import BranchCreateArgs, RepoCreateArgs
from flair_client.chain.layout import decode
from flair_client.chain.pdas import find_policy_pda, find_role_pda
from flair_client.errors import AccountMissing, Refused
from flair_client.ids import CommitId
from flair_client.porcelain.branch import branch_create, branch_list
from flair_client.porcelain.policy import policy_list, policy_make, policy_use
from flair_client.porcelain.repo import repo_create, repo_list, repo_show
from flair_client.testing import (
    ADDRESS,
    ADMIN,
    ALICE,
    HEAD,
    OWNER,
    PARAMS,
    REPO,
    make_branch,
    make_policy,
    make_role,
)


def test_create_makes_a_repository_of_ones_own(chain, as_):
    made = repo_create(as_(ALICE), "heart", points_per_merge=9)

    assert made.repo.creator == ALICE.address
    assert chain.sent[0].name == "repo_create"
    args = decode(RepoCreateArgs, chain.sent[0].data[8:])
    assert args == RepoCreateArgs("heart", 9)
    assert chain.sent_account("repo") == made.account


def test_create_refuses_what_exists_before_anything_is_sent(chain, as_):
    with pytest.raises(Refused, match="exists already"):
        repo_create(as_(OWNER), "heart", points_per_merge=9)
    assert chain.sent == []


def test_show_gives_owner_and_branches(chain, as_):
    chain.repo_account = replace(chain.repo_account, authority=ADMIN.address)
    chain.branch_accounts.append(
        make_branch("a", head_commit=CommitId(bytes(32)), protected=True)
    )

    shown = repo_show(as_(), ADDRESS)

    assert shown.authority == ADMIN.address
    assert shown.creator == OWNER.address
    assert [item.name for item in shown.branches] == ["a", "main"]
    assert [item.head for item in shown.branches] == [None, HEAD]
    assert [item.protected for item in shown.branches] == [True, False]


def test_a_repository_that_is_not_there_is_said_so(as_):
    with pytest.raises(AccountMissing, match="there is no repo"):
        repo_show(as_(), replace(ADDRESS, name="lung"))


def test_list_is_of_everybody_or_one_creator(as_):
    assert [row.repo for row in repo_list(as_()).repos] == [ADDRESS]
    assert repo_list(as_(), ALICE.address).repos == ()


def test_a_branch_follows_the_newest_policy_unless_told(chain, as_):
    chain.repo_account = replace(chain.repo_account, policy_count=3)

    branch_create(as_(OWNER), ADDRESS, "trial", first_round=0)
    args = decode(BranchCreateArgs, chain.sent[-1].data[8:])
    assert (args.name, args.policy_index, args.first_round) == ("trial", 2, 0)

    branch_create(as_(OWNER), ADDRESS, "trial", policy_index=1, protected=True)
    args = decode(BranchCreateArgs, chain.sent[-1].data[8:])
    assert (args.policy_index, args.protected, args.first_round) == (1, 1, 1)
    assert chain.sent_account("policy") == find_policy_pda(REPO, 1)[0]


def test_branches_are_listed_by_name(chain, as_):
    chain.branch_accounts.append(make_branch("a"))

    assert [item.name for item in branch_list(as_(), ADDRESS).branches] == ["a", "main"]


def test_a_policy_gets_the_next_index(chain, as_):
    chain.repo_account = replace(chain.repo_account, policy_count=3)
    chain.role_accounts.append(make_role(ADMIN, Scope.ADMINISTER))

    made = policy_make(as_(ADMIN), ADDRESS, PARAMS)

    assert made.index == 3
    assert chain.sent_account("policy") == find_policy_pda(REPO, 3)[0]
    assert chain.sent_account("role") == find_role_pda(REPO, None, ADMIN.address)[0]


def test_policies_are_listed_with_the_branches_that_follow_them(chain, as_):
    chain.repo_account = replace(chain.repo_account, policy_count=2)
    chain.policy_accounts.append(make_policy(1))
    chain.branch_accounts += [make_branch("b"), make_branch("a", policy_index=1)]

    listed = policy_list(as_(), ADDRESS)

    assert [item.index for item in listed.policies] == [0, 1]
    assert listed.used_by == {0: ("b", "main"), 1: ("a",)}


def test_using_the_policy_in_use_sends_nothing(chain, as_):
    done = policy_use(as_(OWNER), ADDRESS, "main", 0)

    assert done.tx_signature is None
    assert chain.sent == []


def test_using_another_policy_names_it(chain, as_):
    done = policy_use(as_(OWNER), ADDRESS, "main", 1)

    assert (done.previous_index, done.index) == (0, 1)
    assert chain.sent[0].name == "branch_set_policy"
    assert chain.sent_account("policy") == find_policy_pda(REPO, 1)[0]
