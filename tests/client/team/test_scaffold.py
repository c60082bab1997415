"""Rounds under SCAFFOLD on a real localnet: variates that stay at home."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

import flair_client
from flair_client.errors import UsageError, WalletError
from flair_client.history.graph import read_commit
from flair_client.history.verify_weights import read_manifest
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import commit
from flair_client.porcelain.contribute import ContributePlan, contribute
from flair_client.porcelain.policy import (
    policy_like,
    policy_list,
    policy_make,
    policy_use,
)
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.revert import revert
from flair_client.porcelain.round import round_open
from flair_client.porcelain.train import train
from flair_client.porcelain.trust import trust
from flair_client.porcelain.update import update_withdraw
from flair_client.weights import load_tensor
from flair_client.workspace import Workspace

RATE = 0.5
NAMES = {"linear.weight", "linear.bias"}


@pytest.fixture
def scaffold(team):
    """A team whose policy says SCAFFOLD; every site has accepted it."""
    (shown,) = policy_list(team.owner, team.repo).policies
    table = {"strategy": "scaffold", "strategy_params": {"rate": RATE}}
    made = policy_make(team.owner, team.repo, policy_like(shown, table))
    policy_use(team.owner, team.repo, "main", made.index)
    for ctx, workspace in team.sites:
        pull(ctx, workspace)
        trust(ctx, workspace, accept=True)
    return team


def kept(workspace):
    """Head → variate by tensor, as it lies in the workspace."""
    folder = workspace.state_folder / "variates"
    return {p.stem: safetensors.numpy.load_file(p) for p in folder.iterdir()}


def variate(team, site):
    """A site's variate for the head, brought up by a training."""
    ctx, workspace = team.sites[site]
    pull(ctx, workspace)
    train(ctx, workspace, team.folder / "rows.csv")
    return kept(workspace)[str(team.head)]


def send(team, site):
    ctx, workspace = team.sites[site]
    pull(ctx, workspace)
    train(ctx, workspace, team.folder / "rows.csv", seed=site)
    commit(ctx, workspace, message="mine")
    return push(ctx, workspace).commit


def merged(team):
    team.close_round()
    made = team.good_merge()
    team.finish_round(made)
    return made


def server(team):
    head = read_commit(team.owner.remote, team.head)
    state = read_manifest(team.owner.remote, head.strategy_state)
    return {
        entry.name.removeprefix("c/"): load_tensor(state, entry, team.owner.remote)
        for entry in state.tensors
    }


def test_the_servers_variate_is_the_mean_of_the_sites_own(scaffold):
    for _ in range(2):
        for site in (0, 1):
            send(scaffold, site)
        merged(scaffold)

    own = [variate(scaffold, site) for site in (0, 1)]
    c = server(scaffold)
    assert set(own[0]) == NAMES
    for name in NAMES:
        mean = (own[0][name] + own[1][name]) / 2
        assert np.abs(mean - c[name]).max() < 1e-12
        assert np.abs(own[0][name] - own[1][name]).max() > 0


def test_nothing_of_a_variate_is_sent(scaffold):
    send(scaffold, 0)
    send(scaffold, 1)
    merged(scaffold)
    ctx, workspace = scaffold.sites[0]
    pull(ctx, workspace)
    train(ctx, workspace, scaffold.folder / "rows.csv")
    commit(ctx, workspace, message="mine")

    before = {p.name for p in scaffold.store_folder.rglob("*") if p.is_file()}
    push(ctx, workspace)
    new = [
        p.read_bytes()
        for p in scaffold.store_folder.rglob("*")
        if p.is_file() and p.name not in before
    ]
    for values in kept(workspace)[str(scaffold.head)].values():
        assert all(values.astype("<f8").tobytes() not in raw for raw in new)


def test_an_update_that_was_not_merged_moves_nothing(scaffold):
    for site in (0, 1):
        send(scaffold, site)
    merged(scaffold)
    before = variate(scaffold, 0)
    send(scaffold, 0)
    send(scaffold, 1)
    update_withdraw(scaffold.sites[0][0], scaffold.repo, "main")
    # The round is full with two that count.
    third, folder = scaffold.context("site-2"), scaffold.folder / "site-2"
    clone(third, scaffold.repo, folder, trust=True)
    scaffold.sites.append((third, Workspace(folder)))
    send(scaffold, 2)
    merged(scaffold)

    after = variate(scaffold, 0)

    for name in NAMES:
        assert after[name].tobytes() == before[name].tobytes()


