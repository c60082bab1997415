"""Rounds whose merges others agree to: commands vote, an aggregator finishes."""

import json

import pytest
from aggregator_place import aggregator
from test_run import WHOLE_ROUND, counting, grant_merge

from flair_client.chain.accounts import Scope
from flair_client.cli.app import run
from flair_client.history.verify import verify_branch
from flair_client.porcelain.repo_offer import repo_accept, repo_offer
from flair_client.porcelain.role import role_grant
from flair_client.porcelain.vote import approve, attest

FINISHED = ["merge_finalize", "update_settle", "attestation_expire"]


def flair(place, model, *words, who="owner"):
    """A command as somebody would type it."""
    place.context(who)
    wallet = str(place.wallet(who))
    return run([*words, "--repo", str(model.address), "--wallet", wallet])


def grant_attest(model, *names):
    for name in names:
        grantee = model.place.context(name).wallet.address
        role_grant(model.owner, model.address, grantee, Scope.ATTEST)


def pushed(model, *names):
    for number, name in enumerate(names):
        model.push_by_hand(name, 2 + number)


def candidate(model):
    (found,) = model.owner.chain.branch_candidates(model.branch)
    return found


def verify(model):
    return verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")


def test_it_proposes_waits_and_finishes_once_all_have_agreed(place, home, capsys):
    model = place.publish("votes", max_updates=2, approvals=1, attestations=1)
    grant_attest(model, "auditor")
    bot = aggregator(model, "owner", "bot-votes")
    asked = counting(bot.ctx)
    pushed(model, "v0", "v1")

    assert bot.once() == WHOLE_ROUND[:3]
    short = candidate(model).commit_id.short
    assert bot.said[-1] == (
        f"votes main: waits: commit {short} waits for the owner's approval and "
        "attestations, 0 of 1"
    )
    told = len(bot.said)
    asked.clear()
    assert [bot.once() for _ in range(3)] == [[], [], []]
    assert asked == ["getAccountInfo"] * 3, "a look at nothing new is one question"
    assert len(bot.said) == told

    assert flair(place, model, "candidate", "approve") == 0
    assert bot.once() == []
    assert bot.said[-1].endswith("waits for attestations, 0 of 1")
    assert flair(place, model, "attest", who="auditor") == 0
    assert bot.once() == FINISHED

    assert verify(model).commits[-1].n_updates == 2
    assert model.owner.chain.branch_attestations(model.branch) == []
    assert model.owner.chain.rounds(model.branch) == []
    capsys.readouterr()


def test_status_tells_what_it_waits_for(place, home, capsys):
    model = place.publish("tells", max_updates=2, attestations=2)
    pushed(model, "t0", "t1")
    assert flair(place, model, "aggregator", "once", "-q") == 0
    capsys.readouterr()

    assert flair(place, model, "aggregator", "status", "--json") == 0

    (branch,) = json.loads(capsys.readouterr().out)["result"]["branches"]
    waits = [
        f"commit {candidate(model).commit_id.short} waits for attestations, 0 of 2"
    ]
    assert branch["waits"] == branch["found"] == waits
    assert branch["next_steps"] == []


def test_challenge_time_begins_with_the_proposal_whenever_they_agree(place):
    model = place.publish("both", max_updates=2, approvals=1, challenge="1h")
    bot = aggregator(model, "owner", "bot-both")
    pushed(model, "b0", "b1")
    assert bot.once() == WHOLE_ROUND[:3]

    approve(model.owner, model.address, "main")
    assert bot.once() == []
    assert "challenge time of commit" in bot.said[-1]
    place.wait(3600)
    bot.clock[0] += 3600

    assert bot.once() == WHOLE_ROUND[3:]
    assert verify(model).commits[-1].n_updates == 2


