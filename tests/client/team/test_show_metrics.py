"""`flair show` tells what a merge did to metrics, after sites that trained."""

from dataclasses import replace

import pytest

from flair_client.cli.show_metrics import metrics_text
from flair_client.cli.text import width
from flair_client.ids import Address
from flair_client.porcelain.commit import commit
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.reading import reading_here
from flair_client.porcelain.show import show
from flair_client.porcelain.show_metrics import show_with_metrics
from flair_client.porcelain.train import train
from flair_client.site_metrics import MetricEffect, MetricSummary


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


def trained_round(team):
    for n, (ctx, workspace) in enumerate(team.sites):
        pull(ctx, workspace)
        rows = team.folder / f"rows-{n}.csv"
        lines = "\n".join(f"{k},{-k},{int(k > n)}" for k in range(-10, 10 + 30 * n))
        rows.write_text(f"a,b,target\n{lines}\n")
        train(ctx, workspace, rows)
        commit(ctx, workspace, message="trained")
        push(ctx, workspace)
    team.close_round()
    merge = team.good_merge()
    team.finish_round(merge)
    return merge


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.merges = [made.run_round(0.01), trained_round(made), trained_round(made)]
    pull(made.owner, made.workspace)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def test_a_merge_shows_mean_worst_site_and_spread(team, flair):
    found = flair("show", "--json").result
    said = flair("show")

    sites = {one["name"]: one for one in found["sites"]}
    auc = sites["auc"]
    assert auc["n_sites"] == 2
    # Buckets of 20 and 50 rows, not the numbers themselves.
    assert auc["n_samples"] == 16 + 32
    assert auc["worst_site"] in {str(ctx.wallet.address) for ctx, _ in team.sites}
    assert auc["worst"] <= auc["mean"]
    assert sites["log_loss"]["worst"] >= sites["log_loss"]["mean"]
    assert "as the sites state of their own rows" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())
    report = {one["name"]: one for one in found["report"]["metrics"]}
    assert report["auc"]["mean"] == auc["mean"]


def test_the_effect_is_beside_the_merge_before(team, flair):
    last = flair("show", "--json").result
    before = flair("show", "HEAD~1", "--json").result
    first = flair("show", "HEAD~2", "--json").result

    effects = {(one["name"], one["source"]): one for one in last["effects"]}
    means = {one["name"]: one["mean"] for one in before["sites"]}
    assert effects["auc", "sites"]["before"] == means["auc"]
    # Nobody stated anything in the round before that.
    assert all(one["before"] is None for one in before["effects"])
    assert first["effects"] == first["sites"] == []


def test_what_was_measured_here_is_an_effect_too(team, flair):
    rows = team.folder / "rows-1.csv"
    flair("evaluate", "HEAD", "--data", rows)
    alone = flair("show", "--json").result
    flair("evaluate", "HEAD~1", "--data", rows)
    both = flair("show", "--json").result

    def effect(found):
        return next(
            one
            for one in found["effects"]
            if one["name"] == "log_loss" and one["source"].endswith("rows-1.csv")
        )

    assert effect(alone)["before"] is None
    assert effect(both)["before"] is not None
    said = flair("show").out
    assert "better" in said or "worse" in said


def test_an_address_shows_what_sites_state(team, flair, tmp_path):
    found = flair("show", f"{team.repo}@main", "--json", cwd=tmp_path).result

    assert {one["source"] for one in found["effects"]} == {"sites"}


def test_hostile_names_stay_in_their_columns(team):
    reading = reading_here(team.owner, team.workspace)
    shown = show_with_metrics(reading.store, show(reading))
    hostile = "\x1b[2J\u202e\n" * 9
    effect = MetricEffect(
        hostile, hostile, lower_is_better=True, before=1e300, after=-1e300
    )
    site = MetricSummary(
        hostile,
        lower_is_better=False,
        n_sites=64,
        n_samples=2**40,
        mean=-1.5e-300,
        worst=-1.5e-300,
        worst_site=Address(bytes(32)),
        spread=1e-300,
    )

    text = metrics_text(replace(shown, effects=(effect,) * 20, sites=(site,) * 20))

    assert all(line.isprintable() for line in text.split("\n"))
    assert all(width(line) <= 80 for line in text.split("\n"))
    assert "and 4 more: see --json" in text
