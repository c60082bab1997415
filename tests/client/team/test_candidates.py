"""Proposed merges on a real localnet: listed, made again, approved and attested."""

import re

import click
import pytest
from candidate_world import (
    finalize,
    grant,
    merge_by,
    propose,
    proposed,
    signed_by,
    terms,
)
from team_world import Team

from flair_client.chain import instructions
from flair_client.chain.accounts import Scope
from flair_client.cli.session import App
from flair_client.encoding import encode_event_list
from flair_client.errors import (
    AccountMissing,
    CandidateInvalid,
    ProgramRefused,
    RefUnknown,
    Refused,
    VerificationError,
)
from flair_client.history.events import events_for_commit
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, Digest
from flair_client.objects import Commit, CommitKind, StrategyRecord
from flair_client.porcelain import round as rounds
from flair_client.porcelain import vote as voting
from flair_client.porcelain.candidate import candidate_list, candidate_show
from flair_client.porcelain.role import role_revoke
from flair_client.porcelain.round import round_expire
from flair_client.porcelain.update import RejectReason, update_reject
from flair_client.porcelain.verify import verify
from flair_client.porcelain.vote import VoteKind, VoteOutcome, approve, attest


@pytest.fixture
def team(net, tmp_path):
    """A model whose merges need the owner and one other."""
    made = Team(net, tmp_path, policy={"approvals": 1, "attestations": 1})
    made.publish()
    made.join(2)
    made.auditor = made.context("auditor")
    yield made
    people = (made.owner, made.auditor, *(ctx for ctx, _ in made.sites))
    for ctx in people:
        ctx.chain.close()


def test_a_merge_counts_once_owner_and_attester_agreed(team, flair):
    grant(team, team.auditor)
    merge = proposed(team)

    listed = flair("candidate", "list")
    asked = flair("status")
    shown = flair("round", "show")
    approved = flair("candidate", "approve", str(merge)[:8])
    with pytest.raises(ProgramRefused, match="AttestationsMissing"):
        finalize(team, merge)
    attested = flair(
        "attest", "--repo", team.repo, "--wallet", "auditor", cwd=team.folder
    )
    after = flair("candidate", "list", "--json").result
    finalize(team, merge)

    assert listed.code == 0, listed.err
    assert re.search(r"0 of 1 +0 of 1 +the owner's approval, 1 attestation", listed.out)
    assert "a proposed merge waits for your approval" in asked.out
    assert "next: flair candidate show" in asked.err
    assert re.search(
        r"a merge needs +the owner's approval and 1 attestation\n", shown.out
    )
    assert "candidate" not in flair("status").err
    assert approved.code == 0, approved.err
    assert f"{merge.short} is approved by {team.owner.wallet.address}" in approved.out
    assert re.search(r"made again +here, the same", approved.out)
    assert re.search(r"strategy +fedavg", approved.out)
    assert approved.err == "it waits for 1 attestation\n"
    assert attested.code == 0, attested.err
    assert f"{merge.short} is attested by {team.auditor.wallet.address}" in attested.out
    assert attested.err == "nothing keeps it waiting\n"
    (one,) = after["candidates"]
    assert (one["approved"], one["attesters"]) == (
        True,
        [str(team.auditor.wallet.address)],
    )
    assert team.head == merge
    assert verify(team.owner, team.repo).valid


def test_what_an_approval_means_is_shown(team, flair):
    merge = proposed(team, 0.25, -0.5)
    store = team.owner.remote
    commit = read_commit(store, merge)

    found = flair("candidate", "show", "--json").result
    text = flair("candidate", "show", str(merge)[:6], "--data", "../rows.csv").out

    assert found["candidate"]["commit"] == str(merge)
    assert found["strategy"] == "fedavg"
    assert found["params"] == dict(commit.strategy.params)
    assert [one["commit"] for one in found["updates"]] == [
        str(one) for one in commit.parents[1:]
    ]
    assert [one["weight"] for one in found["updates"]] == list(commit.strategy.weights)
    assert found["head"] == str(team.root)
    assert found["change"]["n_changed"] == 2
    assert found["weights_digest"]
    assert found["update_root"]
    assert {one["commit_id"] for one in found["review"]["updates"]} == {
        str(one) for one in commit.parents[1:]
    }
    assert all(one["cosine"] is not None for one in found["review"]["updates"])
    assert "scores on" in text
    assert "merge of all" in text
    assert "linear.weight" in text
    assert "the owner's approval, 1 attestation" in text


