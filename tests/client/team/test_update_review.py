"""`flair update`: what each update does before it counts, on a real localnet."""

from dataclasses import replace

import pytest

from flair_client.cli.update_text import reviews_text
from flair_client.history.graph import read_commit
from flair_client.porcelain.pull import pull
from flair_client.porcelain.update import RejectReason, update_list, update_reject


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    """A merged round, and one in progress in which the second site pulls back."""
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.first = made.run_round(0.25, 0.75)
    pull(made.owner, made.workspace)
    made.push_updates(0.5, -0.25)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


@pytest.fixture
def rows(team):
    return team.folder / "rows.csv"


def by_site(team, found):
    by_contributor = {one["contributor"]: one for one in found["updates"]}
    return [by_contributor[str(ctx.wallet.address)] for ctx, _ in team.sites]


def test_the_list_says_how_long_each_is_and_what_became_of_earlier_ones(team, flair):
    found = flair("update", "list", "--json").result
    said = flair("updates", "list")

    good, bad = by_site(team, found)
    assert (good["samples"], good["weight"]) == (32, 32)
    assert good["norm_share"] == pytest.approx(good["l2"] / found["norm_bound"])
    assert good["l2"] == pytest.approx(2 * bad["l2"], rel=1e-3)
    assert good["past"] == {"rounds": 2, "merged": 1, "rejected": 0}
    assert (good["cosine"], good["tensors"], found["head"]) == (None, [], None)
    assert good["commit_id"][:12] in said.out
    assert "1/2" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_compared_they_pull_in_opposite_directions(team, flair):
    good, bad = by_site(team, flair("update", "list", "--compare", "--json").result)

    assert good["cosine"] == pytest.approx(-1.0)
    assert bad["cosine"] == pytest.approx(-1.0)
    assert sum(one["share"] for one in good["tensors"]) == pytest.approx(1.0)


def test_one_update_is_shown_by_contributor_or_by_digits(team, flair):
    listed = flair("update", "list", "--json").result
    good, _ = by_site(team, listed)

    by_id = flair("update", "show", good["commit_id"][:8])
    by_address = flair("update", "show", good["contributor"])

    assert by_id.out == by_address.out
    assert "cosine       -1.0000 to the sum of the others" in by_id.out
    assert "of the bound" in by_id.out
    assert "in 2 rounds, 1 merged, 0 rejected" in by_id.out
    assert "SHARE" in by_id.out
    for text in ("abc", "ffffffff", str(team.owner.wallet.address)):
        unknown = flair("update", "show", text)
        assert unknown.code == 1, text
        assert "no update of the round" in unknown.err


def test_scores_tell_the_head_with_it_and_the_merge_without_it(team, flair, rows):
    found = flair("update", "list", "--data", rows, "--json").result
    said = flair("update", "list", "--data", rows)
    good, bad = by_site(team, found)

    head = flair("evaluate", "--data", rows, "--json").result
    alone = flair("evaluate", good["commit_id"], "--data", rows, "--json").result

    assert found["head"]["metrics"] == head["metrics"]
    assert good["alone"]["metrics"] == alone["metrics"]
    # Of two, the merge without one is the head with the other.
    assert bad["without"]["metrics"] == good["alone"]["metrics"]
    assert good["without"]["metrics"] == bad["alone"]["metrics"]
    losses = {
        found["merged"]["metrics"]["log_loss"],
        good["alone"]["metrics"]["log_loss"],
        bad["alone"]["metrics"]["log_loss"],
        head["metrics"]["log_loss"],
    }
    assert len(losses) == 4
    assert f"head + {good['commit_id'][:12]}" in said.out
    assert "40 rows" in said.out


def test_a_rejected_update_is_in_no_merge_and_cannot_be_accepted(net, tmp_path):
    from team_world import Team

    made = Team(net, tmp_path)
    made.publish()
    made.join(2)
    made.push_updates(0.5, -0.25)
    who = made.sites[1][0].wallet.address
    update_reject(made.owner, made.repo, "main", who, RejectReason.SCORE)
    try:
        check_rejected(made, who)
    finally:
        for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
            ctx.chain.close()


def check_rejected(made, who):
    from flair_client.data_sources import file_source
    from flair_client.porcelain.scoring import Scorer
    from flair_client.porcelain.update_review import review_updates

    scorer = Scorer(made.owner, file_source(made.folder / "rows.csv"))
    found = review_updates(made.owner, made.repo, "main", scorer=scorer)

    by_contributor = {one.contributor: one for one in found.updates}
    rejected = by_contributor.pop(who)
    (other,) = by_contributor.values()
    assert rejected.reject_reason == "score"
    assert rejected.past.rejected == 1
    assert rejected.without is None
    assert other.cosine is None
    assert found.merged == other.alone
    assert other.without == found.head


def test_a_copy_names_its_origin_and_not_the_other_way_round(net, tmp_path):
    from team_world import Team

    from flair_client.porcelain.update_review import review_updates

    made = Team(net, tmp_path)
    made.publish()
    made.join(2)
    made.push_updates(0.5, 0.5)
    try:
        origin, copier = (ctx.wallet.address for ctx, _ in made.sites)
        found = {
            one.contributor: one
            for one in review_updates(made.owner, made.repo, "main").updates
        }
        shown = review_updates(made.owner, made.repo, "main", only=str(copier))
    finally:
        for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
            ctx.chain.close()

    assert found[copier].copy_of == found[origin].commit_id
    assert found[origin].copy_of is None
    # The other is looked at even where one alone is asked for.
    assert shown.updates[0].copy_of == found[origin].commit_id
    said = reviews_text(replace(shown, updates=tuple(found.values())))
    assert f"the very same values as {found[origin].commit_id.short}" in said
    assert said.count("a copy") == 1


def test_accepting_is_noted_here_and_nothing_is_sent(team, flair):
    good, _ = by_site(team, flair("update", "list", "--json").result)
    head = team.place.account

    said = flair("update", "accept", good["commit_id"][:10])

    assert said.code == 0
    assert "is accepted here" in said.out
    good, bad = by_site(team, flair("update", "list", "--json").result)
    assert (good["is_accepted"], bad["is_accepted"]) == (True, False)
    assert "looked at" in flair("update", "list").out
    assert team.place.account == head


def test_what_is_missing_is_told_beside_the_others(team, flair):
    listed = update_list(team.owner, team.repo, "main").updates
    delta = read_commit(team.owner.remote, listed[0].commit_id).delta
    path = team.block_path(delta)
    content = path.read_bytes()
    path.unlink()
    try:
        found = flair("update", "list", "--repo", team.repo, "--json").result
        said = flair("update", "list", "--repo", team.repo, "--compare")
    finally:
        path.write_bytes(content)

    faults = {one["commit_id"]: one["fault"] for one in found["updates"]}
    assert faults[str(listed[1].commit_id)] is None
    assert "is missing" in faults[str(listed[0].commit_id)]
    assert "faulty" in said.out


def test_an_update_that_is_rejected_by_its_id(team, flair):
    listed = update_list(team.owner, team.repo, "main").updates
    chosen = listed[-1].commit_id

    said = flair("update", "reject", chosen.short, "--reason", "outlier")
    again = flair("update", "accept", chosen.short)

    assert said.out.endswith("is rejected: outlier\n")
    assert again.code == 1
    assert "was rejected: outlier" in again.err
    assert "rejected: outlier" in flair("update", "list").out
