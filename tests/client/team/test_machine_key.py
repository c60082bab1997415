"""Machine keys push for a wallet while a delegation holds."""

from dataclasses import replace

import pytest
from joining_world import (
    DAY,
    SOL,
    balance,
    commit_step,
    link_of,
    merged,
    who_pushed,
)

from flair_client.audit import read_audit
from flair_client.chain.signer import KeypairSigner
from flair_client.errors import (
    ApprovalMissing,
    NotDelegated,
    Refused,
    UsageError,
    VerificationError,
)
from flair_client.history.checked import terms_of
from flair_client.history.graph import read_commit
from flair_client.history.verify_update import verify_update
from flair_client.porcelain.approval import (
    approval_file,
    approval_text,
    approve_outbox,
)
from flair_client.porcelain.checkout import manifest_of
from flair_client.porcelain.clone import clone
from flair_client.porcelain.contribute import (
    ContributePlan,
    Listener,
    contribute,
)
from flair_client.porcelain.delegation import (
    delegation_create,
    delegation_list,
    delegation_revoke,
    delegation_rotate,
)
from flair_client.porcelain.join import (
    join,
)
from flair_client.porcelain.outbox import outbox
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.revert import revert
from flair_client.porcelain.verify import verify
from flair_client.site_rules import SiteRules
from flair_client.workspace import Workspace, write_table


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


def test_a_machine_without_money_pushes_for_a_wallet_without_money(
    team, poor, sponsor, tmp_path
):
    wallet, machine = (
        replace(poor(n), sponsor_url=sponsor.sponsor_url) for n in (70, 71)
    )
    join(wallet, link_of(team), None)
    key = machine.wallet.address
    delegation_create(wallet, team.repo, key, lasts_s=DAY)
    here = replace(machine, on_behalf_of=wallet.wallet.address)
    clone(here, team.repo, tmp_path / "machine", trust=True)
    workspace = Workspace(tmp_path / "machine")
    commit_step(here, workspace)
    push(here, workspace)
    assert who_pushed(here, workspace) == (wallet.wallet.address, key)

    new = KeypairSigner(bytes([72]) * 32)
    delegation_rotate(wallet, team.repo, key, new.address, lasts_s=DAY)
    delegation_revoke(wallet, team.repo, new.address)

    assert not delegation_list(team.owner, team.repo).delegations
    assert balance(wallet) == balance(machine) == 0
    team.push_updates_of(0, 0.5)
    merged(team)
    assert verify(team.owner, team.repo).fault is None


@pytest.mark.parametrize("verb", ["create", "rotate"])
def test_a_machine_key_whose_time_is_over_is_let_push_again(team, verb):
    (wallet, _), key = team.sites[0], KeypairSigner(bytes([61]) * 32).address
    first = delegation_create(wallet, team.repo, key, lasts_s=DAY)
    late = replace(wallet, now=lambda: first.expires_at + 1)
    assert not delegation_list(late, team.repo).delegations[0].holds

    if verb == "create":
        again = delegation_create(late, team.repo, key, lasts_s=DAY)
    else:
        again = delegation_rotate(late, team.repo, key, key, lasts_s=DAY)

    assert again.replaced is None
    (listed,) = delegation_list(late, team.repo).delegations
    assert (listed.machine_key, listed.expires_at) == (key, again.expires_at)
    assert listed.holds
    assert verify(team.owner, team.repo).valid


def test_who_may_push_for_a_wallet_is_in_its_audit_log(team, tmp_path):
    wallet = replace(team.sites[0][0], home=tmp_path / "home")
    old, new = (KeypairSigner(bytes([n]) * 32).address for n in (64, 65))

    first = delegation_create(wallet, team.repo, old, lasts_s=DAY)
    delegation_rotate(wallet, team.repo, old, new, lasts_s=DAY)
    delegation_revoke(wallet, team.repo, new)

    lines = [one.details for one in read_audit(tmp_path / "home").lines]
    assert [one["verb"] for one in lines] == ["delegate", "delegate", "undelegate"]
    assert {one["repo"] for one in lines} == {str(team.repo)}
    assert (lines[0]["key"], lines[0]["expires_at"]) == (str(old), first.expires_at)
    assert (lines[1]["replaces"], lines[1]["key"]) == (str(old), str(new))
    assert lines[2]["key"] == str(new)


def test_a_sponsor_pays_for_letting_a_machine_key_push_longer(team, poor, sponsor):
    guest = replace(poor(74), sponsor_url=sponsor.sponsor_url)
    key = KeypairSigner(bytes([62]) * 32).address

    for _ in range(2):
        delegation_create(guest, team.repo, key, lasts_s=DAY)

    assert len(delegation_list(guest, team.repo).delegations) == 1


def test_nothing_is_trained_for_a_machine_key_that_may_not_push(team):
    (wallet, workspace), said = team.sites[0], []
    machine = replace(
        wallet,
        signer=KeypairSigner(bytes([63]) * 32),
        on_behalf_of=wallet.wallet.address,
    )
    plan = ContributePlan(data=team.folder / "rows.csv", once=True, open_rounds=True)

    with pytest.raises(NotDelegated):
        contribute(machine, workspace, plan, Listener(note=said.append))

    assert said == []
    assert not workspace.update_path.exists()


def test_an_update_signed_by_a_key_that_was_never_delegated_to_does_not_verify(team):
    team.push_updates(0.25, 0.5)
    evidence = team.evidence()
    live = evidence.history.branches[team.place.address].live_round
    update = next(iter(live.updates.values()))

    assert update.signer == update.contributor
    live.updates[update.contributor] = replace(update, signer=team.owner.wallet.address)
    manifest = manifest_of(team.owner.remote, team.head)
    terms = terms_of(evidence.history, live)
    with pytest.raises(VerificationError, match="signed by"):
        verify_update(
            team.owner.remote, terms, live.updates[update.contributor], manifest
        )


def test_what_a_machine_key_pushed_is_taken_back_by_its_wallets_name(team, poor):
    (wallet, workspace), machine = team.sites[0], poor(58)
    team.fund(str(machine.wallet.address))
    delegation_create(wallet, team.repo, machine.wallet.address, lasts_s=DAY)
    here = replace(machine, on_behalf_of=wallet.wallet.address)
    commit_step(here, workspace)
    push(here, workspace)
    team.push_updates_of(1, 0.5)
    merged(team)
    pull(team.owner, team.workspace)

    done = revert(team.owner, team.workspace, contributor=wallet.wallet.address)

    assert done.contributor == wallet.wallet.address
    with pytest.raises(UsageError, match="no merge of this branch"):
        revert(team.owner, team.workspace, contributor=machine.wallet.address)
    assert verify(team.owner, team.repo).fault is None


def test_a_wallet_is_no_second_person_for_its_own_machine(team, poor):
    (wallet, workspace), machine = team.sites[0], poor(58)
    mine = wallet.wallet.address
    rules = SiteRules(second_approver=(mine,))
    delegation_create(wallet, team.repo, machine.wallet.address, lasts_s=DAY)
    here = replace(machine, on_behalf_of=mine, site=rules)
    made = commit_step(here, workspace)

    with pytest.raises(Refused, match="or contributes it"):
        approve_outbox(replace(wallet, site=rules), workspace)

    # Signed all the same, as by another program.
    text = approval_text(outbox(here, workspace).digest)
    write_table(
        approval_file(workspace, made.commit),
        {"approver": str(mine), "signature": wallet.wallet.sign(text).hex()},
    )
    with pytest.raises(ApprovalMissing, match="by the wallet that contributes"):
        push(here, workspace)