def test_a_dry_run_makes_it_again_and_signs_nothing(team, flair):
    grant(team, team.auditor)
    merge = proposed(team)
    before = team.place.repo.account.event_seq

    one = flair("candidate", "approve", "--dry-run", "--json")
    other = flair(
        *("attest", "-n", "--repo", team.repo, "--wallet", "auditor"), cwd=team.folder
    )

    assert one.result["outcome"] == "planned"
    assert one.result["tx_signature"] is None
    assert one.result["shown"]["candidate"]["commit"] == str(merge)
    assert f"{merge.short} would be attested" in other.out
    assert "nothing was signed or sent" in other.err
    assert team.place.repo.account.event_seq == before


def test_said_twice_it_is_sent_once(team):
    grant(team, team.auditor)
    proposed(team)
    first = approve(team.owner, team.repo, "main")
    attest(team.auditor, team.repo, "main")
    before = team.place.repo.account.event_seq

    again = approve(team.owner, team.repo, "main")
    also = attest(team.auditor, team.repo, "main")

    assert (first.outcome, first.kind) == (VoteOutcome.GIVEN, VoteKind.APPROVAL)
    assert (again.outcome, again.approvals) == (VoteOutcome.KNOWN, 1)
    assert (also.outcome, also.attestations) == (VoteOutcome.KNOWN, 1)
    assert also.is_enough
    assert team.place.repo.account.event_seq == before


def test_a_wrong_merge_is_signed_by_nobody(team, flair):
    grant(team, team.auditor)
    team.push_updates(0.25, 0.5)
    team.close_round()
    wrong = propose(team, team.wrong_merge())
    before = team.place.repo.account.event_seq

    ran = [
        flair("candidate", "approve", "--json"),
        flair("candidate", "show", "--json"),
        flair("attest", "--repo", team.repo, "--wallet", "auditor", "--json"),
    ]

    for said in ran:
        assert said.code == 5
        assert said.line["error_code"] == "CandidateInvalid"
        assert f"commit {wrong.short}: weights: " in said.line["message"]
        assert "do not sign it" in said.line["hint"]
    assert team.place.repo.account.event_seq == before


def test_a_merge_of_updates_that_changed_is_refused(team):
    """It was proposed before the owner left an update out."""
    team.push_updates(0.25, 0.5)
    place = team.place
    index = place.account.round_index
    common = {"repo": place.repo.address, "branch": place.address}
    policy = place.policy_address(place.account.policy_index)
    me = team.owner.wallet.address
    team.owner.send(
        [instructions.round_close(actor=me, policy=policy, round_index=index, **common)]
    )
    stale = propose(team, premature_merge(team))
    with pytest.raises(Refused, match="0 of 2 updates are added up"):
        approve(team.owner, team.repo, "main")
    left_out = team.sites[1][0].wallet.address
    update_reject(team.owner, team.repo, "main", left_out, RejectReason.OUTLIER)
    (left,) = [
        one.contributor
        for one in team.owner.chain.updates(place.round(index).address)
        if one.contributor != left_out
    ]
    team.owner.send(
        [
            instructions.merge_accumulate(
                actor=me, round_index=index, contributors=[left], **common
            )
        ]
    )

    with pytest.raises(CandidateInvalid, match="its events end with"):
        approve(team.owner, team.repo, "main", str(stale)[:8])

    good = propose(team, team.good_merge())
    with pytest.raises(RefUnknown, match="several candidates, name one"):
        approve(team.owner, team.repo, "main")
    assert approve(team.owner, team.repo, "main", str(good)[:8]).approvals == 1


