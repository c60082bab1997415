"""Joining by a link or by a request, with and without money."""

import time
from dataclasses import replace

import pytest
from joining_world import (
    DAY,
    balance,
    commit_step,
    link_of,
    merged,
    read_clock,
)

from flair_client.chain.accounts import Scope
from flair_client.chain.signer import KeypairSigner
from flair_client.errors import (
    InviteGone,
    ProgramRefused,
    UsageError,
)
from flair_client.invite_link import InviteLink
from flair_client.porcelain.invite import invite_create, invite_list, invite_revoke
from flair_client.porcelain.join import (
    join,
    join_request,
    join_request_close,
    join_request_list,
)
from flair_client.porcelain.outbox import outbox
from flair_client.porcelain.policy import policy_list, policy_make, policy_use
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.pushed import PushOutcome
from flair_client.porcelain.role import role_grant, role_list
from flair_client.porcelain.round import round_open
from flair_client.porcelain.sponsor import sponsor_set, sponsor_status
from flair_client.porcelain.trust import trust
from flair_client.porcelain.update import update_withdraw
from flair_client.porcelain.verify import verify
from flair_client.workspace import Workspace


@pytest.fixture
def invited(team):
    """The repository takes updates of invited wallets alone."""
    params = policy_list(team.owner, team.repo).policies[0].params
    invited_only = replace(params, contribute=1)
    made = policy_make(team.owner, team.repo, invited_only)
    policy_use(team.owner, team.repo, "main", made.index)
    return team


def test_a_wallet_without_money_joins_by_a_link_and_pushes(
    invited, poor, sponsor, tmp_path
):
    team, guest = invited, poor(50)
    payer = sponsor.wallet.address
    link = link_of(team, sponsor_url=sponsor.sponsor_url)
    before = balance(team.owner, payer)

    joined = join(guest, link, tmp_path / "guest", trust=True)

    assert joined.paid_by == payer
    assert joined.scope is Scope.CONTRIBUTE
    workspace = Workspace(tmp_path / "guest")
    kept = (workspace.state_folder / "config.local").read_text()
    assert sponsor.sponsor_url in kept
    guest = replace(guest, sponsor_url=sponsor.sponsor_url)
    commit_step(guest, workspace)
    hosts = {one.what: one.host for one in outbox(guest, workspace).hosts}
    assert hosts["fees"] == sponsor.sponsor_url
    assert push(guest, workspace).outcome is PushOutcome.ACCEPTED
    assert balance(guest) == 0
    spent = sponsor_status(sponsor)
    assert [one.wallet for one in spent.wallets] == [guest.wallet.address]
    paid = before - balance(team.owner, payer)
    assert 0 < paid <= spent.join + spent.contribute
    site, place = team.sites[0]
    trust(site, place, accept=True)
    pull(site, place)
    commit_step(site, place)
    with pytest.raises(ProgramRefused, match="role"):
        push(site, place)

    assert verify(team.owner, team.repo).fault is None


def test_rent_and_deposit_come_back_to_the_sponsor(team, poor, sponsor, tmp_path):
    guest = replace(poor(51), sponsor_url=sponsor.sponsor_url)
    join(guest, link_of(team), tmp_path / "guest", trust=True)
    workspace = Workspace(tmp_path / "guest")
    before = balance(sponsor)
    commit_step(guest, workspace)
    push(guest, workspace)
    after_push = balance(sponsor)
    team.push_updates(0.5)
    merged(team)

    back = balance(sponsor) - after_push
    rent = team.owner.chain.rpc.get_minimum_balance_for_rent_exemption
    assert back == rent(352) + rent(393)
    assert before - after_push > back
    found = team.owner.chain.contribution(team.place.repo.address, guest.wallet.address)
    assert found.merges == 1
    assert found.points == 5
    assert verify(team.owner, team.repo).fault is None


def test_rounds_are_opened_and_updates_withdrawn_through_the_sponsor(
    team, poor, sponsor, tmp_path
):
    guest = replace(poor(52), sponsor_url=sponsor.sponsor_url)
    join(guest, link_of(team), tmp_path / "guest", trust=True)
    workspace = Workspace(tmp_path / "guest")
    round_open(guest, team.repo, "main")
    commit_step(guest, workspace)
    push(guest, workspace)

    update_withdraw(guest, team.repo, "main")

    target = team.place.round()
    assert target.account.n_accepted == 0
    assert target.account.payer == sponsor.wallet.address
    assert balance(guest) == 0


