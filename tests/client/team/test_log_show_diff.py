"""`flair log`, `show` and `diff` on a history that a real localnet made."""

import shutil

import pytest

from flair_client.history.graph import read_commit
from flair_client.porcelain.pull import pull
from flair_client.porcelain.reading import reading_here
from flair_client.porcelain.revert import revert


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    """Two merges and a revert of the first one's first update."""
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.first = made.run_round(0.25, 0.75)
    made.second = made.run_round(0.5)
    pull(made.owner, made.workspace)
    site = made.sites[0][0].wallet.address
    made.revert = revert(
        made.owner,
        made.workspace,
        str(made.first),
        contributor=site,
        message="bad scanner at site 0",
    ).commit
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def test_log_lists_the_line_newest_first(team, flair):
    said = flair("log")
    found = flair("log", "--json").result

    assert [one["commit"] for one in found["commits"]] == [
        str(one) for one in (team.revert, team.second, team.first, team.root)
    ]
    assert [one["kind"] for one in found["commits"]] == [
        "revert",
        "merge",
        "merge",
        "root",
    ]
    assert found["commits"][0]["names"] == ["HEAD", "main"]
    assert all(one["verified"] for one in found["commits"])
    assert f"commit {team.revert.short} (HEAD, main)" in said.out
    assert "    bad scanner at site 0" in said.out
    assert "kind     merge of 2 updates, round 2" in said.out
    assert f"author   {team.owner.wallet.address}" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_log_in_one_line_each(team, flair):
    lines = flair("log", "--oneline").out.splitlines()

    assert lines[0] == (
        f"{team.revert.short} (HEAD, main) revert: bad scanner at site 0"
    )
    assert lines[1].startswith(f"{team.second.short} merge of 2, round 2: ")
    assert lines[3] == f"{team.root.short} root: root"


def test_log_stops_where_it_is_told(team, flair):
    found = flair("log", "-n", "2", "--json").result

    assert len(found["commits"]) == 2
    assert found["more"]
    assert flair("log", "-n", "4", "--json").result["more"] is False
    assert flair("log", "-n", "0").code == 2


def test_graph_draws_merges_with_their_updates(team, flair):
    updates = read_commit(team.owner.remote, team.first).parents[1:]

    lines = flair("log", "--graph", "--oneline").out.splitlines()

    assert len(lines) == 4 + 2 * (2 + 2)
    at = lines.index("|\\", 3)
    assert lines[at - 1].startswith(f"* {team.first.short} merge of 2, round 1")
    assert lines[at + 1].startswith(f"| o {updates[0].short} update by ")
    assert lines[at + 2].startswith(f"| o {updates[1].short} update by ")
    assert lines[at + 3] == "|/"
    assert lines[at + 4] == f"* {team.root.short} root: root"
    assert any("add 0.75" in line for line in lines)


def test_graph_with_everything_fits_and_joins(team, flair):
    lines = flair("log", "--graph").out.splitlines()

    assert all(len(line) <= 80 for line in lines)
    assert all(line[:1] in "*| " for line in lines)
    assert "| | kind     update, weight 32, about 32 samples" in lines
    (merge,) = [
        one
        for one in flair("log", "--graph", "--json").result["commits"]
        if one["commit"] == str(team.first)
    ]
    assert [one["message"] for one in merge["updates"]].count("add 0.25") == 1


def test_log_from_a_commit_and_with_names_for_parents(team, flair):
    for ref in (team.first.short, f"{team.second.short}~1", "main~2", str(team.first)):
        found = flair("log", ref, "--json").result

        assert found["commits"][0]["commit"] == str(team.first)

    assert flair("log", "0" * 10).code == 1


def test_log_of_an_address_needs_no_workspace(team, flair, tmp_path):
    line = flair("log", f"{team.repo}@main~1", "--json", cwd=tmp_path).line

    assert line["result"]["commits"][0]["commit"] == str(team.second)
    assert not line["result"]["commits"][0]["verified"]
    assert flair("log", team.repo, cwd=tmp_path).code == 0
    assert flair("log", cwd=tmp_path).code == 2


def test_log_works_without_store_and_chain(team, flair):
    config = team.home / "config.toml"
    kept = config.read_text()
    aside = team.store_folder.with_name("aside")
    config.write_text(kept.replace(team.net.url, "http://127.0.0.1:9"))
    shutil.move(team.store_folder, aside)
    try:
        said = flair("log", "--graph")
    finally:
        shutil.rmtree(team.store_folder, ignore_errors=True)
        shutil.move(aside, team.store_folder)
        config.write_text(kept)

    assert said.code == 0, said.err


@pytest.fixture
def elsewhere(team, flair, tmp_path):
    """Runs the command of a stranger whose store lacks a commit."""
    config = team.home / "config.toml"
    kept = config.read_text()

    def run(missing, *arguments):
        store = team.copy_store(f"without-{missing.short}-{arguments[1]}")
        (path,) = store.rglob(f"{missing}.*")
        path.unlink()
        config.write_text(kept.replace(team.store_folder.as_uri(), store.as_uri()))
        return flair(arguments[0], team.repo, *arguments[1:], cwd=tmp_path)

    yield run
    config.write_text(kept)


