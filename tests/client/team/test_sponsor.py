"""A sponsor asked for what it does not pay for, on a real localnet."""

from dataclasses import replace

import httpx
import pytest
from joining_world import (
    CAPS,
    DAY,
    SOL,
    balance,
    commit_step,
    link_of,
    serving,
)

from flair_client.chain import client, instructions
from flair_client.chain.accounts import Scope
from flair_client.chain.pdas import SYSTEM_PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.wire import read_transaction
from flair_client.errors import (
    NoSponsor,
    RequestWaits,
    SponsorForesees,
    SponsorRefused,
    SponsorUnavailable,
    WorkspaceLocked,
)
from flair_client.porcelain.delegation import (
    delegation_create,
)
from flair_client.porcelain.join import (
    join,
    join_request,
    join_request_close,
    join_request_list,
)
from flair_client.porcelain.outbox import outbox
from flair_client.porcelain.policy import policy_list, policy_make, policy_use
from flair_client.porcelain.push import push
from flair_client.porcelain.repo import repo_create
from flair_client.porcelain.role import role_grant, role_revoke
from flair_client.porcelain.round import round_open
from flair_client.porcelain.sponsor import open_desk, sponsor_set, sponsor_status
from flair_client.sponsor.ledger import Caps, Ledger
from flair_client.sponsor.rules import Purpose, rent_of
from flair_client.sponsor.signer import SponsorSigner
from flair_client.workspace import Workspace


def test_a_sponsor_asked_for_something_else_refuses_and_spends_nothing(
    team, poor, sponsor
):
    guest = replace(poor(61), sponsor_url=sponsor.sponsor_url)
    payer, me = sponsor.wallet.address, guest.wallet.address
    repo = team.place.repo.address
    before = balance(sponsor)
    role = instructions.role_grant(
        payer=payer, actor=me, repo=repo, grantee=me, scope=Scope.MERGE
    )
    foreign = replace(role, program_id=SYSTEM_PROGRAM_ID)

    for step, code in ((role, "instruction"), (foreign, "program")):
        with pytest.raises(SponsorRefused) as caught:
            guest.send([step], payer=payer)
        assert caught.value.code == code

    assert balance(sponsor) == before
    assert sponsor_status(sponsor).n_signed == 0


def test_a_sponsor_signs_nothing_that_would_fail(team, poor, sponsor):
    guest = replace(poor(62), sponsor_url=sponsor.sponsor_url)
    delegation_create(guest, team.repo, team.owner.wallet.address, lasts_s=DAY)
    spent = sponsor_status(sponsor)

    with pytest.raises(SponsorRefused, match="sponsor itself") as caught:
        delegation_create(guest, team.repo, sponsor.wallet.address, lasts_s=DAY)
    assert caught.value.code == "self"
    with pytest.raises(SponsorForesees, match="366 days") as caught:
        delegation_create(
            guest, team.repo, KeypairSigner(bytes(32)).address, lasts_s=400 * DAY
        )
    assert caught.value.code == "fails"

    assert sponsor_status(sponsor) == spent


def test_a_trial_never_shows_the_sponsors_signature(team, poor, sponsor, monkeypatch):
    guest = replace(poor(70), sponsor_url=sponsor.sponsor_url)
    simulate, tried = Rpc.simulate_transaction, []

    def watch(rpc, wire, **options):
        tried.append(read_transaction(wire).missing)
        return simulate(rpc, wire, **options)

    monkeypatch.setattr(Rpc, "simulate_transaction", watch)
    join_request(guest, team.repo)

    assert tried == [(sponsor.wallet.address,)]


