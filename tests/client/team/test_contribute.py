"""A contributor that works alone for rounds, on a real localnet."""

import json
from dataclasses import replace

import httpx
import pytest

from flair_client.chain import instructions
from flair_client.chain.client import ChainClient
from flair_client.chain.rpc import Rpc
from flair_client.chain.transport import Patience as RpcPatience
from flair_client.errors import (
    BudgetSpent,
    DataError,
    TrustRequired,
    WorkspaceError,
    WorkspaceLocked,
)
from flair_client.porcelain.approval import approve_outbox
from flair_client.porcelain.clone import clone
from flair_client.porcelain.contribute import (
    ContributePlan,
    Ending,
    Listener,
    contribute,
)
from flair_client.porcelain.delegation import delegation_create
from flair_client.porcelain.policy import policy_list, policy_make, policy_use
from flair_client.porcelain.protection import PrivacyAsked
from flair_client.porcelain.pull import pull
from flair_client.porcelain.pushed import PushOutcome
from flair_client.porcelain.round import round_close, round_open
from flair_client.porcelain.snapshot import commit_snapshot
from flair_client.porcelain.trust import trust
from flair_client.porcelain.update import RejectReason, update_reject
from flair_client.site_rules import SiteRules
from flair_client.training.sandbox.keeping import kept
from flair_client.workspace import Workspace


def rows(team):
    return team.folder / "rows.csv"


def run(team, site, ctx=None, **more):
    said, over = [], []
    own, workspace = team.sites[site]
    plan = ContributePlan(data=rows(team), **({"once": True} | more))
    listener = Listener(note=said.append, warn=said.append, round_over=over.append)
    result = contribute(ctx or own, workspace, plan, listener)
    return result, said, over


def opened(team):
    round_open(team.owner, team.repo, "main")


def merged(team):
    team.close_round()
    made = team.good_merge()
    team.finish_round(made)
    return made


def updates(team):
    place = team.place
    return team.owner.chain.updates(place.round(place.account.round_index).address)


def add_up(team, *contributors):
    place = team.place
    step = instructions.merge_accumulate(
        actor=team.owner.wallet.address,
        round_index=place.account.round_index,
        contributors=list(contributors),
        **team._common(place),
    )
    team.owner.send([step])


