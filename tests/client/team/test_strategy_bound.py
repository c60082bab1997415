"""A round that falls below its strategy's bound stays like that: it stands alone."""

import pytest

from flair_client.chain import instructions
from flair_client.errors import ProgramRefused, TooFewUpdates
from flair_client.ids import CommitId
from flair_client.porcelain.policy import policy_use
from flair_client.porcelain.trust import trust
from flair_client.porcelain.update import RejectReason, update_reject


@pytest.fixture
def team(net, tmp_path):
    """Five sites."""
    from team_world import Team

    made = Team(net, tmp_path)
    made.publish()
    made.join(5)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def follow_krum(team, flair):
    made = flair(
        *("policy", "create", "--repo", team.repo, "--like", 0, "--json"),
        *("--min-updates", 5, "--max-updates", 5),
        *("--strategy", "krum", "--strategy-param", "f=1"),
    )
    assert made.code == 0, made.err
    policy_use(team.owner, team.repo, "main", made.result["index"])
    for ctx, workspace in team.sites:
        trust(ctx, workspace, accept=True)


def test_a_round_that_loses_an_update_is_merged_by_nobody(team, flair):
    follow_krum(team, flair)
    head = team.head
    team.push_updates(0.25, 0.5, -0.75, 0.3125, 0.125)
    round_terms = {
        "actor": team.owner.wallet.address,
        "repo": team.place.repo.address,
        "branch": team.place.address,
        "round_index": team.place.account.round_index,
    }
    policy = team.place.policy_address(team.place.account.policy_index)
    team.owner.send([instructions.round_close(policy=policy, **round_terms)])
    struck = team.sites[4][0].wallet.address
    update_reject(team.owner, team.repo, "main", struck, RejectReason.OUTLIER)
    live = team.place.round().address
    left = [one for one in team.owner.chain.updates(live) if one.contributor != struck]
    team.owner.send(
        [
            instructions.merge_accumulate(
                contributors=[one.contributor for one in left], **round_terms
            )
        ]
    )

    with pytest.raises(TooFewUpdates, match=r"at least 5 updates .* there are 4"):
        team.good_merge()
    with pytest.raises(ProgramRefused) as refused:
        team.finish_round(CommitId(b"\7" * 32))

    assert refused.value.name == "TooFewUpdates"
    assert team.head == head
    assert flair("verify").code == 0