def premature_merge(team):
    """A commit over both updates, made before they were added up."""
    head = read_commit(team.owner.remote, team.head)
    round_ = team.place.round(team.place.account.round_index)
    updates = team.owner.chain.updates(round_.address)
    policy = team.owner.chain.policy(team.place.repo.address, 0)
    events = events_for_commit(
        team.owner.chain, team.owner.remote, team.place.repo.address, head
    )
    commit = Commit(
        kind=CommitKind.MERGE,
        repo=team.place.repo.address,
        branch="main",
        parents=(team.head, *sorted(one.commit_id for one in updates)),
        author=team.owner.wallet.address,
        message="early",
        time=1,
        policy=policy.digest,
        round_index=round_.account.round_index,
        weights=head.weights,
        strategy=StrategyRecord(
            id="fedavg", params={}, weights=tuple(one.weight for one in updates)
        ),
        events=team.owner.remote.put(CODEC_DAG_CBOR, encode_event_list(events)),
    )
    return signed_by(team.owner, commit)


def test_updates_that_change_under_the_signature_are_refused_by_the_program(
    team, monkeypatch
):
    merge = proposed(team)
    common = voting._common

    def stale(ctx, look):
        return common(ctx, look) | {"update_root": Digest(b"\1" * 32)}

    monkeypatch.setattr(voting, "_common", stale)

    with pytest.raises(ProgramRefused, match="UpdatesChanged"):
        approve(team.owner, team.repo, "main", str(merge)[:8])


def test_who_proposed_it_does_not_attest_it(team, flair):
    role = grant(team, team.auditor, Scope.ATTEST | Scope.MERGE)
    team.push_updates(0.25, 0.5)
    team.close_round()
    propose(team, merge_by(team, team.auditor), team.auditor, role)

    said = flair("attest", "--repo", team.repo, "--wallet", "auditor")

    assert said.code == 1
    assert "another one has to attest it" in said.err
    look = candidate_show(team.auditor, team.repo, "main")
    by_hand = instructions.merge_attest(
        payer=team.auditor.wallet.address,
        attester=team.auditor.wallet.address,
        update_root=look.update_root,
        authority_epoch=0,
        role=role,
        **terms(team, look.candidate.commit),
    )
    with pytest.raises(ProgramRefused, match="AttestsOwn"):
        team.auditor.send([by_hand])


def test_who_may_not(team):
    proposed(team)
    site = team.sites[0][0]

    with pytest.raises(Refused, match="approves merges, this is wallet"):
        approve(site, team.repo, "main")
    with pytest.raises(Refused, match="has no role 'attest'"):
        attest(site, team.repo, "main")
    role = grant(team, team.auditor)
    assert role is not None
    role_revoke(team.owner, team.repo, team.auditor.wallet.address)
    with pytest.raises(Refused, match="has no role 'attest'"):
        attest(team.auditor, team.repo, "main")


def test_nothing_to_agree_to(team, flair):
    none = flair("candidate", "list")
    refused = flair("candidate", "approve")
    team.push_updates(0.25)
    open_ = flair("attest")
    listed = flair("candidate", "list")

    assert (none.code, none.out) == (0, "")
    assert "no round of main is in progress" in none.err
    assert refused.code == 1
    assert "nothing is proposed" in refused.err
    assert open_.code == 1
    assert "no merge of round 1 was proposed yet" in open_.err
    assert "no merge of round 1 of main was proposed yet" in listed.err


def test_a_candidate_that_is_gone_is_told(team):
    merge = proposed(team)
    grant(team, team.auditor)
    approve(team.owner, team.repo, "main")
    attest(team.auditor, team.repo, "main")
    finalize(team, merge)

    with pytest.raises(RefUnknown, match="nothing is proposed"):
        approve(team.owner, team.repo, "main", str(merge)[:8])
    with pytest.raises(RefUnknown, match="nothing is proposed"):
        attest(team.auditor, team.repo, "main", str(merge)[:8])


