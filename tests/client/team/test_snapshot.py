"""Snapshots on a real localnet: the owner's weights and recipe as the next head."""

import numpy as np
import pytest
import safetensors.numpy

from flair_client.errors import NotFinite, Refused, StaleBase, UsageError
from flair_client.history.graph import read_commit
from flair_client.objects import CommitKind, TensorEncodingId
from flair_client.porcelain import push_move as module
from flair_client.porcelain.checkout import manifest_of, training_recipe
from flair_client.porcelain.clone import clone
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.pushed import PushOutcome
from flair_client.porcelain.snapshot import commit_snapshot
from flair_client.porcelain.verify import verify
from flair_client.workspace import Workspace


def changed(workspace, name="linear.bias", value=0.5):
    """A file of HEAD's weights with another value in one tensor."""
    tensors = safetensors.numpy.load_file(workspace.weights_path)
    tensors[name] = np.full_like(tensors[name], value)
    path = workspace.folder / "tuned.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return path


def take(team, **more):
    return commit_snapshot(team.owner, team.workspace, message="tuned", **more)


def test_a_snapshot_becomes_the_head_and_is_accepted_by_a_stranger(team, flair):
    path = changed(team.workspace)
    made = flair("commit", "--snapshot", "--weights", path, "-m", "tuned", "--json")
    pushed = flair("push")

    assert made.result["n_changed"] == 1
    assert (made.result["base"], made.result["recipe_changed"]) == (
        str(team.root),
        False,
    )
    assert pushed.code == 0, pushed.err
    head = team.head
    assert str(head) == made.result["commit"]
    assert f"main is at {head.short}" in pushed.out
    commit = read_commit(team.owner.remote, head)
    assert (commit.kind, commit.parents) == (CommitKind.SNAPSHOT, (team.root,))
    assert team.workspace.head().commit == head
    assert team.workspace.weights_path.read_bytes() == path.read_bytes()
    assert verify(team.owner, team.repo).valid
    site, workspace = team.sites[0]
    assert pull(site, workspace).commit == head
    assert workspace.weights_path.read_bytes() == path.read_bytes()


def test_rounds_go_on_from_a_snapshot(team):
    take(team, weights=changed(team.workspace))
    push(team.owner, team.workspace)

    merge = team.run_round(0.25)

    assert verify(team.owner, team.repo).valid
    assert team.head == merge


def test_what_did_not_change_keeps_its_exact_integers(team):
    team.run_round(0.3)
    pull(team.owner, team.workspace)
    before = manifest_of(team.owner.remote, team.head).by_name()
    assert before["linear.weight"].encoding is TensorEncodingId.FIXED

    made = take(team, weights=changed(team.workspace))
    push(team.owner, team.workspace)

    after = manifest_of(team.owner.remote, made.commit)
    assert after.by_name()["linear.weight"] == before["linear.weight"]
    assert after.by_name()["linear.bias"].encoding is not TensorEncodingId.FIXED
    assert verify(team.owner, team.repo).valid
    team.run_round(0.25)
    assert verify(team.owner, team.repo).valid


def test_a_changed_recipe_alone_is_a_snapshot_too(team):
    recipe = team.workspace.recipe_path
    recipe.write_text(recipe.read_text().replace("epochs = 20", "epochs = 7"))

    made = take(team)
    push(team.owner, team.workspace)

    assert (made.n_changed, made.recipe_changed) == (0, True)
    assert verify(team.owner, team.repo).valid
    site, workspace = team.sites[0]
    pull(site, workspace)
    commit = read_commit(team.owner.remote, team.head)
    assert training_recipe(team.owner.remote, commit.recipe).epochs == 7
    assert "epochs = 7" in workspace.recipe_path.read_text()


def test_nothing_changed_is_nothing_to_commit(team, flair):
    said = flair("commit", "--snapshot", "-m", "again")

    assert said.code == 1
    assert "nothing to commit" in said.err
    assert team.workspace.marker("pending") is None


