"""Training in a workspace, against a real localnet."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.audit import read_audit
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.context import Context
from flair_client.errors import (
    DataError,
    NotFinite,
    SiteRefused,
    StaleBase,
    TrustRequired,
    UsageError,
    WorkspaceError,
)
from flair_client.ids import CommitId
from flair_client.localnet import start_localnet
from flair_client.porcelain.checkout import recipe_at
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import commit
from flair_client.porcelain.init import columns_from_csv, init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.porcelain.terms import save_terms, saved_terms
from flair_client.porcelain.train import train
from flair_client.porcelain.trust import save_trust
from flair_client.settings import NetworkProfile
from flair_client.site_rules import SiteRules
from flair_client.store.base import open_store
from flair_client.training.data import ColumnMap
from flair_client.training.logistic_regression import FitResult
from flair_client.training.run import RoundKind
from flair_client.workspace import find_workspace

ROWS = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n // 20}" for n in range(40))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A model with statistics and one without, and a context that only reads."""
    folder = tmp_path_factory.mktemp("place")
    with start_localnet(folder / "net") as net:
        profile = NetworkProfile(
            "localnet",
            net.url,
            net.genesis_hash,
            PROGRAM_ID,
            (folder / "store").as_uri(),
        )
        chain = ChainClient(Rpc(net.url, genesis_hash=net.genesis_hash))
        wallet = create_wallet(folder / "owner.json")
        chain.wait_for(chain.rpc.request_airdrop(wallet.address, 10**10))
        ctx = Context(profile, chain, open_store(profile.store_url), wallet)
        (folder / "rows.csv").write_text(ROWS)
        repos = {}
        for name, statistics in (("counted", True), ("plain", False)):
            model = folder / name
            init(
                model,
                columns=columns_from_csv(folder / "rows.csv", "target"),
                statistics=statistics,
            )
            repos[name] = repo_publish(
                ctx,
                name,
                describe_root(model),
                functools.partial(publish_root, ctx, model),
                points_per_merge=10,
                policy={"contribute": "open", "min_updates": 1},
            ).repo
        yield ctx, repos
        chain.close()


