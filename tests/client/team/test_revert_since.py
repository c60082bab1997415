"""`flair revert --since` on a real localnet: what is left behind, and what comes back.

Each round of the team adds the mean of its two steps to every value.
"""

import numpy as np
import pytest
import safetensors.numpy

from flair_client.encoding import weights_digest
from flair_client.errors import Refused, UsageError, VerificationError
from flair_client.history.evidence import gather_evidence
from flair_client.history.graph import manifest_of, read_commit
from flair_client.history.verify import verify_branch
from flair_client.history.without import replay_without
from flair_client.objects import CommitKind, RevertKind
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert
from flair_client.porcelain.target import find_repo
from flair_client.store.overlay import scratch_over


def value(team):
    pull(team.owner, team.workspace)
    tensors = safetensors.numpy.load_file(team.workspace.weights_path)
    found = np.concatenate([one.ravel() for one in tensors.values()])
    assert np.ptp(found) < 1e-3
    return round(float(found.mean()), 2)


def verify(team):
    where = find_repo(team.owner, team.repo).address
    return verify_branch(team.owner.chain, team.owner.remote, where, "main")


def gathered(team):
    where = find_repo(team.owner, team.repo).address
    return gather_evidence(
        team.owner.chain,
        team.owner.remote,
        where,
        "main",
        genesis_hash=team.owner.network.genesis_hash,
    )


def back(team, commit):
    return revert(team.owner, team.workspace, str(commit), since=True)


def test_the_state_of_a_commit_comes_back_whole(team, flair):
    first = team.run_round(0.25, 0.25)
    team.run_round(0.5, 0.5)
    team.run_round(1.0, 1.0)
    pull(team.owner, team.workspace)

    plan = flair("revert", "--since", first.short, "--dry-run", "--json").result
    said = flair("revert", "--since", first.short, "--yes")

    assert (plan["n_left_behind"], plan["commit"]) == (2, None)
    assert said.code == 0, said.err
    assert f"2 commits: all since {first.short}" in said.out
    assert value(team) == 0.25
    store = team.owner.remote
    commit = read_commit(store, team.head)
    assert (commit.kind, commit.reverts.kind) == (CommitKind.REVERT, RevertKind.SINCE)
    digests = [weights_digest(manifest_of(store, one)) for one in (team.head, first)]
    assert digests[0] == digests[1]
    assert commit.message == f"back to {first.short}"
    assert f"revert of all since {first.short}" in flair("log").out
    # A stranger finds the same, and the next round is made on it.
    assert flair("verify").code == 0
    team.run_round(0.5, 0.5)
    assert value(team) == 0.75


def test_what_was_left_behind_is_not_taken_back_again(team):
    first = team.run_round(0.25, 0.25)
    second = team.run_round(0.5, 0.5)
    pull(team.owner, team.workspace)
    done = back(team, first)

    with pytest.raises(Refused, match=f"taken back by {done.commit.short} already"):
        revert(team.owner, team.workspace, str(second))
    with pytest.raises(Refused, match="nothing came since"):
        back(team, done.commit)

    revert(team.owner, team.workspace, str(first))
    assert value(team) == 0.0


def test_going_back_further_brings_in_what_was_taken_back_between(team):
    first = team.run_round(0.25, 0.25)
    second = team.run_round(0.5, 0.5)
    pull(team.owner, team.workspace)
    revert(team.owner, team.workspace, str(first))
    assert value(team) == 0.5

    # To before the revert of the first: it is in again, and can be taken back again.
    again = back(team, second)
    assert value(team) == 0.75
    revert(team.owner, team.workspace, str(first))
    assert value(team) == 0.5

    # To where it had just come in: that revert does not hold either.
    back(team, again.commit)
    assert value(team) == 0.75
    revert(team.owner, team.workspace, str(second))
    assert value(team) == 0.25
    assert len(verify(team).commits) == 8


def test_a_replay_passes_over_what_was_left_behind(team):
    first = team.run_round(0.25, 0.75)
    team.run_round(5.0, 5.0)
    pull(team.owner, team.workspace)
    back(team, first)
    team.run_round(0.5, 1.0)
    pull(team.owner, team.workspace)
    assert value(team) == 1.25
    site = team.sites[1][0].wallet.address

    evidence = gathered(team).evidence
    with scratch_over(team.owner.remote) as store:
        made = replay_without(evidence, team.head, site, store)
    assert len(made.left_out) == 2

    done = revert(team.owner, team.workspace, contributor=site, replay=True)
    assert done.n_replayed == 2
    assert value(team) == 0.75
    assert weights_digest(made.manifest) == weights_digest(
        manifest_of(team.owner.remote, team.head)
    )


def test_what_cannot_be_gone_back_to(team, flair):
    merge = team.run_round(0.25, 0.25)
    pull(team.owner, team.workspace)
    update = read_commit(team.owner.remote, merge).parents[1]

    with pytest.raises(UsageError, match="was never the head"):
        back(team, update)
    site = team.sites[0][0].wallet.address
    with pytest.raises(UsageError, match="no contributor"):
        revert(team.owner, team.workspace, "HEAD~1", contributor=site, since=True)
    for flags in (
        ("HEAD", "--since", "HEAD~1"),
        ("--since", "HEAD~1", "--subtract"),
        ("--contributor", str(site), "--subtract", "--replay"),
    ):
        refused = flair("revert", *flags, "--yes")
        assert (refused.code, "one way at a time" in refused.err) == (2, True), flags
    assert team.head == merge


def test_another_state_than_that_of_the_commit_is_found_out(team, monkeypatch):
    first = team.run_round(0.25, 0.25)
    team.run_round(0.5, 0.5)
    pull(team.owner, team.workspace)
    lie(monkeypatch, team)
    back(team, first)

    with pytest.raises(VerificationError, match="is not what recomputing gives"):
        verify(team)


def lie(monkeypatch, team):
    """The owner's program puts the head's own weights into the revert."""
    from flair_client.porcelain import revert_plan

    honest = revert_plan.recompute_revert

    def lying(evidence, head, *args, **kwargs):
        honest(evidence, head, *args, **kwargs)
        return head

    monkeypatch.setattr(revert_plan, "recompute_revert", lying)
