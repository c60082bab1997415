from dataclasses import replace

import pytest

from flair_client.chain.arguments import BranchCreateArgs
from flair_client.chain.layout import decode
from flair_client.errors import Refused, RpcTimeout, UsageError
from flair_client.ids import CommitId
from flair_client.porcelain.repo_publish import RootPlan, repo_publish
from flair_client.testing import (
    ADDRESS,
    NO_COMMIT,
    OWNER,
    make_branch,
    make_policy,
    make_repo,
)

ROOT = CommitId(bytes([4]) * 32)
PLAN = RootPlan(n_params=9, first_round=0, policy={"min_updates": 3})


@pytest.fixture
def steps(chain, monkeypatch):
    """An empty chain on which the three instructions have their effect."""
    chain.repo_account = None
    chain.policy_accounts = []
    chain.branch_accounts = []
    taken = []
    send = type(chain).send

    def effective(self, instructions, signers, **more):
        if steps_left == [0]:
            raise RpcTimeout("not confirmed in time")
        steps_left[0] -= 1
        result = send(self, instructions, signers, **more)
        name = instructions[0].name
        taken.append(name)
        if name == "repo_create":
            self.repo_account = make_repo(policy_count=0)
        elif name == "policy_create":
            self.policy_accounts.append(make_policy())
            self.repo_account = replace(self.repo_account, policy_count=1)
        else:
            args = decode(BranchCreateArgs, instructions[0].data[8:])
            self.branch_accounts.append(
                make_branch(args.name, head_commit=NO_COMMIT, round_live=False)
            )
        return result

    steps_left = [100]
    monkeypatch.setattr(type(chain), "send", effective)
    taken.clear()
    return taken, steps_left


def publish(ctx, root=lambda _repo, _branch: ROOT, **more):
    told = []
    done = repo_publish(
        ctx, "heart", PLAN, root, points_per_merge=5, tell=told.append, **more
    )
    assert tuple(told) == done.steps
    return done


def test_everything_is_made_in_order(chain, as_, steps):
    done = publish(as_(OWNER))

    assert steps[0] == ["repo_create", "policy_create", "branch_create"]
    assert done.repo == ADDRESS
    assert done.root == ROOT
    assert len(done.steps) == 4
    assert decode(BranchCreateArgs, chain.sent[-1].data[8:]).first_round == 0


@pytest.mark.parametrize("n_before", [0, 1, 2])
def test_a_run_that_was_cut_off_is_continued(as_, steps, n_before):
    taken, steps_left = steps
    steps_left[0] = n_before
    with pytest.raises(RpcTimeout):
        publish(as_(OWNER))
    steps_left[0] = 100

    done = publish(as_(OWNER))

    assert taken == ["repo_create", "policy_create", "branch_create"]
    assert len(done.steps) == 4 - n_before


def test_a_run_that_was_cut_off_before_the_root_is_continued(as_, steps):
    def fails(_repo, _branch):
        raise RpcTimeout("not confirmed in time")

    with pytest.raises(RpcTimeout):
        publish(as_(OWNER), fails)

    assert publish(as_(OWNER)).steps == (f"root commit {ROOT.short}",)


def test_a_bad_policy_leaves_nothing_behind(as_, steps):
    with pytest.raises(UsageError, match=r"policy\.bits"):
        publish(as_(OWNER), policy={"bits": 12})
    assert steps[0] == []


def test_another_root_is_refused_by_whoever_makes_the_root(as_, steps):
    def other(_repo, _branch):
        raise Refused("branch 'main' has another root")

    with pytest.raises(Refused):
        publish(as_(OWNER), other)