def test_log_goes_on_behind_a_commit_that_is_missing(team, elsewhere):
    lines = elsewhere(team.first, "log", "--oneline").out.splitlines()
    graph = elsewhere(team.first, "log", "--graph").out.splitlines()
    commits = elsewhere(team.first, "log", "--json").result["commits"]

    assert len(lines) == 4
    assert lines[2].startswith(f"{team.first.short} cannot be read: block bafy")
    assert lines[3] == f"{team.root.short} root: root"
    assert any(line.startswith(f"x commit {team.first.short} cannot") for line in graph)
    assert [one["commit"] for one in commits][2:] == [str(team.first), str(team.root)]
    assert "is missing" in commits[2]["reason"]


def test_log_shows_what_it_can_before_the_end_of_what_is_known(team, elsewhere):
    said = elsewhere(team.root, "log", "--oneline")
    line = elsewhere(team.root, "log", "--json").line

    assert said.code == 5
    assert len(said.out.splitlines()) == 4
    assert "is missing" in said.err
    assert (line["error_code"], len(line["result"]["commits"])) == ("BlockMissing", 4)


def test_show_of_a_merge(team, flair):
    said = flair("show", team.first)
    found = flair("show", team.first, "--json").result

    assert "signature  is the author's" in said.out
    assert "verified   on this machine" in said.out
    assert "strategy   fedavg: " in said.out
    assert "linear.weight" in said.out
    assert str(team.sites[0][0].wallet.address) in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines()), said.out
    assert found["strategy"]["weights"] == [32, 32]
    assert found["report"]["round_index"] == 1
    assert [one["name"] for one in found["weights"]["tensors"]] == [
        "linear.bias",
        "linear.weight",
    ]
    assert found["weights"]["n_values"] == 3
    assert found["weights"]["n_bytes"] == 12
    assert found["events"]["first_seq"] == 4


def test_show_of_an_update(team, flair):
    update = read_commit(team.owner.remote, team.second).parents[1]

    said = flair("show", update.short)
    found = flair("show", update.short, "--json").result

    assert "kind       update, round 2" in said.out
    assert "privacy    mode public, clipped to" in said.out
    assert "no privacy loss stated" in said.out
    assert "on about 32 samples" in said.out
    # Three values that each moved by a half.
    assert found["delta"]["l2"] == pytest.approx(0.5 * 3**0.5, abs=1e-3)
    assert found["weights"] is None


def test_show_of_a_revert_and_of_an_address(team, flair, tmp_path):
    said = flair("show")
    there = flair("show", f"{team.repo}@{team.root.short}", cwd=tmp_path)

    assert "revert of update" in said.out
    assert f"of merge {team.first.short}" in said.out
    assert there.code == 0
    assert "verified   not on this machine" in there.out
    assert "flair.toml (" in there.out


def test_diff_of_the_newest_move(team, flair):
    found = flair("diff", "--json").result
    said = flair("diff")

    # The term that was taken back: half of a quarter on each of three values.
    assert (found["before"], found["after"]) == (str(team.second), str(team.revert))
    assert found["l2"] == pytest.approx(0.125 * 3**0.5, abs=1e-4)
    assert found["max_abs"] == pytest.approx(0.125, abs=1e-4)
    (bias, weight) = found["tensors"]
    assert (bias["shape"], weight["shape"]) == ([1], [2])
    assert weight["l2"] == pytest.approx(0.125 * 2**0.5, abs=1e-4)
    assert weight["share_changed"] == 1.0
    # Both states are multiples of the vector of ones.
    assert weight["cosine"] == pytest.approx(1.0)
    assert "2 of 2 tensors differ, length 0.2165" in said.out
    assert "1.000000  100.0%" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_diff_of_equal_commits_and_the_exit_code(team, flair):
    equal = flair("diff", "HEAD..main", "--exit-code")
    differ = flair("diff", "main~1", "--exit-code")

    assert (equal.code, differ.code) == (0, 1)
    assert "the same weights, 2 tensors" in equal.out
    assert flair("diff", "main~1").code == 0
    assert flair("diff", "main~1", "--exit-code", "--json").line["exit_code"] == 1


def test_diff_says_how_much_of_each_tensor(team, flair):
    said = flair("diff", f"{team.root.short}..HEAD", "--stat")

    assert "linear.bias    100.0% ++++++++++++++++++++++++" in said.out


def test_diff_of_an_address(team, flair, tmp_path):
    said = flair("diff", "main~3", "main", "--repo", team.repo, cwd=tmp_path)

    assert said.code == 0, said.err
    assert said.out.startswith(f"{team.root.short}..{team.revert.short}")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("A..B", "C"), 2, "give A and B, or A..B"),
        (("other..HEAD",), 1, "is neither a branch"),
        (("HEAD~9",), 1, "goes beyond the root"),
        (("HEAD", "--repo", "heart"), 2, "no address of a repository"),
    ],
)
def test_diff_refuses(flair, arguments, code, reason):
    refused = flair("diff", *arguments)

    assert refused.code == code
    assert reason in refused.err


def test_diff_of_an_update_says_that_it_has_no_weights(team, flair):
    update = read_commit(team.owner.remote, team.second).parents[1]

    refused = flair("diff", update.short)

    assert refused.code == 2
    assert "is an update and has no weights" in refused.err


def test_names_are_of_head_and_branches(team):
    reading = reading_here(team.owner, team.workspace)

    assert reading.names_of(team.revert) == ("HEAD", "main")
    assert reading.names_of(team.second) == ()
