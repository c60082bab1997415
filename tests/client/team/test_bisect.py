"""`flair bisect` on a line in which one merge turns the model around."""

import pytest

from flair_client.errors import UsageError
from flair_client.history.graph import read_commit
from flair_client.porcelain.bisect import bisect
from flair_client.porcelain.pull import pull

# Steps of the rounds: the fifth undoes all that was learned, and more.
STEPS = (0.25, 0.125, 0.125, 0.125, -1.0, 0.125, 0.125)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.merges = [made.run_round(step) for step in STEPS]
    pull(made.owner, made.workspace)
    # What grows with both columns is learned by positive weights.
    lines = "\n".join(f"{n},{n},{int(n > 0)}" for n in range(-20, 20))
    made.rows = made.folder / "sorted.csv"
    made.rows.write_text(f"a,b,target\n{lines}\n")
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def test_the_merge_after_which_it_fell_is_named_with_its_updates(team, flair):
    found = flair(
        *("bisect", "HEAD~6", "--metric", "auc", "--data", team.rows, "--json")
    ).result

    assert found["bad"] == str(team.merges[4])
    assert found["good"] == str(team.merges[3])
    assert (found["good_value"], found["bad_value"]) == (1.0, 0.0)
    updates = read_commit(team.owner.remote, team.merges[4]).parents[1:]
    assert [one["commit"] for one in found["updates"]] == [str(one) for one in updates]
    assert found["next_command"] == f"flair revert {team.merges[4].short}"
    # Seven commits: both ends, and two or three in between.
    assert len(found["steps"]) <= 5


def test_each_step_is_told_and_nothing_is_measured_twice(team, flair):
    command = ("bisect", "HEAD~6", "HEAD", "--metric", "auc", "--data", team.rows)
    flair(*command)
    lines = (team.workspace.state_folder / "metrics.jsonl").read_text()

    again = flair(*command)

    assert again.code == 0
    told = [line for line in again.err.splitlines() if "auc" in line]
    assert len(told) >= 4
    assert all("measured before" in line for line in told)
    assert (team.workspace.state_folder / "metrics.jsonl").read_text() == lines
    assert f"next: flair revert {team.merges[4].short}" in again.err
    assert "good is at least 0.5" in again.out


def test_of_a_loss_a_smaller_value_is_good(team, flair):
    found = flair(
        *("bisect", "HEAD~3", "HEAD~2", "--metric", "log_loss", "--below", "0.6"),
        *("--data", team.rows, "--json"),
    ).result

    assert found["bad"] == str(team.merges[4])
    assert found["lower_is_better"]
    assert len(found["steps"]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("HEAD~1", "HEAD~5"), "is not on the line before"),
        (("HEAD", "HEAD"), "no commit between"),
        (("HEAD~5", "HEAD~4"), "auc did not fall"),
        (("HEAD~5", "HEAD~4", "--below", "0.5"), "is not bad"),
        (("HEAD~1", "HEAD", "--below", "0.5"), "is not good already"),
        (("HEAD~5", "HEAD", "--metric", "f1"), "has no metric 'f1' here; it has"),
    ],
)
def test_ends_that_are_none_are_refused(team, flair, words, sentence):
    said = flair("bisect", "--metric", "auc", *words, "--data", team.rows)

    assert said.code == 2
    assert sentence in said.err


def test_other_rows_are_measured_anew(team):
    other = team.folder / "other.csv"
    other.write_text(team.rows.read_text().replace("\n-20,-20,0", ""))

    found = bisect(team.owner, team.workspace, other, "auc", good="HEAD~6")

    assert found.bad == team.merges[4]
    assert not any(step.is_known for step in found.steps)
    with pytest.raises(UsageError):
        bisect(team.owner, team.workspace, other, "auc", good="HEAD~1")


def test_the_log_draws_what_was_measured(team, flair):
    flair("bisect", "HEAD~6", "--metric", "auc", "--data", team.rows)

    said = flair("log", "--oneline")
    found = flair("log", "--json").result
    few = flair("log", "-n", "1", "--json").result

    (auc,) = [
        one
        for one in found["series"]
        if one["name"] == "auc" and one["source"].endswith("sorted.csv")
    ]
    by_commit = {one["commit"]: one["value"] for one in auc["points"]}
    assert by_commit[str(team.merges[3])] == 1.0
    assert by_commit[str(team.merges[4])] == 0.0
    assert said.out.startswith("accuracy ")
    assert "auc " in said.out
    assert "\n\n" in said.out
    assert few["series"] == []
