"""A contributor that works alone for rounds, on a real localnet."""

import json

from flair_client.porcelain.contribute import (
    ContributePlan,
    Ending,
    Listener,
    contribute,
)
from flair_client.porcelain.pushed import PushOutcome


def rows(team):
    return team.folder / "rows.csv"


def plan(team, **more):
    return ContributePlan(
        data=rows(team), **({"once": True, "open_rounds": True} | more)
    )


def run(team, site, **more):
    said, over = [], []
    ctx, workspace = team.sites[site]
    listener = Listener(note=said.append, warn=said.append, round_over=over.append)
    result = contribute(ctx, workspace, plan(team, **more), listener)
    return result, said, over


def merge(team):
    team.close_round()
    made = team.good_merge()
    team.finish_round(made)
    return made


def lines(workspace):
    text = (workspace.state_folder / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_round_from_its_opening_to_the_figures_of_the_merge(team):
    first, said, over = run(team, 0)
    run(team, 1)
    made = merge(team)
    second, _, over_after = run(team, 0, open_rounds=False)

    assert first.ending is Ending.WAITING
    assert over == []
    assert said[-1] == "round 1 has the update and takes those of others"
    (taken,) = over_after
    assert second.rounds == (taken,)
    assert (taken.outcome, taken.merge) == (PushOutcome.MERGED, made)
    assert taken.num_samples == 40
    assert 0 <= taken.metrics["accuracy"] <= 1
    assert [line["commit"] for line in lines(team.sites[0][1])] == [
        str(team.root),
        str(made),
    ]