@pytest.mark.parametrize("text", ["ffffffff", "abc", ""])
def test_an_id_that_names_none(team, text):
    proposed(team)

    with pytest.raises(RefUnknown, match="no candidate of round 1 is meant by"):
        approve(team.owner, team.repo, "main", text)


def test_a_head_that_is_wrong_is_no_base_of_anything(team):
    grant(team, team.auditor)
    first = proposed(team)
    approve(team.owner, team.repo, "main")
    attest(team.auditor, team.repo, "main")
    finalize(team, first)
    proposed(team, 0.5, 0.25)
    weights = read_commit(team.owner.remote, first).weights
    team.block_path(weights).unlink()

    with pytest.raises(VerificationError, match=f"commit {first.short}: block") as seen:
        attest(team.auditor, team.repo, "main")

    assert not isinstance(seen.value, CandidateInvalid)


def test_a_block_that_is_missing_is_no_verdict_for_it(team):
    proposed(team)
    grant(team, team.auditor)
    update = read_commit(team.owner.remote, team.good_merge()).parents[1]
    team.block_path(read_commit(team.owner.remote, update).delta).unlink()

    with pytest.raises(CandidateInvalid):
        attest(team.auditor, team.repo, "main")


def test_rent_of_attestations_goes_back(team, monkeypatch):
    grant(team, team.auditor)
    merge = proposed(team)
    approve(team.owner, team.repo, "main")
    attest(team.auditor, team.repo, "main")
    finalize(team, merge)
    balance = team.auditor.chain.rpc.get_balance(team.auditor.wallet.address)

    with monkeypatch.context() as patch:
        patch.setattr(rounds, "_expire_attestations", lambda *_: [])
        first = round_expire(team.owner, team.repo, "main", 1)
    then = round_expire(team.owner, team.repo, "main", 1)
    with pytest.raises(AccountMissing):
        round_expire(team.owner, team.repo, "main", 1)

    assert (first.n_attestations, first.n_updates) == (0, 2)
    # The round's own account is gone by then.
    assert (then.n_attestations, then.n_updates) == (1, 0)
    now = team.auditor.chain.rpc.get_balance(team.auditor.wallet.address)
    assert now > balance
    assert team.owner.chain.branch_attestations(team.place.address) == []
    assert verify(team.owner, team.repo).valid


def test_the_list_shows_several_and_whose_votes_count(team):
    role = grant(team, team.auditor, Scope.ATTEST | Scope.MERGE)
    team.push_updates(0.25, 0.5)
    team.close_round()
    mine = propose(team, team.good_merge())
    theirs = propose(team, merge_by(team, team.auditor), team.auditor, role)
    approve(team.owner, team.repo, "main", str(theirs)[:8])
    attest(team.auditor, team.repo, "main", str(mine)[:8])

    found = {
        one.commit: (one.approved, len(one.attesters))
        for one in candidate_list(team.owner, team.repo, "main").candidates
    }

    assert found == {mine: (False, 1), theirs: (True, 0)}


@pytest.mark.parametrize("says_yes", [False, True])
def test_in_a_terminal_it_is_shown_and_asked(team, flair, monkeypatch, says_yes):
    merge = proposed(team)
    seen = []

    def confirm(question, **_):
        seen.append(question)
        return says_yes

    monkeypatch.setattr(App, "is_interactive", property(lambda _: True))
    monkeypatch.setattr(click, "confirm", confirm)

    said = flair("candidate", "approve")

    assert seen == ["Approve this merge?"]
    assert re.search(r"made again +here, the same", said.err)
    assert said.code == (0 if says_yes else 2)
    (one,) = candidate_list(team.owner, team.repo, "main").candidates
    assert one.approved is says_yes
    # What was shown before the question is not shown again behind it.
    assert "made again" not in said.out
    assert (f"{merge.short} is approved" in said.out) is says_yes