def test_it_is_the_same_after_a_restart_and_in_a_fresh_clone(scaffold):
    for _ in range(3):
        for site in (0, 1):
            send(scaffold, site)
        merged(scaffold)
    ctx, workspace = scaffold.sites[0]
    first = variate(scaffold, 0)
    assert len(kept(workspace)) == 2
    shutil.rmtree(workspace.state_folder / "variates")
    again = variate(scaffold, 0)

    clone(ctx, scaffold.repo, scaffold.folder / "fresh", trust=True)
    fresh = Workspace(scaffold.folder / "fresh")
    train(ctx, fresh, scaffold.folder / "rows.csv")

    for other in (again, kept(fresh)[str(scaffold.head)]):
        assert {n: v.tobytes() for n, v in other.items()} == {
            n: v.tobytes() for n, v in first.items()
        }


def test_another_wallet_in_the_same_clone_has_a_variate_of_its_own(scaffold):
    for site in (0, 1):
        send(scaffold, site)
    merged(scaffold)
    mine, others = (variate(scaffold, site) for site in (0, 1))
    workspace = scaffold.sites[0][1]

    train(scaffold.sites[1][0], workspace, scaffold.folder / "rows.csv")

    (found,) = kept(workspace).values()
    for name in NAMES:
        assert found[name].tobytes() == others[name].tobytes()
        assert found[name].tobytes() != mine[name].tobytes()


def test_a_revert_begins_it_anew(scaffold):
    for site in (0, 1):
        send(scaffold, site)
    merge = merged(scaffold)
    assert any(values.any() for values in variate(scaffold, 0).values())
    pull(scaffold.owner, scaffold.workspace)
    revert(scaffold.owner, scaffold.workspace, str(merge))

    after = variate(scaffold, 0)

    assert not any(values.any() for values in after.values())


def test_rounds_unattended_go_on_with_it(scaffold):
    for _ in range(2):
        round_open(scaffold.owner, scaffold.repo, "main")
        for ctx, workspace in scaffold.sites:
            plan = ContributePlan(data=scaffold.folder / "rows.csv", once=True)
            contribute(ctx, workspace, plan)
        merged(scaffold)

    own = [variate(scaffold, site) for site in (0, 1)]
    c = server(scaffold)
    for name in NAMES:
        assert np.abs((own[0][name] + own[1][name]) / 2 - c[name]).max() < 1e-12


def test_without_a_wallet_nobodys_updates_are_ones_own(scaffold):
    ctx, workspace = scaffold.sites[0]

    with pytest.raises(WalletError, match="needs a wallet"):
        train(replace(ctx, signer=None), workspace, scaffold.folder / "rows.csv")


@pytest.fixture
def door(scaffold, monkeypatch):
    """Opens the door around a program of one's own, as site 0."""
    _, workspace = scaffold.sites[0]
    monkeypatch.setenv("FLAIR_WALLET", "site-0")
    for site in (0, 1):
        send(scaffold, site)
    merged(scaffold)
    pull(*scaffold.sites[0])
    return lambda: flair_client.training(workspace.folder, home=scaffold.home)


def test_a_program_of_ones_own_is_handed_the_correction(scaffold, door):
    with door() as t:
        weights = t.weights()
        step = t.context.step_size(8)
        correction = t.context.gradient_correction("linear.weight")
        t.finish(weights, num_samples=40)

    own = kept(scaffold.sites[0][1])[str(scaffold.head)]
    expected = server(scaffold)["linear.weight"] - own["linear.weight"]
    assert step == RATE / 8
    assert correction.tobytes() == expected.tobytes()
    assert np.abs(correction).max() > 0


def test_a_program_that_corrects_nothing_is_refused(scaffold, door):
    path = scaffold.sites[0][1].update_path
    before = path.read_bytes()

    with pytest.raises(UsageError, match="gradients were never corrected"), door() as t:
        t.finish(t.weights(), num_samples=40)

    assert path.read_bytes() == before
