"""A repository changes hands on a real localnet: offered, taken, and what lapses."""

import pytest
from candidate_world import grant, proposed
from team_world import Team

from flair_client.chain.accounts import Scope
from flair_client.errors import RefUnknown, Refused, TrustRequired, UsageError
from flair_client.porcelain.candidate import candidate_list
from flair_client.porcelain.invite import invite_create
from flair_client.porcelain.pull import pull
from flair_client.porcelain.repo import repo_show
from flair_client.porcelain.repo_offer import OfferOutcome, repo_accept, repo_offer
from flair_client.porcelain.role import role_list
from flair_client.porcelain.status import status
from flair_client.porcelain.verify import verify
from flair_client.porcelain.vote import approve, attest


@pytest.fixture
def team(net, tmp_path):
    """A model whose merges need the owner and one other, and somebody who buys it."""
    made = Team(net, tmp_path, policy={"approvals": 1, "attestations": 1})
    made.publish()
    made.join(2)
    made.auditor = made.context("auditor")
    made.buyer = made.context("buyer")
    yield made
    people = (made.owner, made.auditor, made.buyer, *(ctx for ctx, _ in made.sites))
    for ctx in people:
        ctx.chain.close()


def test_it_is_offered_shown_and_taken(team, flair):
    grant(team, team.auditor)
    buyer = team.buyer.wallet.address

    offered = flair("repo", "offer", buyer)
    shown = flair("repo", "show")
    here = flair("status")
    taken = flair("repo", "accept", team.repo, "--wallet", "buyer", "--json")

    assert offered.code == 0, offered.err
    assert f"is offered to {buyer}" in offered.out
    assert "these lapse when it is accepted" in offered.err
    assert f"role of {team.auditor.wallet.address} on every branch: attest" in (
        offered.err
    )
    assert str(buyer) in shown.out
    assert f"offered to  {buyer}" in here.out
    assert taken.code == 0, taken.err
    result = taken.result
    assert (result["authority"], result["authority_epoch"]) == (str(buyer), 1)
    assert [one["grantee"] for one in result["lapsing"]["roles"]] == [
        str(team.auditor.wallet.address)
    ]
    found = repo_show(team.buyer, team.repo)
    assert (found.authority, found.offered_to) == (buyer, None)
    assert not any(one.holds for one in role_list(team.buyer, team.repo).roles)
    assert verify(team.buyer, team.repo).valid


def test_a_dry_run_only_tells(team):
    buyer = team.buyer.wallet.address
    planned = repo_offer(team.owner, team.repo, buyer, dry_run=True)
    assert planned.outcome is OfferOutcome.PLANNED
    assert repo_show(team.owner, team.repo).offered_to is None
    repo_offer(team.owner, team.repo, buyer)

    taken = repo_accept(team.buyer, team.repo, dry_run=True)

    assert (taken.outcome, taken.authority_epoch) == (OfferOutcome.PLANNED, 1)
    assert repo_show(team.owner, team.repo).authority != buyer


def test_it_can_be_taken_back_and_made_again(team, flair):
    buyer = team.buyer.wallet.address
    nobody = flair("repo", "offer", "--cancel")
    repo_offer(team.owner, team.repo, buyer)
    before = team.place.repo.account.event_seq
    again = repo_offer(team.owner, team.repo, buyer)
    cancelled = flair("repo", "offer", "--cancel")
    late = flair("repo", "accept", team.repo, "--wallet", "buyer")

    assert nobody.code == 1
    assert "is offered to nobody" in nobody.err
    assert again.outcome is OfferOutcome.KNOWN
    assert cancelled.code == 0, cancelled.err
    assert "is no longer offered" in cancelled.out
    assert team.place.repo.account.event_seq == before + 1
    assert late.code == 1
    assert "was not offered to wallet" in late.err


def test_said_twice_it_is_taken_once(team):
    repo_offer(team.owner, team.repo, team.buyer.wallet.address)
    repo_accept(team.buyer, team.repo)

    again = repo_accept(team.buyer, team.repo)

    assert (again.outcome, again.tx_signature) == (OfferOutcome.KNOWN, None)
    assert again.authority_epoch == 1


def test_who_may_not_offer_and_what_cannot_be(team, flair):
    buyer = team.buyer.wallet.address
    with pytest.raises(Refused, match="offers the repository, this is wallet"):
        repo_offer(team.buyer, team.repo, buyer)
    with pytest.raises(UsageError, match=r"owns .* already"):
        repo_offer(team.owner, team.repo, team.owner.wallet.address)
    for words in ((), (buyer, "--cancel")):
        said = flair("repo", "offer", *words)
        assert said.code == 2
        assert "give the wallet, or --cancel" in said.err


def test_votes_roles_and_invites_lapse_with_the_owner(team):
    grant(team, team.auditor)
    invite_create(team.owner, team.repo, Scope.CONTRIBUTE, lasts_s=3600)
    merge = proposed(team)
    approve(team.owner, team.repo, "main")
    attest(team.auditor, team.repo, "main")

    offer = repo_offer(team.owner, team.repo, team.buyer.wallet.address)
    taken = repo_accept(team.buyer, team.repo)

    assert offer.lapsing == taken.lapsing
    assert offer.lapsing.voted == (merge,)
    assert len(offer.lapsing.invites) == 1
    (one,) = candidate_list(team.buyer, team.repo, "main").candidates
    assert (one.approved, one.attesters, one.is_void) == (False, (), False)
    with pytest.raises(Refused, match="has no role 'attest'"):
        attest(team.auditor, team.repo, "main")
    with pytest.raises(Refused, match="approves merges"):
        approve(team.owner, team.repo, "main")
    # The new owner approves what was proposed before, once it came out the same.
    assert approve(team.buyer, team.repo, "main").approvals == 1
    assert verify(team.buyer, team.repo).valid


def test_on_a_protected_branch_the_candidate_lapses_too(net, tmp_path):
    made = Team(net, tmp_path / "guarded", policy={"approvals": 1}, protected=True)
    made.folder.mkdir()
    made.publish()
    made.join(2)
    merge = proposed(made)
    buyer = made.context("buyer")
    repo_offer(made.owner, made.repo, buyer.wallet.address)
    repo_accept(buyer, made.repo)

    with pytest.raises(Refused, match="was proposed before the owner changed"):
        approve(buyer, made.repo, "main", str(merge)[:8])

    (one,) = candidate_list(buyer, made.repo, "main").candidates
    assert one.is_void
    for ctx in (made.owner, buyer, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def test_contributors_are_shown_the_new_owner_first(team):
    site, workspace = team.sites[0]
    repo_offer(team.owner, team.repo, team.buyer.wallet.address)
    repo_accept(team.buyer, team.repo)
    pull(site, workspace)

    assert status(site, workspace).next_command == "flair trust"
    with pytest.raises(TrustRequired):
        team.push_updates(0.25)
    with pytest.raises(RefUnknown):
        approve(team.buyer, team.repo, "main")
