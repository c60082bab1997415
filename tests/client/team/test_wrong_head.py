"""A wrong merge is made the head: nobody follows it, and the owner leaves it behind."""

import numpy as np
import pytest
import safetensors.numpy
from team_world import Team

from flair_client.errors import Refused
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId
from flair_client.porcelain import revert as module
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert


@pytest.fixture
def good(team):
    """The last valid commit; the head after it is wrong."""
    made = team.run_round(0.25)
    pull(team.owner, team.workspace)
    team.wrong = team.run_round(0.5, merge=Team.wrong_merge)
    return made


def values(workspace):
    return safetensors.numpy.load_file(workspace.weights_path)


def test_pull_stays_at_the_last_valid_commit_and_says_why(team, flair, good):
    before = team.workspace.weights_path.read_bytes()

    said = flair("pull")
    line = flair("pull", "--json").line

    assert said.code == 5
    assert f"commit {team.wrong.short}: weights: tensor" in said.err
    assert f"stays at {good.short}, the last valid commit" in said.err
    assert line["result"]["commit"] == str(good)
    assert line["exit_code"] == 5
    assert team.workspace.head().commit == good
    assert team.workspace.weights_path.read_bytes() == before


def test_a_new_clone_stands_at_the_last_valid_commit(team, flair, good, tmp_path):
    said = flair("clone", team.repo, tmp_path / "new", "--trust", cwd=tmp_path)

    assert said.code == 5
    assert f"the last valid commit is {good.short}" in said.err


def test_verify_names_it_and_what_follows(team, flair, good):
    said = flair("verify")

    assert said.code == 5
    assert f"BAD main 3  {team.wrong.short}  merge: weights: tensor" in said.out
    assert f"error: commit {team.wrong.short}: weights: tensor" in said.err
    assert f"{good.short} is the last that is" in said.out


def test_the_owner_takes_the_wrong_commit_back_and_all_go_on(team, flair, good):
    said = flair("revert", team.wrong.short, "--yes")

    assert said.code == 0, said.err
    assert "and what follows it, which is not valid" in said.out
    for ctx, workspace in (
        (team.owner, team.workspace),
        *team.sites,
    ):
        pulled = pull(ctx, workspace)
        assert pulled.fault is None
        assert pulled.commit == team.head
        for one in values(workspace).values():
            np.testing.assert_allclose(one, 0.25, atol=1e-4)
    later = team.run_round(1.0)
    assert team.head == later

    checked = flair("verify")
    found = flair("verify", "--json").result["branches"][0]
    assert checked.code == 0
    assert f"holds commits that are not valid: {team.wrong.short}" in checked.err
    assert "revert: recomputed, leaves 1 behind" in checked.out
    assert f"{later.short} is valid, 1 before it not" in checked.out
    assert [one["commit_id"] for one in found["invalid"]] == [str(team.wrong)]
    strict = flair("verify", "--strict")
    assert strict.code == 5
    assert f"commit {team.wrong.short}" in strict.err


def test_nothing_else_is_taken_back_while_the_head_is_wrong(team, flair, good):
    for arguments in (
        ("revert", good.short),
        ("revert", "--contributor", team.sites[0][0].wallet.address),
    ):
        refused = flair(*arguments, "--yes")

        assert refused.code == 5
        assert f"commit {team.wrong.short}: weights" in refused.err
    assert team.head == team.wrong


def test_all_of_the_wrong_commits_go_at_once(team, good):
    again = CommitId(bytes([7]) * 32)
    place = team.place
    from flair_client.chain.accounts import MoveKind
    from flair_client.porcelain.advance import advance

    advance(team.owner, place, MoveKind.SNAPSHOT, again)
    with pytest.raises(Refused, match="that one has to be taken back"):
        revert(team.owner, team.workspace, again.short)

    done = revert(team.owner, team.workspace, str(team.wrong))

    assert done.n_repaired == 2
    assert done.change.n_changed == 0
    assert pull(team.owner, team.workspace).fault is None


class Killed(BaseException):
    """What no code catches."""


@pytest.mark.parametrize("step", ["send_blocks", "advance", "_move_workspace"])
def test_a_repair_that_was_cut_off_goes_on(team, good, monkeypatch, step):
    # The wrong commit itself is gone from the store, so that nothing can lean on it.
    team.block_path(team.wrong.cid).unlink()
    real = getattr(module, step)

    def cut(*_args, **_kwargs):
        raise Killed

    monkeypatch.setattr(module, step, cut)
    with pytest.raises(Killed):
        revert(team.owner, team.workspace, str(team.wrong))
    monkeypatch.setattr(module, step, real)

    done = revert(team.owner, team.workspace, str(team.wrong))

    assert done.commit == team.head == team.workspace.head().commit
    assert done.n_repaired == 1
    assert read_commit(team.owner.remote, done.commit).parents == (team.wrong,)
    assert pull(team.owner, team.workspace).fault is None
