"""Every strategy in a policy on chain: two rounds each, merged, and verified anew.

All values of the model move alike, so that a formula on one number tells where the head
must be; it is written here once more, apart from the client.
"""

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.errors import ProgramRefused
from flair_client.history.graph import read_commit
from flair_client.history.verify_weights import read_manifest
from flair_client.porcelain.policy import policy_make, policy_show, policy_use
from flair_client.porcelain.pull import pull
from flair_client.porcelain.trust import trust
from flair_client.strategies import get_strategy
from flair_client.strategies.parameters import from_numbers, pack
from flair_client.weights import load_tensor

ETA = 0.25
# What the sites add in each round; Krum looks at the last two as well.
ROUNDS = ((0.25, 0.5, -0.75, 0.3125, 0.125), (0.5, 0.25, 0.75, 0.5625, 0.125))
# What a policy sets, and how many sites take part.
GIVEN = {
    "fedprox": ({}, 2),
    "fedavgm": ({}, 2),
    "fedadam": ({}, 2),
    "fedyogi": ({}, 2),
    "fedadagrad": ({}, 2),
    "median": ({"f": 1}, 3),
    "trimmed_mean": ({"f": 1}, 3),
    "krum": ({"f": 1}, 5),
    "multi_krum": ({"f": 1}, 5),
    "geometric_median": ({"f": 1}, 3),
    "norm_clipping": ({"f": 1, "norm": 0.5}, 3),
}
# The update with the closest neighbours, and the mean of the best two, by hand.
KRUM = (0.25, 0.5625)
MULTI_KRUM = ((0.25 + 0.3125) / 2, (0.5625 + 0.5) / 2)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    """Five sites whose branch follows one strategy after the other."""
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(5)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def use_policy(team, index):
    policy_use(team.owner, team.repo, "main", index)
    for ctx, workspace in team.sites:
        trust(ctx, workspace, accept=True)


def choose(team, flair, name):
    """A policy with a strategy, made by the command, for the next rounds."""
    given, n_sites = GIVEN[name]
    flags = [f"--strategy-param={key}={value}" for key, value in given.items()]
    made = flair(
        *("policy", "create", "--repo", team.repo, "--like", 0, "--eta", ETA),
        *("--min-updates", n_sites, "--max-updates", n_sites, "--strategy", name),
        *(*flags, "--json"),
    )
    assert made.code == 0, made.err
    use_policy(team, made.result["index"])


def run_round(team, steps):
    team.push_updates(*steps)
    team.close_round()
    merge = team.good_merge()
    team.finish_round(merge)
    return merge


def head_values(team):
    pull(team.owner, team.workspace)
    tensors = safetensors.numpy.load_file(team.workspace.weights_path)
    return np.concatenate([one.reshape(-1) for one in tensors.values()])


def moments_of(team, merge):
    """Each moment's values, by its name."""
    state = read_commit(team.owner.remote, merge).strategy_state
    if state is None:
        return {}
    kept = read_manifest(team.owner.remote, state)
    found = {}
    for one in kept.tensors:
        values = load_tensor(kept, one, team.owner.remote).reshape(-1)
        found.setdefault(one.name[0], []).extend(values)
    return found


def mean_steps(name, steps):
    """Shift and moments after each round, for strategies that take the mean."""
    m = v = 0.0
    for mean in map(statistics.fmean, steps):
        square = mean * mean
        if name == "fedprox":
            yield ETA * mean, {}
            continue
        if name == "fedavgm":
            m = 0.9 * m + mean
            yield ETA * m, {"m": m}
            continue
        beta = 0.0 if name == "fedadagrad" else 0.9
        m = beta * m + (1 - beta) * mean
        if name == "fedadam":
            v = 0.99 * v + 0.01 * square
        elif name == "fedyogi":
            v -= 0.01 * square * math.copysign(1, v - square)
        else:
            v += square
        yield ETA * m / (math.sqrt(v) + 0.001), {"m": m, "v": v}


def robust_shift(name, number, steps):
    """Shift after a round, for the others."""
    if name == "krum":
        return ETA * KRUM[number]
    if name == "multi_krum":
        return ETA * MULTI_KRUM[number]
    if name == "norm_clipping":
        # The model has as many values as this; all of them move by the step.
        most = 0.5 / math.sqrt(3)
        return ETA * statistics.fmean(max(-most, min(most, one)) for one in steps)
    # Of three numbers the middle one: trimmed by one, and closest to all, too.
    return ETA * statistics.median(steps)


@pytest.mark.parametrize("name", GIVEN)
def test_two_rounds_are_merged_and_a_stranger_finds_the_same(team, flair, name):
    choose(team, flair, name)
    n_sites = GIVEN[name][1]
    steps = [one[:n_sites] for one in ROUNDS]
    before, values = team.head, [head_values(team)]

    merges = []
    for one in steps:
        merges.append(run_round(team, one))
        values.append(head_values(team))

    # Of the moments that round 1 left, round 2 goes on; those before are another's.
    expected = list(mean_steps(name, steps))
    for number, merge in enumerate(merges):
        if n_sites > 2:
            shift, moments = robust_shift(name, number, steps[number]), {}
        else:
            shift, moments = expected[number]
        moved = values[number + 1] - values[number]
        assert moved == pytest.approx(np.full(3, shift), abs=2e-3)
        kept = moments_of(team, merge)
        assert set(kept) == set(moments)
        for which, value in moments.items():
            assert kept[which] == pytest.approx([value] * 3, rel=2e-3)
        assert read_commit(team.owner.remote, merge).strategy.id == name
    found = flair("verify", "--since", before, "--json").result
    assert found["valid"]
    assert [
        (one["commit_id"], one["check"]) for one in found["branches"][0]["commits"]
    ] == [(str(merge), "recomputed") for merge in merges]


def krum_params(team, min_updates, f=1):
    params = policy_show(team.owner, team.repo, 0).params
    values = from_numbers("krum", get_strategy("krum").parameters, {"f": f})
    packed = pack(get_strategy("krum").parameters, values)
    return replace(
        params,
        strategy=get_strategy("krum").number,
        strategy_params=packed,
        min_updates=min_updates,
        max_updates=5,
    )


def test_client_and_program_both_refuse_a_policy_below_the_bound(team, flair):
    wanted = ("policy", "create", "--repo", team.repo, "--like", 0)
    few = ("--strategy", "krum", "--min-updates", 4, "--max-updates", 5)

    said = flair(*wanted, *few, "--strategy-param", "f=1")

    assert said.code == 1
    assert "needs at least 5 updates (2f + 3 for f = 1), there are 4" in said.err
    # Whoever asks the program itself is refused there.
    with pytest.raises(ProgramRefused) as refused:
        policy_make(team.owner, team.repo, krum_params(team, 4))
    assert refused.value.name == "StrategyBound"
    with pytest.raises(ProgramRefused) as refused:
        policy_make(team.owner, team.repo, krum_params(team, 5, f=2))
    assert refused.value.name == "StrategyBound"