@pytest.fixture
def data(tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path / "rows.csv"


def workspace_of(published, tmp_path, name="plain", *, trust=True):
    ctx, repos = published
    clone(ctx, repos[name], tmp_path / "clone", trust=trust)
    return ctx, find_workspace(tmp_path / "clone")


def test_training_is_kept_for_the_commit(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)

    made = train(ctx, workspace, data, seed=3)

    assert made.kind is RoundKind.TRAINING
    assert (made.num_samples, made.samples_bucket, made.seed) == (40, 32, 3)
    assert made.metrics["log_loss"] < made.metrics_before["log_loss"]
    assert made.sent_tensors == ("linear.bias", "linear.weight")
    assert "metrics.auc" in made.sent_fields
    committed = commit(ctx, workspace, message="one")
    assert committed.weight == 32
    assert committed.clipped == pytest.approx(made.length)
    assert committed.metrics == made.metrics


def test_round_zero_collects_statistics(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path, "counted")

    made = train(ctx, workspace, data)

    assert made.kind is RoundKind.STATISTICS
    assert made.sent_tensors == (
        "statistics.mean",
        "statistics.mean_square",
        "statistics.present",
    )
    assert made.seed is None
    assert not made.metrics
    new = safetensors.numpy.load_file(workspace.update_path)
    assert new["statistics.present"].tolist() == [1.0, 1.0]
    assert not new["linear.weight"].any()
    assert commit(ctx, workspace, message="one").n_tensors == 3


def test_training_needs_no_chain(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    offline = Context(ctx.network, None, ctx.remote)

    assert train(offline, workspace, data).num_samples == 40


def test_the_same_seed_gives_the_same_file(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    train(ctx, workspace, data, seed=1)
    first = workspace.update_path.read_bytes()

    train(ctx, workspace, data, seed=1)
    again = workspace.update_path.read_bytes()
    train(ctx, workspace, data, seed=2)

    assert first == again
    assert first != workspace.update_path.read_bytes()


def test_columns_of_the_file_are_mapped(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    data.write_text(ROWS.replace("a,b,target", "AGE,b,died"))
    names = ColumnMap().with_columns({"a": "AGE", "target": "died"})

    assert train(ctx, workspace, data, column_map=names).num_samples == 40
    wrong = ColumnMap().with_columns({"age": "AGE"})
    with pytest.raises(UsageError, match=r"no column 'age'; it has 'a', 'b', 'target'"):
        train(ctx, workspace, data, column_map=wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"rows\.csv is empty"),
        ("a,b,target\n", r"rows\.csv has no rows"),
        ("a,b\n1,2\n", r"rows\.csv has no column 'target'"),
        ("a,b,target\n1,2,1\n3,old,0\n", r"rows\.csv, row 3: 'old' in column 'b'"),
        ("a,b,target\n1,inf,1\n", r"rows\.csv, row 2: 'inf' in column 'b'"),
        ("a,b,target\n1,2,NaN\n", r"rows\.csv, row 2: target 'target' is 'NaN'"),
        ("a,b,target\n1,2,0\n3,4,0\n", r"rows\.csv: all 2 rows have target 0"),
    ],
)
def test_data_that_cannot_be_used_changes_nothing(
    published, tmp_path, data, text, said
):
    ctx, workspace = workspace_of(published, tmp_path)
    train(ctx, workspace, data)
    before = workspace.update_path.read_bytes(), workspace.marker("trained")
    data.write_text(text)

    with pytest.raises(DataError, match=said):
        train(ctx, workspace, data)

    assert before == (workspace.update_path.read_bytes(), workspace.marker("trained"))


def test_one_class_may_take_part_when_told_so(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    data.write_text("a,b,target\n1,2,0\n3,4,0\n")

    made = train(ctx, workspace, data, allow_one_class=True)

    assert "auc" not in made.metrics


def test_training_that_runs_off_names_the_tensor(
    published, tmp_path, data, monkeypatch
):
    ctx, workspace = workspace_of(published, tmp_path)

    def run_off(x, y, weight, bias, **_):
        return FitResult(weight + np.inf, bias, ())

    monkeypatch.setattr("flair_client.training.run.fit", run_off)
    with pytest.raises(NotFinite, match=r"linear\.weight.*2 values"):
        train(ctx, workspace, data)
    assert not workspace.update_path.exists()


def test_training_without_trust(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path, trust=False)

    with pytest.raises(TrustRequired, match="not accepted yet"):
        train(ctx, workspace, data)


def test_training_on_another_head_than_the_rounds(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    terms = saved_terms(ctx, workspace)
    save_terms(workspace, replace(terms, base=CommitId(bytes([7]) * 32)))

    with pytest.raises(StaleBase, match=r"the round's base 0707"):
        train(ctx, workspace, data)


def test_a_kill_between_file_and_marker_is_noticed(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    train(ctx, workspace, data, seed=1)
    marker = workspace.marker("trained")
    train(ctx, workspace, data, seed=2)
    # As if the second run was killed when it had written the file alone.
    workspace.set_marker("trained", marker)

    with pytest.raises(WorkspaceError, match="not the file that was trained"):
        commit(ctx, workspace, message="one")

    train(ctx, workspace, data, seed=2)
    commit(ctx, workspace, message="one")


def test_an_update_that_is_too_long_is_clipped_before_it_is_measured(
    published, tmp_path, data
):
    ctx, workspace = workspace_of(published, tmp_path)
    terms = saved_terms(ctx, workspace)
    short = replace(terms.policy.params, norm_bound_sq=100)
    terms = replace(terms, policy=replace(terms.policy, params=short))
    save_terms(workspace, terms)
    save_trust(workspace, terms, recipe_at(workspace.cache(), terms.base))
    free = train(ctx, workspace_of(published, tmp_path / "free")[1], data)

    made = train(ctx, workspace, data)
    committed = commit(ctx, workspace, message="one")

    assert made.length > 1
    assert committed.clipped <= 1
    assert committed.metrics == made.metrics
    assert made.metrics["log_loss"] > free.metrics["log_loss"]


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (SiteRules(modes=("secagg",)), "limits.modes"),
        (SiteRules(recipes=("00" * 32,)), "limits.recipes"),
        (SiteRules(min_rows=41), "limits.min_rows"),
    ],
)
def test_the_site_has_the_last_word(published, tmp_path, data, rules, rule):
    ctx, workspace = workspace_of(published, tmp_path)
    if rule != "limits.min_rows":
        # These are said before the data is looked at.
        data = tmp_path / "nowhere.csv"

    with pytest.raises(SiteRefused) as refused:
        train(replace(ctx, site=rules), workspace, data)

    assert refused.value.rule == rule
    assert not workspace.update_path.exists()


def test_what_the_site_keeps_is_not_announced(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)
    strict = replace(ctx, site=SiteRules(metrics=("auc",)))

    made = train(strict, workspace, data)

    assert "metrics.auc" in made.sent_fields
    assert "metrics.log_loss" not in made.sent_fields


def test_training_is_written_down(published, tmp_path, data):
    ctx, workspace = workspace_of(published, tmp_path)

    train(replace(ctx, home=tmp_path), workspace, data)

    (line,) = read_audit(tmp_path).lines
    assert line.kind == "train"
    assert line.details["num_samples"] == 40
    assert line.details["data"] == str(data)
