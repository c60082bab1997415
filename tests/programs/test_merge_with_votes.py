"""What a merge needs of approvals and attestations, and what becomes of those."""

import pytest
from program_harness.values import (
    ATTEST,
    MERGE,
    digest,
    ordered,
)
from program_harness.world import Place, make_place


def strict(**params) -> Place:
    return make_place(params=params)


def test_a_merge_waits_for_the_authority_where_the_policy_says_so():
    place = strict(approvals_needed=1).proposed()
    chain = place.chain

    chain.expect_refusal(place.merge_finalize(), "ApprovalMissing")
    chain.send(place.merge_attest("attester"))
    chain.expect_refusal(place.merge_finalize(), "ApprovalMissing")
    chain.send(place.merge_approve())
    chain.send(place.merge_finalize())


@pytest.mark.parametrize("needed", [1, 2])
def test_a_merge_waits_for_as_many_attestations_as_the_policy_says(needed: int):
    place = strict(attestations_needed=needed).proposed()
    chain = place.chain
    chain.send(place.merge_approve())

    for number in range(needed):
        chain.expect_refusal(place.merge_finalize(), "AttestationsMissing")
        chain.send(place.merge_attest(f"attester {number}"))
    chain.send(place.merge_finalize())


def test_votes_do_not_shorten_the_challenge_time():
    place = strict(approvals_needed=1, attestations_needed=1).accumulated()
    chain = place.chain
    chain.send(place.merge_propose())
    chain.send(place.merge_approve(), place.merge_attest("attester"))
    chain.wait(599)

    chain.expect_refusal(place.merge_finalize(), "ChallengeOpen")
    chain.wait(1)
    chain.send(place.merge_finalize())


def test_an_approval_holds_for_its_candidate_alone():
    place = strict(approvals_needed=1).accumulated()
    chain = place.chain
    chain.send(place.merge_propose("one"), place.merge_propose("two"))
    chain.wait(600)
    chain.send(place.merge_approve("two"))

    chain.expect_refusal(place.merge_finalize("one"), "ApprovalMissing")
    chain.send(place.merge_finalize("two"))


def test_an_approval_lapses_when_the_authority_changes():
    place = strict(approvals_needed=1).proposed()
    chain, heir = place.chain, place.chain.party("heir")
    chain.send(place.merge_approve())
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))

    chain.expect_refusal(place.merge_finalize(), "ApprovalMissing")
    chain.expect_refusal(place.merge_approve(), "NotAuthority")
    chain.send(place.merge_approve().signed_by(authority=heir))
    chain.send(place.merge_finalize())


def test_attestations_lapse_when_the_authority_changes():
    place = strict(attestations_needed=1).proposed()
    chain, heir = place.chain, place.chain.party("heir")
    chain.send(place.merge_attest("attester"))
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))

    chain.expect_refusal(place.merge_finalize(), "AttestationsMissing")
    chain.send(place.role_grant("two", ATTEST).signed_by(actor=heir))
    chain.send(place.merge_attest("two"))
    chain.send(place.merge_finalize())


@pytest.mark.parametrize("protected", [0, 1])
def test_the_old_authoritys_candidate_moves_no_protected_branch(protected: int):
    place = make_place().proposed()
    chain, heir = place.chain, place.chain.party("heir")
    chain.edit(place.branch, protected=protected)
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))

    if not protected:
        chain.send(place.merge_finalize())
        return
    chain.expect_refusal(place.merge_finalize(), "CandidateVoid")
    chain.send(place.merge_propose("heirs").signed_by(proposer=heir))
    chain.wait(600)
    chain.send(place.merge_finalize("heirs"))


def test_an_update_that_is_struck_before_it_is_added_needs_new_eyes():
    place = strict(approvals_needed=1).closed(["a", "b", "c"])
    chain = place.chain
    chain.send(place.merge_propose("of three"))
    chain.expect_refusal(place.merge_approve("of three"), "NotAllAccumulated")
    chain.send(place.update_reject("a"))
    chain.send(place.merge_accumulate(ordered(["b", "c"])))
    chain.send(place.merge_propose("of two"))
    chain.send(place.merge_approve("of two"))
    chain.wait(600)

    chain.expect_refusal(place.merge_finalize("of three"), "ApprovalMissing")
    chain.send(place.merge_finalize("of two"))


def test_nothing_is_struck_after_an_approval():
    place = strict(approvals_needed=1).proposed()
    place.chain.send(place.merge_approve())

    place.chain.expect_refusal(place.update_reject("a"), "UpdateStatus")
    place.chain.expect_refusal(place.update_withdraw("a"), "RoundClosed")


def test_a_round_that_nobody_approves_in_time_is_aborted_and_all_get_their_rent():
    place = strict(approvals_needed=1, merge_grace_s=60).proposed()
    chain = place.chain
    chain.send(place.merge_attest("attester"))
    chain.wait(60)

    chain.send(place.round_abort())

    chain.send(place.merge_expire("merge", 1), place.attestation_expire("attester"))
    chain.send(place.update_expire("a", 1), place.update_expire("b", 1))
    assert not chain.exists(place.find_round(1))


def test_anyone_finishes_what_was_approved_when_the_aggregator_is_gone():
    place = strict(approvals_needed=1).accumulated()
    chain = place.chain
    propose = place.merge_propose()
    chain.send(place.with_role(propose, "bot", MERGE, signer="proposer"))
    chain.send(place.merge_approve(), place.role_revoke("bot"))
    chain.wait(600)

    chain.send(place.merge_finalize())

    assert place.head == digest("merge")