def test_a_link_works_as_often_as_it_says(team, poor, sponsor):
    link = link_of(team, uses=2, sponsor_url=sponsor.sponsor_url)
    first, second, third = poor(53), poor(54), poor(55)
    join(first, link, None)
    assert join(first, link, None).tx_signature is None  # has the role already
    assert invite_list(team.owner, team.repo).invites[0].uses_left == 1
    join(second, link, None)

    with pytest.raises(InviteGone):
        join(third, link, None)
    assert join(second, link, None).tx_signature is None
    assert not invite_list(team.owner, team.repo).invites


def test_the_sponsor_of_the_link_goes_before_the_one_of_the_settings(
    team, poor, sponsor
):
    guest = replace(poor(58), sponsor_url="http://127.0.0.1:9")

    joined = join(guest, link_of(team, sponsor_url=sponsor.sponsor_url), None)

    assert joined.paid_by == sponsor.wallet.address


def test_a_role_that_is_held_needs_no_sponsor_any_more(team, poor, sponsor):
    link, guest = link_of(team, uses=2, sponsor_url=sponsor.sponsor_url), poor(59)
    join(guest, link, None)
    sponsor_set(team.owner, team.repo, None)

    again = join(guest, link, None)

    assert (again.tx_signature, again.paid_by) == (None, None)


def test_a_forged_or_revoked_link_is_refused(team, poor, sponsor):
    link = link_of(team)
    guest = poor(56)
    with pytest.raises(InviteGone):
        join(guest, replace(link, seed=bytes(32)), None)

    key = KeypairSigner(link.seed).address
    invite_revoke(team.owner, team.repo, key)

    with pytest.raises(InviteGone):
        join(guest, link, None)


def test_a_link_that_has_expired_is_refused(team):
    made = invite_create(team.owner, team.repo, Scope.CONTRIBUTE, lasts_s=1)
    guest = team.sites[0][0]
    clock = team.owner.chain
    while read_clock(clock) < made.expires_at:
        time.sleep(0.2)

    with pytest.raises(ProgramRefused, match="expired"):
        join(guest, InviteLink.parse(made.link), None)


def test_nobody_but_an_administrator_invites(team):
    site = team.sites[0][0]

    with pytest.raises(ProgramRefused, match="authority"):
        invite_create(site, team.repo, Scope.CONTRIBUTE, lasts_s=DAY)


def test_a_request_is_answered_by_the_role_that_it_asks_for(team, poor, sponsor):
    guest = replace(poor(57), sponsor_url=sponsor.sponsor_url)
    other = team.sites[0][0]
    join_request(guest, team.repo, note="ICU of Ulm, 1,200 beds")
    join_request(other, team.repo, scope=Scope.MERGE, branch="main")

    # Two of the same second may stand in either order.
    asked = {
        one.wallet: one for one in join_request_list(team.owner, team.repo).requests
    }
    first, second = asked.pop(guest.wallet.address), asked.pop(other.wallet.address)
    assert not asked
    assert first.note == "ICU of Ulm, 1,200 beds"
    assert (second.scope, second.branch, second.note) == (Scope.MERGE, "main", None)
    granted = role_grant(team.owner, team.repo, guest.wallet.address, first.scope)
    assert granted.answers_request
    join_request_close(other, team.repo)

    assert not join_request_list(team.owner, team.repo).requests
    (role,) = role_list(team.owner, team.repo).roles
    assert role.grantee == guest.wallet.address
    assert verify(team.owner, team.repo).fault is None


def test_a_folder_that_is_in_use_uses_no_link_up(team, poor, sponsor, tmp_path):
    guest = replace(poor(58), sponsor_url=sponsor.sponsor_url)
    link = link_of(team)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")

    for name in ("full", "file"):
        with pytest.raises(UsageError, match=f"{name} is not"):
            join(guest, link, tmp_path / name)

    (listed,) = invite_list(team.owner, team.repo).invites
    assert listed.uses_left == 1
    assert join(guest, link, tmp_path / "room").cloned is not None
    assert join(guest, link, tmp_path / "room").tx_signature is None