def test_a_snapshot_on_an_old_head_is_refused(team, flair):
    take(team, weights=changed(team.workspace))
    team.run_round(0.25)

    pushed = flair("push")
    with pytest.raises(StaleBase, match="HEAD is"):
        take(team, weights=changed(team.workspace))

    assert pushed.code == 1
    assert "the snapshot is made on" in pushed.err
    assert team.workspace.marker("pending") is not None


def test_a_round_in_progress_ends_only_when_told_so(team, flair):
    team.push_updates(0.25)
    made = flair(
        "commit", "--snapshot", "-m", "x", "--weights", changed(team.workspace)
    )
    dry = flair("push", "--dry-run")
    refused = flair("push")
    assert refused.code == 2
    assert team.head == team.root

    pushed = flair("push", "--yes")

    assert "round 1 is in progress" in made.err
    assert "round 1 ends without a merge" in dry.err
    assert pushed.code == 0
    assert "round 1 ends without a merge" in pushed.out
    assert not team.place.account.round_live
    assert verify(team.owner, team.repo).valid


def test_a_dry_run_sends_nothing(team, flair):
    made = take(team, weights=changed(team.workspace))

    said = flair("push", "--dry-run")

    assert said.code == 0
    assert f"main would move to {made.commit.short}" in said.err
    assert "weights linear.bias" in said.out
    assert "weights linear.weight" not in said.out
    assert team.store_folder.as_uri() in said.out
    assert not team.owner.remote.has(made.commit.cid)
    assert team.head == team.root


def test_a_push_that_was_cut_off_behind_the_chain_goes_on(team, monkeypatch):
    made = take(team, weights=changed(team.workspace))

    def cut_off(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "check_out", cut_off)
        with pytest.raises(KeyboardInterrupt):
            push(team.owner, team.workspace)
    again = push(team.owner, team.workspace)

    assert (again.outcome, again.sent) == (PushOutcome.MOVED, False)
    assert team.workspace.head().commit == made.commit
    assert team.workspace.marker("pending") is None


def test_a_push_after_others_moved_on_still_knows_its_snapshot(team):
    take(team, weights=changed(team.workspace))
    pending = team.workspace.marker("pending")
    push(team.owner, team.workspace)
    merge = team.run_round(0.25)
    pull(team.owner, team.workspace)
    team.workspace.set_marker("pending", pending)

    again = push(team.owner, team.workspace)

    assert (again.outcome, again.sent) == (PushOutcome.MOVED, False)
    assert team.workspace.head().commit == merge


def test_a_stranger_may_not_take_one(team):
    site, workspace = team.sites[0]

    with pytest.raises(Refused, match="not the owner"):
        commit_snapshot(site, workspace, message="mine", weights=changed(workspace))


def test_weights_of_another_size_need_another_policy(team):
    tensors = safetensors.numpy.load_file(team.workspace.weights_path)
    tensors["extra"] = np.ones(5, np.float32)
    path = team.folder / "more.safetensors"
    safetensors.numpy.save_file(tensors, path)

    with pytest.raises(UsageError, match=r"8 shared values, policy 0 .* for 3"):
        take(team, weights=path)


def test_nan_names_the_tensor(team):
    path = changed(team.workspace, value=np.nan)

    with pytest.raises(NotFinite, match=r"linear\.bias"):
        take(team, weights=path)


def test_a_clone_made_elsewhere_sees_the_snapshot(team, tmp_path):
    made = take(team, weights=changed(team.workspace))
    push(team.owner, team.workspace)

    cloned = clone(team.owner, team.repo, tmp_path / "fresh")

    assert (cloned.commit, cloned.n_verified) == (made.commit, 2)
    workspace = Workspace(tmp_path / "fresh")
    assert "tuned" not in {path.stem for path in workspace.folder.iterdir()}