def test_two_services_of_one_wallet_sign_nothing_that_one_of_them_refuses(
    team, poor, sponsor, monkeypatch
):
    guest = poor(71)
    first, second = (
        open_desk(sponsor, [team.repo], caps=CAPS, max_priority_lamports=0)
        for _ in range(2)
    )
    step = instructions.delegation_create(
        payer=sponsor.wallet.address,
        wallet=guest.wallet.address,
        repo=team.place.repo.address,
        machine_key=KeypairSigner(bytes(32)).address,
        expires_at=guest.now() + 400 * DAY,
    )
    simulate, asked, refused = Rpc.simulate_transaction, [], []

    class Middle:
        """Asks the one service, which asks the other while it tries."""

        address = sponsor.wallet.address

        def sign(self, message):
            raise AssertionError(message)

        def cosign(self, wire):
            asked.append(wire)
            return first.cosign(wire)

    def meanwhile(rpc, wire, **options):
        if not refused:
            refused.append(wire)
            with pytest.raises(SponsorForesees):
                second.cosign(asked[0])
        return simulate(rpc, wire, **options)

    monkeypatch.setattr(Rpc, "simulate_transaction", meanwhile)
    with pytest.raises(SponsorForesees, match="366 days"):
        guest.chain.send([step], [Middle(), guest.wallet])

    assert refused
    assert sponsor_status(sponsor).n_signed == 0


def test_a_ledger_in_use_is_an_outage_and_no_refusal(team, poor, sponsor, monkeypatch):
    guest = replace(poor(72), sponsor_url=sponsor.sponsor_url)

    def held(*_):
        raise WorkspaceLocked("another process holds the sponsor's ledger /srv/secret")

    monkeypatch.setattr(Ledger, "check", held)
    with pytest.raises(SponsorUnavailable, match="ledger gives no usable") as caught:
        join_request(guest, team.repo)

    assert "secret" not in str(caught.value)


def test_a_sponsor_pays_for_the_repositories_that_it_was_told_alone(
    team, poor, sponsor, tmp_path
):
    guest = replace(poor(63), sponsor_url=sponsor.sponsor_url)
    mine = repo_create(team.owner, "drain", points_per_merge=1)
    sponsor_set(team.owner, mine.repo, sponsor.wallet.address)

    with pytest.raises(SponsorRefused) as caught:
        join_request(guest, mine.repo)

    assert caught.value.code == "repo"
    sponsor_set(team.owner, team.repo, None)
    with pytest.raises(NoSponsor):
        join_request(guest, team.repo)
    with pytest.raises(NoSponsor):
        open_desk(sponsor, [team.repo], caps=CAPS, max_priority_lamports=0)


def test_a_sponsor_stops_at_its_caps(team, poor, sponsor):
    per_wallet = rent_of(220) + 10_000
    purposes = dict.fromkeys(Purpose, 0) | {Purpose.REQUEST: 2 * per_wallet}
    caps = Caps(purposes, per_wallet)
    with serving(sponsor, [team.repo], caps) as url:
        first, second, third = (replace(poor(n), sponsor_url=url) for n in (64, 65, 66))
        join_request(first, team.repo)
        join_request(second, team.repo)
        with pytest.raises(SponsorRefused) as caught:
            join_request(third, team.repo)
        assert caught.value.code == "cap"
        with pytest.raises(SponsorRefused) as caught:
            delegation_create(first, team.repo, third.wallet.address, lasts_s=9)
        assert caught.value.code == "cap"

    assert sponsor_status(sponsor).request == 2 * per_wallet


def test_strangers_use_up_requests_and_nothing_of_what_contributors_need(
    team, poor, sponsor
):
    caps = Caps(dict.fromkeys(Purpose, SOL) | {Purpose.REQUEST: 0}, SOL)
    with serving(sponsor, [team.repo], caps) as url:
        guest, machine = (replace(poor(number), sponsor_url=url) for number in (75, 76))
        key = machine.wallet.address

        def refused_as_request(act, *given, **more):
            with pytest.raises(SponsorRefused, match="go to request") as caught:
                act(*given, **more)
            assert caught.value.code == "cap"

        refused_as_request(join_request, guest, team.repo)
        refused_as_request(delegation_create, guest, team.repo, key, lasts_s=DAY)
        role_grant(team.owner, team.repo, guest.wallet.address, Scope.MERGE)
        refused_as_request(delegation_create, guest, team.repo, key, lasts_s=DAY)

        role_revoke(team.owner, team.repo, guest.wallet.address)
        role_grant(team.owner, team.repo, guest.wallet.address, Scope.CONTRIBUTE)
        delegation_create(guest, team.repo, key, lasts_s=DAY)
        # A machine key stands for the wallet that delegated to it.
        round_open(machine, team.repo, "main")

    spent = sponsor_status(sponsor)
    assert (spent.request, spent.join) == (0, 0)
    assert spent.contribute > 0


