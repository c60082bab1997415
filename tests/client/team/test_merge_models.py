"""`flair merge` on a real localnet: branches, commits and forks into one commit."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.encoding import encode_commit, sign_commit
from flair_client.errors import (
    ModelsDiffer,
    Refused,
    StaleBase,
    UsageError,
)
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.porcelain.checkout import blocks_of, manifest_of, put_manifest
from flair_client.porcelain.fork import fork
from flair_client.porcelain.fsck import fsck
from flair_client.porcelain.gc import gc
from flair_client.porcelain.merge import MergeAsked, NamedModel, merge
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.reading import reading_here, reading_there
from flair_client.porcelain.snapshot import commit_snapshot
from flair_client.weights import load_tensor


def tuned(team, **values):
    """The branch moved to a snapshot with other values in some tensors."""
    pull(team.owner, team.workspace)
    tensors = safetensors.numpy.load_file(team.workspace.weights_path)
    for name, value in values.items():
        tensors[f"linear.{name}"] = np.full_like(tensors[f"linear.{name}"], value)
    path = team.workspace.folder / "tuned.safetensors"
    safetensors.numpy.save_file(tensors, path)
    commit_snapshot(team.owner, team.workspace, message="tuned", weights=path)
    push(team.owner, team.workspace)
    return team.head


def values_of(team, commit_id, name="linear.weight"):
    store = blocks_of(team.owner, team.workspace)
    manifest = manifest_of(store, CommitId.parse(str(commit_id)))
    return load_tensor(manifest, manifest.by_name()[name], store)


def named(team, text):
    return NamedModel(text, reading_here(team.owner, team.workspace), text)


def asked(team, method, *refs, **how):
    base = how.pop("base", None)
    return MergeAsked(
        method,
        [named(team, ref) for ref in refs],
        base=None if base is None else named(team, base),
        **how,
    )


def test_a_merge_is_kept_signed_and_can_be_made_again(team, flair):
    first = tuned(team, weight=1.0)
    second = tuned(team, weight=3.0)

    said = flair("merge", "HEAD~1", "--method", "linear", "--weights", "1,3", "--json")
    made = said.result
    again = flair("show", made["commit"], "--recompute")

    assert said.code == 0, said.err
    assert np.all(values_of(team, made["commit"]) == 1.5)
    commit = read_commit(
        blocks_of(team.owner, team.workspace), CommitId.parse(made["commit"])
    )
    assert commit.merges_models
    assert commit.parents == (second, first)
    assert commit.strategy.weights == (10**9, 3 * 10**9)
    assert made["params"] == {"normalize": "true"}
    assert {one["commit"]: one["weight"] for one in made["models"]} == {
        str(second): "1",
        str(first): "3",
    }
    assert made["change"]["max_abs"] == 1.5
    assert {one["name"] for one in made["tensors"] if one["change"] == "changed"} == {
        "linear.weight"
    }
    assert made["n_bytes"] > 0
    assert again.code == 0, again.err
    assert "merge of 2 models" in again.out
    assert "made again here, the same" in again.out
    assert f"{first.short} times 3" in again.out
    assert team.workspace.head().commit == second


def test_a_merge_by_every_method_comes_out_the_same_again(team, flair):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0, bias=0.5)

    for method, *how in (
        ("linear", "--param", "normalize=false"),
        ("slerp", "--param", "t=0.25"),
        ("task_arithmetic", "--param", "lambda=0.5"),
        ("ties", "--param", "density=0.5", "--base", "HEAD~2"),
        ("dare_linear", "--param", "density=0.5", "--seed", 7, "--base", "HEAD~2"),
        ("dare_ties", "--param", "density=0.5", "--seed", 7, "--base", "HEAD~2"),
    ):
        made = flair("merge", "HEAD~1", "HEAD", "--method", method, *how, "--json")
        assert made.code == 0, made.err
        shown = flair("show", made.result["commit"], "--recompute", "--json")
        assert shown.code == 0, shown.err
        assert shown.result["recomputed"]
        assert shown.result["strategy"]["id"] == method


def test_slerp_goes_from_the_first_to_the_second_model(team):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)

    for first, second in (("HEAD", "HEAD~1"), ("HEAD~1", "HEAD")):
        made = merge(
            team.owner,
            team.workspace,
            asked(team, "slerp", first, second, params={"t": "0.25"}),
        )
        # Parallel tensors are merged on a line.
        start, end = (3.0, 1.0) if first == "HEAD" else (1.0, 3.0)
        assert np.all(values_of(team, made.commit) == start + (end - start) / 4)


def test_changes_are_counted_from_the_common_ancestor(team):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)

    made = merge(team.owner, team.workspace, asked(team, "task_arithmetic", "HEAD~1"))

    # Of HEAD and the commit before it, that is the commit before it.
    assert made.base == read_commit(team.owner.remote, team.head).parents[0]
    assert np.all(values_of(team, made.commit) == 3.0)


def test_a_fork_is_merged_and_brought_here(team, flair, tmp_path):
    tuned(team, weight=2.0)
    forked = fork(team.owner, team.repo, "mine", points_per_merge=1)
    tuned(team, weight=4.0)

    made = flair("merge", str(forked.repo), "--method", "linear", "--json")
    short = flair("merge", f"{forked.repo}@main", "HEAD", "--method", "linear")

    assert made.code == 0, made.err
    assert np.all(values_of(team, made.result["commit"]) == 3.0)
    assert f"{forked.repo} was not verified on this machine" in made.err
    assert short.code == 0, short.err
    assert fsck(team.owner, team.workspace).faults == ()


def test_a_fork_shares_no_history_so_its_base_is_to_be_named(team):
    tuned(team, weight=2.0)
    forked = fork(team.owner, team.repo, "mine", points_per_merge=1)
    model = NamedModel("fork", reading_there(team.owner, forked.repo), None)
    wanted = MergeAsked("ties", [model], {"density": "1"})

    with pytest.raises(UsageError, match="0 nearest common ancestors, name the base"):
        merge(team.owner, team.workspace, wanted)


def test_a_dry_run_needs_no_wallet_and_keeps_nothing(team, flair):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)
    cache = team.workspace.cache()
    before = set(cache)

    said = flair(
        *("merge", "HEAD~1", "--method", "linear", "--dry-run"),
        *("--wallet", "nobody"),
    )

    assert said.code == 0, said.err
    assert "would move" in said.out
    assert "linear.weight" in said.out
    assert set(cache) == before
    assert team.workspace.marker("pending") is None
    assert not list((team.workspace.state_folder / "scratch").iterdir())


def test_gc_keeps_a_merge_and_its_models(team):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)
    made = merge(team.owner, team.workspace, asked(team, "linear", "HEAD~1"))

    gc(team.owner, team.workspace, days=0)

    assert np.all(values_of(team, made.commit) == 2.0)
    assert fsck(team.owner, team.workspace).faults == ()


def test_an_exact_state_stays_exact(team):
    team.run_round(0.25)
    pull(team.owner, team.workspace)

    made = merge(team.owner, team.workspace, asked(team, "linear", "HEAD~1"))

    manifest = manifest_of(blocks_of(team.owner, team.workspace), made.commit)
    assert manifest.scale_exp is not None
    np.testing.assert_allclose(values_of(team, made.commit), 0.125, atol=1e-4)


def test_who_may_not_move_the_branch_merges_nothing(team):
    tuned(team, weight=1.0)
    site, workspace = team.sites[0]
    pull(site, workspace)
    reading = reading_here(site, workspace)
    wanted = MergeAsked("linear", [NamedModel("HEAD~1", reading, "HEAD~1")])

    with pytest.raises(Refused, match="is not the owner"):
        merge(site, workspace, wanted)

    assert merge(site, workspace, wanted, dry_run=True).commit is None


def test_a_branch_that_moved_on(team):
    tuned(team, weight=1.0)
    team.run_round(0.25)

    with pytest.raises(StaleBase):
        merge(team.owner, team.workspace, asked(team, "linear", "HEAD~1"))


def test_a_model_with_other_tensors_is_refused_by_name(team, flair):
    tuned(team, weight=1.0)
    store = blocks_of(team.owner, team.workspace)
    other = read_commit(store, team.head)
    state = manifest_of(store, team.head)
    odd = put_manifest(store, replace(state, tensors=state.tensors[:1], source=None))
    wallet = team.owner.wallet
    signed = sign_commit(replace(other, weights=odd), wallet.address, wallet.sign)
    cid = store.put(CODEC_DAG_CBOR, encode_commit(signed))
    stranger = CommitId(cid.digest)

    said = flair("merge", stranger, "--method", "linear")

    assert said.code == 5
    assert state.tensors[1].name in said.err
    assert stranger.short in said.err
    assert "only models with the same tensors can be merged" in said.err
    with pytest.raises(ModelsDiffer):
        merge(team.owner, team.workspace, asked(team, "linear", str(stranger)))


def test_an_update_is_no_model(team, flair):
    team.run_round(0.25)
    pull(team.owner, team.workspace)
    update = read_commit(team.owner.remote, team.head).parents[1]

    said = flair("merge", update, "--method", "linear")

    assert said.code == 2
    assert "is an update and has no weights" in said.err


def test_what_cannot_be_merged(team, flair):
    tuned(team, weight=1.0)

    for arguments, reason in (
        (("--method", "linear"), "missing argument"),
        (("HEAD~1",), "name a method with --method: linear, slerp, task_arithmetic"),
        (("HEAD~1", "--method", "average"), "is not one of"),
        (("HEAD~1", "--method", "slerp"), "needs parameter 't'"),
        (("HEAD~1", "--method", "slerp", "--param", "t"), "is not KEY=VALUE"),
        (("HEAD~1", "--method", "slerp", "--param", "u=1"), "needs parameter 't'"),
        (("HEAD~1", "--method", "linear", "--param", "u=1"), "no parameter 'u'"),
        (("HEAD", "--method", "linear"), "is named twice"),
        (("HEAD~1", "--method", "linear", "--seed", "3"), "no parameter 'seed'"),
        (("HEAD~1", "--method", "linear", "--base", "HEAD"), "takes no base"),
        (("HEAD~1", "--method", "linear", "--weights", "1"), "1 weights for 2 models"),
        (
            ("HEAD~1", "--method", "ties", "--param", "density=2"),
            "density is 2, it must be above 0, at most 1",
        ),
        (
            ("HEAD~1", "--method", "slerp", "--param", "t=0", "--param", "t=1"),
            "'t' is given twice",
        ),
    ):
        said = flair("merge", *arguments)

        assert said.code == 2, said.err
        assert reason in said.err
    assert flair("merge", "HEAD~9", "--method", "linear").code == 1
    assert team.workspace.marker("pending") is None


def test_a_commit_that_is_no_merge_of_models_is_not_made_again(team, flair):
    said = flair("show", "HEAD", "--recompute")

    assert said.code == 2
    assert "is no merge of models" in said.err


def test_a_merge_that_is_another_one_is_found_out(team, flair):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)
    made = merge(team.owner, team.workspace, asked(team, "linear", "HEAD~1"))
    store = blocks_of(team.owner, team.workspace)
    commit = read_commit(store, made.commit)
    head = read_commit(store, team.head)
    wallet = team.owner.wallet
    wrong = sign_commit(
        replace(commit, weights=head.weights), wallet.address, wallet.sign
    )
    cid = store.put(CODEC_DAG_CBOR, encode_commit(wrong))

    said = flair("show", CommitId(cid.digest), "--recompute", "--json")

    assert said.code == 5
    assert "not what recomputing gives" in json.loads(said.out)["message"]