def lines(workspace):
    text = (workspace.state_folder / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_round_from_its_opening_to_the_figures_of_the_merge(team):
    first, said, over = run(team, 0, open_rounds=True)
    run(team, 1)
    made = merged(team)
    second, _, over_after = run(team, 0)

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
    # Said again and again, nothing more happens.
    assert run(team, 0)[0].n_rounds == 0
    assert len(lines(team.sites[0][1])) == 2


def test_it_tells_until_when_it_waits_and_tells_it_once(team):
    ctx, workspace = team.sites[0]
    waits, noted, asked = [], [], iter([False] * 8 + [True] * 9)
    listener = Listener(
        note=noted.append,
        wait=lambda why, until: waits.append((why, until)),
        sleep=lambda _: None,
        is_asked_to_stop=lambda: next(asked),
    )
    plan = ContributePlan(data=rows(team), open_rounds=True)

    contribute(ctx, workspace, plan, listener)

    (live,) = ctx.chain.rounds(team.place.address)
    waiting = "round 1 has the update and takes those of others"
    assert waits == [(waiting, live.deadline)]
    assert waiting not in noted
    run(team, 1)
    team.close_round()
    waits.clear()
    once = ContributePlan(data=rows(team), once=True)
    listener.is_asked_to_stop = lambda: False
    contribute(ctx, workspace, once, listener)
    (live,) = ctx.chain.rounds(team.place.address)
    params = policy_list(team.owner, team.repo).policies[0].params
    grace = live.closed_at + params.challenge_s + params.merge_grace_s
    assert waits == [("round 1 is closed and waits for its merge", grace)]


def test_what_it_runs_may_share_a_template_until_it_ends(team):
    opened(team)
    own, workspace = team.sites[0]
    seen = []
    listener = Listener(note=lambda _: seen.append(kept()))

    contribute(own, workspace, ContributePlan(data=rows(team), once=True), listener)

    assert seen[0] is not None
    assert set(map(id, seen)) == {id(seen[0])}
    # A model of Flair's own has no code, and takes none.
    assert not seen[0].is_standing()
    assert kept() is None


def test_it_waits_for_a_round_that_nobody_opened(team):
    result, said, _ = run(team, 0)

    assert result.ending is Ending.WAITING
    assert said == ["round 1 is not open yet; with --open-rounds it would be opened"]
    assert not team.place.account.round_live


@pytest.mark.parametrize("change", ["policy", "owner"])
def test_changed_terms_stop_it_until_a_person_accepts(team, change):
    opened(team)
    run(team, 0), run(team, 1)
    merged(team)
    ctx, workspace = team.sites[0]
    before = workspace.trust_path.read_bytes()
    if change == "policy":
        (newest, *_) = policy_list(team.owner, team.repo).policies
        changed = replace(newest.params, round_length_s=60)
        made = policy_make(team.owner, team.repo, changed)
        policy_use(team.owner, team.repo, "main", made.index)
    else:
        workspace.trust_path.write_bytes(
            before.replace(b"authority_epoch = 0", b"authority_epoch = 7")
        )
        before = workspace.trust_path.read_bytes()
    opened(team)

    for _ in range(2):
        with pytest.raises(TrustRequired, match=f"the {change} changed"):
            run(team, 0)
    assert workspace.trust_path.read_bytes() == before
    assert updates(team) == []
    # What was over is written down all the same, once.
    assert workspace.marker("contribute").get("sent") is None

    trust(ctx, workspace, accept=True)
    run(team, 0)
    assert len(updates(team)) == 1


def test_a_rejected_update_does_not_stop_it(team):
    opened(team)
    run(team, 0), run(team, 1)
    wallet = team.sites[0][0].wallet.address
    round_close(team.owner, team.repo, "main")
    update_reject(team.owner, team.repo, "main", wallet, RejectReason.OUTLIER)
    _, said, _ = run(team, 0)
    add_up(team, team.sites[1][0].wallet.address)
    team.finish_round(team.good_merge())
    opened(team)
    result, _, _ = run(team, 0)

    assert said == ["round 1: the owner left the update out (outlier)"]
    assert [one.outcome for one in result.rounds] == [PushOutcome.REJECTED]
    assert [one.contributor for one in updates(team)] == [wallet]


def test_rounds_are_counted_over_runs_and_then_it_is_done(team):
    for index in range(3):
        opened(team)
        results = [run(team, site, once=True, n_rounds=2)[0] for site in (0, 1)]
        endings = {one.ending for one in results}
        if index == 2:
            break
        assert endings == {Ending.WAITING}
        merged(team)

    assert endings == {Ending.DONE}
    assert updates(team) == []
    # The count begins anew once it is done.
    assert run(team, 0, n_rounds=2)[0].ending is Ending.WAITING
    assert len(updates(team)) == 1


def test_another_number_of_rounds_is_another_run(team):
    opened(team)
    run(team, 0, n_rounds=1), run(team, 1)
    merged(team)
    opened(team)

    assert run(team, 0, n_rounds=2)[0].ending is Ending.WAITING
    assert len(updates(team)) == 1


def test_a_second_person_is_waited_for(team, tmp_path):
    opened(team)
    ctx, workspace = team.sites[0]
    second = team.context("second")
    site = SiteRules(second_approver=(second.wallet.address,))
    home = tmp_path / "audited"
    strict = replace(ctx, site=site, home=home)

    for _ in range(2):
        result, said, _ = run(team, 0, ctx=strict)
        assert result.ending is Ending.WAITING
        assert said[-1].startswith("the push waits for a second person")
    assert updates(team) == []
    approve_outbox(replace(second, site=site), workspace)
    second.chain.close()
    run(team, 0, ctx=strict)

    assert len(updates(team)) == 1
    text = (home / "audit.jsonl").read_text()
    # One line for each time that it was tried, not for each look.
    assert text.count('"kind":"refused"') == 2


def test_a_spent_budget_ends_it(team, tmp_path):
    opened(team)
    ctx, _ = team.sites[0]
    poor = replace(ctx, home=tmp_path / "poor", max_epsilon=1.1)
    asked = PrivacyAsked(epsilon=1.0)
    run(team, 0, ctx=poor, privacy=asked), run(team, 1)
    merged(team)
    opened(team)

    with pytest.raises(BudgetSpent):
        run(team, 0, ctx=poor, privacy=asked)
    assert updates(team) == []


def test_bad_data_ends_it_and_names_the_row(team):
    opened(team)
    rows(team).write_text("a,b,target\n1,2,0\n1,2,7\n")

    with pytest.raises(DataError, match="row"):
        run(team, 0)


def test_an_update_that_came_too_late_is_dropped_and_the_next_one_is_made(team):
    opened(team)
    ctx, workspace = team.sites[0]

    plan = ContributePlan(data=rows(team), once=True)
    said = []
    asked = iter([False] * 3 + [True] * 2)
    # Stopped between its commit and its push.
    first = contribute(
        ctx,
        workspace,
        plan,
        Listener(note=said.append, is_asked_to_stop=lambda: next(asked)),
    )
    assert first.ending is Ending.ASKED
    assert workspace.marker("pending") is not None
    other = team.context("site-2")
    clone(other, team.repo, team.folder / "site-2", trust=True)
    team.sites.append((other, Workspace(team.folder / "site-2")))
    run(team, 1), run(team, 2)
    merged(team)
    opened(team)
    result, said, _ = run(team, 0)
    other.chain.close()

    assert result.n_missed == 1
    assert any("round 1 was missed" in one for one in said)
    (update,) = updates(team)
    assert update.contributor == ctx.wallet.address


def test_a_snapshot_is_never_pushed_unattended(team):
    opened(team)
    pull(team.owner, team.workspace)
    (team.workspace.folder / "CARD.md").write_text("# Mine\n")
    commit_snapshot(team.owner, team.workspace, message="mine")
    team.sites.append((team.owner, team.workspace))

    with pytest.raises(WorkspaceError, match="not an update"):
        run(team, 2)


def test_two_do_not_contribute_from_one_workspace(team):
    opened(team)
    ctx, workspace = team.sites[0]

    def again(_):
        with pytest.raises(WorkspaceLocked, match="contributes"):
            run(team, 0)

    plan = ContributePlan(data=rows(team), once=True)
    contribute(ctx, workspace, plan, Listener(note=again))
    assert len(updates(team)) == 1


class Unreliable(httpx.BaseTransport):
    """Passes requests on, but answers 429 or nothing at times."""

    def __init__(self):
        self.inner = httpx.HTTPTransport()
        self.count = 0

    def handle_request(self, request):
        self.count += 1
        if self.count in (1, 12, 60):
            return httpx.Response(429)
        if self.count in (2, 30, 90):
            raise httpx.ConnectError("down")
        return self.inner.handle_request(request)

    def close(self):
        self.inner.close()


def test_outages_and_too_many_requests_are_waited_out(team):
    ctx, workspace = team.sites[0]
    bad = Unreliable()
    rpc = Rpc(
        team.net.url,
        genesis_hash=team.net.genesis_hash,
        # Every fault reaches the contributor: nothing below tries again.
        patience=RpcPatience(attempts=1),
        http=bad,
    )
    chain = ChainClient(rpc)
    slept = []
    plan = ContributePlan(data=rows(team), once=True, open_rounds=True, interval_s=1)
    listener = Listener(sleep=slept.append)
    result = contribute(replace(ctx, chain=chain), workspace, plan, listener)
    chain.close()

    assert result.ending is Ending.WAITING
    assert slept
    (update,) = updates(team)
    assert update.contributor == ctx.wallet.address


def test_a_machine_key_contributes_for_its_wallet(team):
    opened(team)
    wallet, _ = team.sites[0]
    machine = team.context("machine")
    delegation_create(wallet, team.repo, machine.wallet.address, lasts_s=86_400)
    here = replace(machine, on_behalf_of=wallet.wallet.address)

    run(team, 0, ctx=here)
    (update,) = updates(team)
    assert update.contributor == wallet.wallet.address
    assert run(team, 0, ctx=here)[1] == [
        "round 1 has the update and takes those of others"
    ]
    run(team, 1)
    merged(team)
    result, _, _ = run(team, 0, ctx=here)
    machine.chain.close()

    assert [one.outcome for one in result.rounds] == [PushOutcome.MERGED]
