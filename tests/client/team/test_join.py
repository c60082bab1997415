"""Joining by a link, machine keys and sponsors, on a real localnet."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import uvicorn

from flair_client.chain.accounts import Scope
from flair_client.chain.client import ChainClient
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.errors import (
    InviteGone,
    NotDelegated,
    ProgramRefused,
)
from flair_client.history.graph import read_commit
from flair_client.invite_link import InviteLink
from flair_client.porcelain.commit import commit
from flair_client.porcelain.delegation import (
    delegation_create,
    delegation_list,
    delegation_rotate,
)
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
from flair_client.porcelain.round import round_expire, round_open
from flair_client.porcelain.sponsor import open_desk, sponsor_set, sponsor_status
from flair_client.porcelain.trust import trust
from flair_client.porcelain.update import update_withdraw
from flair_client.porcelain.verify import verify
from flair_client.serving import listen, url_of
from flair_client.sponsor.ledger import Caps
from flair_client.sponsor.rules import Purpose
from flair_client.sponsor.server import create_app
from flair_client.workspace import Workspace

DAY = 86_400
SOL = 10**9
CAPS = Caps({Purpose.JOIN: SOL // 10, Purpose.CONTRIBUTE: SOL}, SOL // 20)


@pytest.fixture
def poor(team):
    """Makes contexts of new wallets that hold nothing."""
    opened = []

    def make(seed):
        chain = ChainClient(Rpc(team.net.url, genesis_hash=team.net.genesis_hash))
        opened.append(chain)
        return replace(
            team.owner, chain=chain, signer=KeypairSigner(bytes([seed]) * 32)
        )

    yield make
    for chain in opened:
        chain.close()


@pytest.fixture
def invited(team):
    """The repository takes updates of invited wallets alone."""
    params = policy_list(team.owner, team.repo).policies[0].params
    invited_only = replace(params, contribute=1)
    made = policy_make(team.owner, team.repo, invited_only)
    policy_use(team.owner, team.repo, "main", made.index)
    return team


@pytest.fixture
def sponsor(team, tmp_path):
    """A wallet that pays for the team's contributors, and its service."""
    payer = replace(team.context("payer"), home=tmp_path / "payer")
    sponsor_set(team.owner, team.repo, payer.wallet.address)
    with serving(payer, [team.repo]) as url:
        yield replace(payer, sponsor_url=url)
    payer.chain.close()


class serving:  # noqa: N801 - reads as a verb in `with`
    """The service in a thread of this process."""

    def __init__(self, payer, repos, caps=CAPS):
        self.desk = open_desk(payer, repos, caps=caps, max_priority_lamports=100_000)

    def __enter__(self):
        ready = threading.Event()
        self.listener = listen("127.0.0.1", 0)
        app = create_app(self.desk, on_ready=ready.set)
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}
        )
        self.thread.start()
        assert ready.wait(30)
        return url_of("127.0.0.1", self.listener)

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(30)
        self.listener.close()


def link_of(team, **more):
    return InviteLink.parse(
        invite_create(
            team.owner, team.repo, Scope.CONTRIBUTE, lasts_s=30 * DAY, **more
        ).link
    )


def balance(ctx, address=None):
    return ctx.chain.rpc.get_balance(address or ctx.wallet.address)


def commit_step(ctx, workspace, step=0.25):
    tensors = safetensors.numpy.load_file(workspace.weights_path)
    moved = {name: one + np.float32(step) for name, one in tensors.items()}
    path = workspace.folder / "new.safetensors"
    safetensors.numpy.save_file(moved, path)
    return commit(ctx, workspace, message="step", weights=path, num_samples=40)


def merged(team):
    """Ends the round with a merge, and clears it away."""
    index = team.place.account.round_index
    team.close_round()
    merge = team.good_merge()
    team.finish_round(merge)
    round_expire(team.owner, team.repo, "main", index)
    return merge


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


def read_clock(chain):
    from flair_client.chain.pdas import CLOCK_ID

    return int.from_bytes(chain.rpc.get_account(CLOCK_ID).data[32:40], "little")


def test_nobody_but_an_administrator_invites(team):
    site = team.sites[0][0]

    with pytest.raises(ProgramRefused, match="authority"):
        invite_create(site, team.repo, Scope.CONTRIBUTE, lasts_s=DAY)


def test_a_request_is_answered_by_the_role_that_it_asks_for(team, poor, sponsor):
    guest = replace(poor(57), sponsor_url=sponsor.sponsor_url)
    other = team.sites[0][0]
    join_request(guest, team.repo, note="ICU of Ulm, 1,200 beds")
    join_request(other, team.repo, scope=Scope.MERGE, branch="main")

    first, second = join_request_list(team.owner, team.repo).requests
    assert (first.wallet, first.note) == (
        guest.wallet.address,
        "ICU of Ulm, 1,200 beds",
    )
    assert (second.scope, second.branch, second.note) == (Scope.MERGE, "main", None)
    granted = role_grant(team.owner, team.repo, guest.wallet.address, first.scope)
    assert granted.answers_request
    join_request_close(other, team.repo)

    assert not join_request_list(team.owner, team.repo).requests
    (role,) = role_list(team.owner, team.repo).roles
    assert role.grantee == guest.wallet.address
    assert verify(team.owner, team.repo).fault is None


def test_a_machine_key_pushes_for_the_wallet_until_it_is_rotated(team, poor):
    (wallet, workspace), machine = team.sites[0], poor(59)
    chain = team.owner.chain
    chain.wait_for(chain.rpc.request_airdrop(machine.wallet.address, SOL))
    key, other = machine.wallet.address, KeypairSigner(bytes([60]) * 32)
    here = replace(machine, on_behalf_of=wallet.wallet.address)
    commit_step(here, workspace)
    with pytest.raises(NotDelegated):
        push(here, workspace)
    delegation_create(wallet, team.repo, key, lasts_s=90 * DAY)

    pushed = push(here, workspace)

    signed = read_commit(team.owner.remote, pushed.commit)
    assert signed.author == key
    team.push_updates_of(1, 0.5)
    merge = merged(team)
    repo = team.place.repo.address
    assert chain.contribution(repo, wallet.wallet.address).points == 5
    assert chain.contribution(repo, key) is None
    assert verify(team.owner, team.repo).fault is None

    pull(here, workspace)
    assert workspace.head().commit == merge
    delegation_rotate(wallet, team.repo, key, other.address, lasts_s=DAY)
    (left,) = delegation_list(team.owner, team.repo).delegations
    assert left.machine_key == other.address
    commit_step(here, workspace)
    with pytest.raises(NotDelegated):
        push(here, workspace)