def test_the_same_transaction_is_signed_again_and_counted_once(team, poor, sponsor):
    guest = replace(poor(67), sponsor_url=sponsor.sponsor_url)
    seen = []

    class Copying(httpx.HTTPTransport):
        def handle_request(self, request):
            seen.append(request.read())
            return super().handle_request(request)

    step = instructions.join_request(
        payer=sponsor.wallet.address,
        applicant=guest.wallet.address,
        repo=team.place.repo.address,
        scope=Scope.CONTRIBUTE,
    )
    signer = SponsorSigner(sponsor.sponsor_url, sponsor.wallet.address, http=Copying())
    guest.chain.send([step], [signer, guest.wallet])
    after = balance(sponsor)
    url = f"{sponsor.sponsor_url}/sign"
    answers = [httpx.post(url, content=seen[0]).json() for _ in range(3)]

    assert len({one["signature"] for one in answers}) == 1
    assert sponsor_status(sponsor).n_signed == 1
    assert balance(sponsor) == after


def test_requests_that_are_none_are_refused_in_words(team, sponsor):
    url = sponsor.sponsor_url
    about = httpx.get(url).json()
    assert about["sponsor"] == str(sponsor.wallet.address)
    assert about["repos"] == [str(team.place.repo.address)]

    for body in (
        b"",
        b"{}",
        b"[]",
        b'{"transaction": 7}',
        b'{"transaction": "!!"}',
        b'{"transaction": "AAAA"}',
        b'{"transaction": "AAAA", "more": 1}',
        b"[" * 4000,
        bytes(9000),
    ):
        answer = httpx.post(f"{url}/sign", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]


def test_who_asked_without_money_withdraws_without_money(team, poor, sponsor):
    guest = replace(poor(73), sponsor_url=sponsor.sponsor_url)
    join_request(guest, team.repo)
    with pytest.raises(RequestWaits):
        join_request(guest, team.repo)
    held = balance(sponsor)

    join_request_close(guest, team.repo)

    assert balance(sponsor) > held
    assert join_request_list(team.owner, team.repo).requests == ()


def test_a_sponsor_that_is_not_there_is_named(team, poor, sponsor):
    guest = replace(poor(68), sponsor_url="http://127.0.0.1:9")

    with pytest.raises(SponsorUnavailable, match="127"):
        join_request(guest, team.repo)


def test_a_deposit_counts_against_the_caps(team, poor, sponsor, tmp_path):
    params = policy_list(team.owner, team.repo).policies[0].params
    dear = replace(params, deposit_lamports=SOL // 20)
    made = policy_make(team.owner, team.repo, dear)
    policy_use(team.owner, team.repo, "main", made.index)
    guest = replace(poor(69), sponsor_url=sponsor.sponsor_url)
    join(guest, link_of(team), tmp_path / "guest", trust=True)
    workspace = Workspace(tmp_path / "guest")
    commit_step(guest, workspace)

    with pytest.raises(SponsorRefused) as caught:
        push(guest, workspace)

    assert caught.value.code == "cap"


def test_the_outbox_lists_the_accounts_that_are_sent_through_a_sponsor(
    team, poor, sponsor, tmp_path, monkeypatch
):
    guest = replace(poor(69), sponsor_url=sponsor.sponsor_url)
    join(guest, link_of(team), tmp_path / "guest", trust=True)
    workspace = Workspace(tmp_path / "guest")
    commit_step(guest, workspace)
    listed = outbox(guest, workspace).transactions
    sent = []
    send = client.send_instructions

    def record(rpc, given, *args, **kwargs):
        sent.extend(given)
        return send(rpc, given, *args, **kwargs)

    monkeypatch.setattr(client, "send_instructions", record)
    push(guest, workspace)

    assert [one.name for one in sent] == ["round_open", "update_push"]
    for told, one in zip(listed, sent, strict=True):
        accounts = [address for _, address in told.accounts]
        assert accounts == [meta.address for meta in one.accounts]
        assert told.data == one.data.hex()
    assert listed[0].accounts[-1] == ("signer", guest.wallet.address)
