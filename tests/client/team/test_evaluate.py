"""`flair evaluate`: any commit, any update, and the model without somebody."""

import json

import numpy as np
import pytest

from flair_client.errors import UsageError
from flair_client.history.graph import read_commit
from flair_client.history.without import replay_without
from flair_client.porcelain.evaluate import read_evaluations
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert
from flair_client.store.overlay import scratch_over
from flair_client.weights import load_tensor


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    """Two merges: of 0.25 and 0.75, then of 0.5 by both."""
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.first = made.run_round(0.25, 0.75)
    made.second = made.run_round(0.5)
    pull(made.owner, made.workspace)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


@pytest.fixture
def rows(team):
    return team.folder / "rows.csv"


def weight_without(team, commit_id, contributor):
    """The value that all weights have in the replay; they move together here."""
    with scratch_over(team.owner.remote) as store:
        made = replay_without(team.evidence(), commit_id, contributor, store)
        manifest = made.manifest
        entry = next(one for one in manifest.tensors if one.name.endswith("weight"))
        values = load_tensor(manifest, entry, store)
    assert np.ptp(values) == 0
    return float(values[0]), made.left_out


def test_any_commit_is_measured_on_the_data_that_is_named(team, flair, rows):
    head = flair("evaluate", "--data", rows, "--json").result
    root = flair("evaluate", "HEAD~2", "--data", rows, "--json").result

    assert head["commit"] == str(team.second)
    assert root["commit"] == str(team.root)
    assert head["num_samples"] == 40
    assert set(head["metrics"]) == {"auc", "accuracy", "log_loss"}
    # The root is all zeros: every row is as likely as not.
    assert root["metrics"]["log_loss"] == pytest.approx(np.log(2))
    assert head["metrics"] != root["metrics"]


def test_an_update_is_its_base_with_all_of_it(team, flair, rows):
    updates = read_commit(team.owner.remote, team.first).parents[1:]
    found = [
        flair("evaluate", str(one)[:12], "--data", rows, "--json").result
        for one in updates
    ]

    losses = [one["metrics"]["log_loss"] for one in found]
    assert losses[0] != losses[1]
    site = team.sites[0][0].wallet.address
    other = flair("evaluate", team.first, "--without", site, "--data", rows, "--json")
    assert other.result["metrics"]["log_loss"] in losses


def test_the_numbers_are_kept_here_and_known_again(team, flair, rows):
    flair("evaluate", "--data", rows)

    kept = read_evaluations(team.workspace)[-1]

    line = (team.workspace.state_folder / "metrics.jsonl").read_text().splitlines()[-1]
    assert kept.commit == team.second
    assert json.loads(line)["metrics"] == kept.metrics
    assert len(kept.key) == 64


def test_people_read_a_short_table(team, flair, rows):
    said = flair("evaluate", "main", "--data", rows)

    assert said.code == 0
    assert f"commit    {team.second.short}" in said.out
    assert "samples   40" in said.out


def test_the_model_without_somebody_is_replayed_and_not_committed(team, flair, rows):
    zero, one = (ctx.wallet.address for ctx, _ in team.sites)
    before = team.head

    # Both weigh the same, so the rest counts for all: 0.75 or 0.25, then 0.5.
    assert weight_without(team, team.second, zero)[0] == 1.25
    assert weight_without(team, team.second, one)[0] == 0.75
    value, left_out = weight_without(team, team.first, zero)
    assert value == 0.75
    assert left_out[0] in read_commit(team.owner.remote, team.first).parents[1:]
    found = flair("evaluate", "--without", zero, "--data", rows, "--json").result
    assert found["without"] == str(zero)
    assert len(found["left_out"]) == 2
    assert team.head == before
    assert str(zero) in flair("evaluate", "--without", zero, "--data", rows).out


def test_nobody_is_left_out_who_is_not_in_it(team, flair, rows):
    stranger = team.owner.wallet.address

    said = flair("evaluate", "--without", stranger, "--data", rows)

    assert said.code == 2
    assert f"holds no update of {stranger}" in said.err
    updates = read_commit(team.owner.remote, team.first).parents[1:]
    site = team.sites[0][0].wallet.address
    with pytest.raises(UsageError, match="never the head"):
        weight_without(team, updates[0], site)


def test_an_address_needs_no_clone(team, flair, rows, tmp_path):
    address = f"{team.repo}@{team.root}"

    found = flair("evaluate", address, "--data", rows, "--json", cwd=tmp_path).result
    zero = team.sites[0][0].wallet.address
    refused = flair(
        *("evaluate", address, "--data", rows, "--without", zero), cwd=tmp_path
    )

    assert found["commit"] == str(team.root)
    assert refused.code == 2
    assert "needs a clone" in refused.err


def test_what_cannot_be_measured_is_told(team, flair, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("a,target\n1,0\n")

    missing = flair("evaluate", "--data", bad)
    unknown = flair("evaluate", "nowhere", "--data", bad)
    nothing = flair("evaluate")

    assert missing.code == 1
    assert "no column 'b'" in missing.err
    assert unknown.code == 1
    assert nothing.code == 2


@pytest.fixture
def other_team(net, tmp_path):
    from team_world import Team

    made = Team(net, tmp_path)
    made.publish()
    made.join(2)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def test_reverts_are_replayed_too(other_team):
    made = other_team
    first = made.run_round(0.25, 0.75)
    made.run_round(0.5)
    pull(made.owner, made.workspace)
    zero, one = (ctx.wallet.address for ctx, _ in made.sites)

    term = revert(made.owner, made.workspace, str(first), contributor=zero)

    assert weight_without(made, term.commit, zero)[0] == 1.25
    # Without the other one the reverted term was all of the first merge.
    assert weight_without(made, term.commit, one)[0] == 0.5
    whole = revert(made.owner, made.workspace, "HEAD~1")
    assert weight_without(made, whole.commit, zero)[0] == 0.75
