"""`flair revert` on a real localnet: exact, only by who may, and again after a kill."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.audit import read_audit
from flair_client.errors import Refused, UsageError
from flair_client.history.graph import read_commit
from flair_client.porcelain import revert as module
from flair_client.porcelain.clone import clone
from flair_client.porcelain.policy import (
    policy_like,
    policy_list,
    policy_make,
    policy_use,
)
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert
from flair_client.porcelain.trust import trust
from flair_client.workspace import Workspace


def values(workspace):
    return safetensors.numpy.load_file(workspace.weights_path)


def test_a_merge_is_taken_back_and_later_ones_stay(team, flair):
    first = team.run_round(0.25, 0.25)
    team.run_round(0.5, 0.5)
    pull(team.owner, team.workspace)

    said = flair("revert", first.short, "-m", "labels were swapped", "--yes")
    log = team.workspace.head()

    assert said.code == 0, said.err
    assert f"merge {first.short}" in said.out
    assert "labels were swapped" in said.out
    assert "not unlearning" in said.err
    assert log.commit == team.head
    for one in values(team.workspace).values():
        np.testing.assert_allclose(one, 0.5, atol=1e-4)
    commit = read_commit(team.owner.remote, team.head)
    assert commit.message == "labels were swapped"
    assert flair("verify").code == 0


def test_one_contributors_term_is_taken_back_exactly(team, flair):
    merge = team.run_round(0.25, 0.75)
    site = team.sites[1][0].wallet.address
    pull(team.owner, team.workspace)

    found = flair("revert", "--contributor", site, "--yes", "--json").result

    assert found["reverts"] == str(merge)
    assert found["contributor"] == str(site)
    assert found["commit"] == str(team.head)
    assert found["before"] == str(merge)
    # Equal weights: each update counts half; 0.5 - 0.75 / 2 stays of the merge.
    for one in values(team.workspace).values():
        np.testing.assert_allclose(one, 0.125, atol=1e-4)
    n_values = sum(one.size for one in values(team.workspace).values())
    assert found["change"]["l2"] == pytest.approx(0.375 * n_values**0.5, abs=1e-3)
    assert found["change"]["max_abs"] == pytest.approx(0.375, abs=1e-4)
    assert flair("verify").code == 0


def test_a_dry_run_changes_nothing_and_tells_the_same(team, flair):
    merge = team.run_round(0.25)
    pull(team.owner, team.workspace)

    plan = flair("revert", "HEAD", "--dry-run", "--json").result

    assert plan["commit"] is None
    assert not plan["sent"]
    assert team.head == merge
    assert team.workspace.head().commit == merge
    done = flair("revert", "HEAD", "--yes", "--json").result
    assert done["change"] == plan["change"]
    assert done["sent"]


def test_a_revert_is_written_down_before_and_after(team, tmp_path):
    team.run_round(0.25)
    pull(team.owner, team.workspace)

    revert(replace(team.owner, home=tmp_path), team.workspace, "HEAD")

    lines = read_audit(tmp_path).lines
    assert [(line.kind, line.details["commit"]) for line in lines] == [
        ("push", str(team.head)),
        ("pushed", str(team.head)),
    ]


def test_without_a_terminal_it_has_to_be_said_with_yes(team, flair):
    merge = team.run_round(0.25)
    pull(team.owner, team.workspace)

    refused = flair("revert", "HEAD")

    assert refused.code == 2
    assert "--yes" in refused.err
    assert team.head == merge


def test_the_round_in_progress_is_named(team, flair):
    team.run_round(0.25)
    team.push_updates(0.5)
    pull(team.owner, team.workspace)

    assert "round 2, without a merge" in flair("revert", "HEAD", "--dry-run").out
    assert flair("revert", "HEAD", "--yes").code == 0
    assert not team.place.account.round_live
    assert flair("verify").code == 0


def test_who_may_not_is_refused_before_anything_is_made(team, flair):
    team.run_round(0.25)
    site, workspace = team.sites[0]
    pull(site, workspace)
    before = set(workspace.cache())

    with pytest.raises(Refused, match="not the owner and has no role 'administer'"):
        revert(site, workspace, "HEAD")

    assert set(workspace.cache()) == before


def test_a_holder_of_administer_may(team, flair):
    team.run_round(0.25)
    site, workspace = team.sites[0]
    address = site.wallet.address
    assert flair("role", "grant", address, "administer").code == 0
    pull(site, workspace)

    done = revert(site, workspace, "HEAD")

    assert done.commit == team.head
    assert flair("verify").code == 0


def test_what_was_taken_back_is_not_taken_back_again(team):
    merge = team.run_round(0.25, 0.5)
    pull(team.owner, team.workspace)
    site = team.sites[0][0].wallet.address
    revert(team.owner, team.workspace, contributor=site)

    with pytest.raises(Refused, match="was taken back by"):
        revert(team.owner, team.workspace, contributor=site)
    with pytest.raises(Refused, match="was taken back by"):
        revert(team.owner, team.workspace, str(merge))
    revert(team.owner, team.workspace, contributor=team.sites[1][0].wallet.address)


def test_only_merges_and_only_contributors_in_them(team):
    merge = team.run_round(0.25)
    pull(team.owner, team.workspace)
    stranger = team.owner.wallet.address

    with pytest.raises(UsageError, match="is a root; only merges"):
        revert(team.owner, team.workspace, "HEAD~1")
    with pytest.raises(UsageError, match="has no update of"):
        revert(team.owner, team.workspace, str(merge), contributor=stranger)
    with pytest.raises(UsageError, match="no merge of this branch has an update"):
        revert(team.owner, team.workspace, contributor=stranger)
    with pytest.raises(UsageError, match="name a merge, or a contributor"):
        revert(team.owner, team.workspace)


class Killed(BaseException):
    """What no code catches."""


@pytest.mark.parametrize("step", ["send_blocks", "advance", "_move_workspace"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_off_anywhere_the_same_command_goes_on(team, monkeypatch, step, when):
    team.run_round(0.25)
    pull(team.owner, team.workspace)
    real = getattr(module, step)

    def cut(*args, **kwargs):
        if when == "after":
            real(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(module, step, cut)
    with pytest.raises(Killed):
        revert(team.owner, team.workspace, "HEAD")
    made = team.workspace.marker("revert")
    monkeypatch.setattr(module, step, real)

    if (step, when) == ("_move_workspace", "after"):
        assert made is None
        assert team.workspace.head().commit == team.head
        return
    done = revert(team.owner, team.workspace, "HEAD")

    assert str(done.commit) == made["commit"]
    assert team.head == done.commit == team.workspace.head().commit
    assert team.workspace.marker("revert") is None
    assert team.place.account.head_seq == 3
    for one in values(team.workspace).values():
        np.testing.assert_array_equal(one, 0)


def accept_all(team):
    """Every site accepts the policy that is in force now."""
    for ctx, workspace in team.sites:
        pull(ctx, workspace)
        trust(ctx, workspace, accept=True)


def test_merges_are_made_again_without_a_contributor(team, flair):
    first = team.run_round(0.25, 0.75)
    team.run_round(0.5, 1.5)
    site = team.sites[1][0].wallet.address
    pull(team.owner, team.workspace)
    before = team.head
    flags = ("--contributor", site, "--replay")

    plan = flair("revert", *flags, "--dry-run", "--json").result
    assert team.head == before
    said = flair("revert", *flags, "--yes")

    assert said.code == 0, said.err
    assert plan["n_replayed"] == 2
    assert plan["reverts"] == str(first)
    assert plan["commit"] is None
    assert "2 merges, without the contributor" in said.out
    assert "every later one of the contributor" in said.out
    # The other site counts for all: 0.25, then 0.5.
    for one in values(team.workspace).values():
        np.testing.assert_allclose(one, 0.75, atol=1e-4)
    commit = read_commit(team.owner.remote, team.head)
    assert commit.message == f"replay from merge {first.short} on without {site}"
    assert flair("verify").code == 0
    assert "a replay without it" in flair("log").out
    # Who stands elsewhere verifies it from blocks alone.
    pull(*team.sites[0])
    for one in values(team.sites[0][1]).values():
        np.testing.assert_allclose(one, 0.75, atol=1e-4)


def test_a_replay_may_begin_at_a_later_merge(team, flair):
    team.run_round(0.25, 0.75)
    second = team.run_round(0.5, 1.5)
    site = team.sites[1][0].wallet.address
    pull(team.owner, team.workspace)

    found = flair(
        "revert", second, "--contributor", site, "--replay", "--yes", "--json"
    ).result

    assert found["n_replayed"] == 1
    for one in values(team.workspace).values():
        np.testing.assert_allclose(one, 1.0, atol=1e-4)
    # From the first one on it is still to be had; what is out is not taken out again.
    with pytest.raises(Refused, match="was taken back by"):
        revert(team.owner, team.workspace, str(second), contributor=site, replay=True)
    with pytest.raises(Refused, match="only --replay takes more out"):
        revert(team.owner, team.workspace, str(second))
    again = revert(team.owner, team.workspace, contributor=site, replay=True)
    assert again.n_replayed == 2
    for one in values(team.workspace).values():
        np.testing.assert_allclose(one, 0.75, atol=1e-4)
    with pytest.raises(UsageError, match="no merge of this branch has an update of"):
        revert(team.owner, team.workspace, contributor=site, replay=True)


def test_a_replay_needs_a_contributor(team, flair):
    team.run_round(0.25)
    pull(team.owner, team.workspace)

    said = flair("revert", "HEAD", "--replay", "--yes")

    assert said.code == 2
    assert "a replay leaves a contributor out: name one" in said.err


@pytest.mark.parametrize("strategy", ["fedavgm", "median"])
def test_what_is_no_sum_is_replayed_or_refused_with_the_reason(team, flair, strategy):
    (shown,) = policy_list(team.owner, team.repo).policies
    given = {"f": 0} if strategy == "median" else {}
    table = {"strategy": strategy, "strategy_params": given}
    made = policy_make(team.owner, team.repo, policy_like(shown, table))
    policy_use(team.owner, team.repo, "main", made.index)
    accept_all(team)
    team.run_round(0.25, 0.75)
    merge = team.run_round(0.5, 1.5)
    site = team.sites[1][0].wallet.address
    pull(team.owner, team.workspace)

    refused = flair("revert", "--contributor", site, "--yes")
    assert refused.code != 0
    assert f"strategy '{strategy}' is not linear" in refused.err
    assert "--replay" in refused.err
    done = flair("revert", "--contributor", site, "--replay", "--yes")

    assert done.code == 0, done.err
    # Momentum of the other site alone: 0.25, then 0.9 · 0.25 + 0.5.
    wanted = 0.75 if strategy == "median" else 0.25 + 0.725
    for one in values(team.workspace).values():
        np.testing.assert_allclose(one, wanted, atol=1e-4)
    assert flair("verify").code == 0
    assert team.head != merge


def test_a_replay_that_breaks_a_bound_says_why(team, flair):
    (shown,) = policy_list(team.owner, team.repo).policies
    table = {
        "strategy": "median",
        "strategy_params": {"f": 1},
        "min_updates": 3,
        "max_updates": 3,
    }
    made = policy_make(team.owner, team.repo, policy_like(shown, table))
    policy_use(team.owner, team.repo, "main", made.index)
    third, folder = team.context("site-2"), team.folder / "site-2"
    clone(third, team.repo, folder, trust=True)
    team.sites.append((third, Workspace(folder)))
    accept_all(team)
    team.push_updates(0.25, 0.5, 0.75)
    team.close_round()
    merge = team.good_merge()
    team.finish_round(merge)
    pull(team.owner, team.workspace)

    site = third.wallet.address
    said = flair("revert", "--contributor", site, "--replay", "--yes")

    assert said.code != 0
    assert f"merge {merge.short} cannot be made again without it" in said.err
    assert "at least 3 updates (2f + 1 for f = 1), there are 2" in said.err
    assert team.head == merge
