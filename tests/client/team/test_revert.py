"""`flair revert` on a real localnet: exact, only by who may, and again after a kill."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.audit import read_audit
from flair_client.errors import Refused, UsageError
from flair_client.history.graph import read_commit
from flair_client.porcelain import revert as module
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert


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