def test_it_gives_up_at_the_merge_grace_and_everything_goes_back(place):
    model = place.publish(
        "late", max_updates=2, approvals=1, attestations=1, merge_grace="1h"
    )
    grant_attest(model, "auditor")
    bot = aggregator(model, "owner", "bot-late-votes")
    pushed(model, "l0", "l1")
    assert bot.once() == WHOLE_ROUND[:3]
    attest(model.place.context("auditor"), model.address, "main")
    assert bot.once() == []

    # Half of it: the chain's clock goes on by itself meanwhile.
    place.wait(1800)
    bot.clock[0] += 1800
    assert bot.once() == []
    place.wait(1800)
    bot.clock[0] += 1800

    steps = bot.once()

    assert steps == ["round_abort", "update_expire", "merge_expire", FINISHED[2]]
    assert "waits for the owner's approval" in " ".join(bot.said)
    chain = model.owner.chain
    assert chain.branch_candidates(model.branch) == []
    assert chain.branch_attestations(model.branch) == []
    assert verify(model).head_seq == 1


@pytest.mark.parametrize("loses_its_notes", [False, True])
def test_killed_while_it_waits_it_goes_on(place, loses_its_notes):
    name = f"killed-{loses_its_notes}".lower()
    model = place.publish(name, max_updates=2, approvals=1)
    first = aggregator(model, "owner", name)
    pushed(model, f"{name}0", f"{name}1")
    assert first.once() == WHOLE_ROUND[:3]
    proposed = candidate(model)

    again = aggregator(model, "owner", f"{name}-new" if loses_its_notes else name)
    assert again.once() == []
    assert "waits for the owner's approval" in again.said[-1]
    assert candidate(model) == proposed, "nothing is proposed twice"
    approve(model.owner, model.address, "main")
    again.stop_before("merge_finalize")
    assert again.once() == []
    third = aggregator(model, "owner", f"{name}-third")

    assert third.once() == WHOLE_ROUND[3:]
    assert model.account().head_commit == proposed.commit_id


def test_votes_lapse_with_the_owner_and_the_new_one_is_asked(place):
    model = place.publish("sold", max_updates=2, approvals=1)
    bot = aggregator(model, "owner", "bot-sold")
    pushed(model, "s0", "s1")
    assert bot.once() == WHOLE_ROUND[:3]
    approve(model.owner, model.address, "main")
    buyer = place.context("buyer")
    repo_offer(model.owner, model.address, buyer.wallet.address)
    repo_accept(buyer, model.address)

    assert bot.once() == []
    assert bot.said[-1].endswith("waits for the owner's approval")
    approve(buyer, model.address, "main")

    assert bot.once() == WHOLE_ROUND[3:]
    verify(model)


def test_on_a_protected_branch_the_new_owner_proposes_anew(place):
    model = place.publish("guarded", max_updates=2, approvals=1, protected=True)
    old = aggregator(model, "owner", "bot-guarded")
    pushed(model, "g0", "g1")
    assert old.once() == WHOLE_ROUND[:3]
    approve(model.owner, model.address, "main")
    void = candidate(model).commit_id
    buyer = place.context("buyer")
    repo_offer(model.owner, model.address, buyer.wallet.address)
    repo_accept(buyer, model.address)

    assert old.once() == []
    assert "may not propose" in old.said[-1]
    new = aggregator(model, "buyer", "bot-guarded-new")
    assert new.once() == ["merge_propose"]
    (other,) = {
        one.commit_id for one in model.owner.chain.branch_candidates(model.branch)
    } - {void}
    approve(buyer, model.address, "main", str(other)[:12])

    assert new.once() == [*WHOLE_ROUND[3:], "merge_expire"]
    assert model.account().head_commit == other
    verify(model)


def test_the_candidate_that_was_approved_wins_over_an_older_one(place):
    model = place.publish("rivals", max_updates=2, approvals=1)
    grant_merge(model, "rival")
    bot = aggregator(model, "owner", "bot-rivals")
    rival = aggregator(model, "rival", "bot-rival")
    pushed(model, "r0", "r1")
    assert bot.once() == WHOLE_ROUND[:3]
    older = candidate(model).commit_id
    rival.blind_to_candidates(1)
    assert rival.once() == ["merge_propose"]
    (younger,) = {
        one.commit_id for one in model.owner.chain.branch_candidates(model.branch)
    } - {older}

    approve(model.owner, model.address, "main", str(younger)[:12])

    assert bot.once() == [*WHOLE_ROUND[3:], "merge_expire"]
    assert model.account().head_commit == younger
    verify(model)
