"""Approvals and attestations: what the events may say, and what a merge needs."""

from dataclasses import replace

import pytest
from history_world import BOT, NO_DIGEST, OWNER, PARAMS, SITES, STRANGER, World
from member_events import refused

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.ids import CommitId, Digest
from flair_client.strategies import lambda_for

HEIR = SITES[3]
COMMIT = CommitId(bytes([7]) * 32)


def proposed(by=BOT, **needed):
    """A round whose updates are all added, with a candidate."""
    world = World(params=replace(PARAMS, **needed))
    world.publish_root()
    world.begin_round(1, 2)
    propose(world, by)
    return world


def propose(world, by):
    world.emit(
        ev.MergeProposed, by, **here(world), commit_id=COMMIT, proposer=by.address
    )


def here(world):
    return {"branch": world.main, "round_index": world.live.round_index}


def approve(world, by=OWNER, **changes):
    given = {**here(world), "commit_id": COMMIT, "update_root": world.live.update_root}
    world.emit(ev.MergeApproved, by, **(given | changes))


def attest(world, by=OWNER, **changes):
    given = {
        **here(world),
        "commit_id": COMMIT,
        "attester": by.address,
        "update_root": world.live.update_root,
    }
    world.emit(ev.MergeAttested, by, **(given | changes))


def finalize(world):
    live = world.live
    world.emit(
        ev.MergeFinalized,
        STRANGER,
        **here(world),
        commit_id=COMMIT,
        old_head=live.base_commit,
        new_seq=live.base_seq + 1,
        n_accepted=2,
        weight_sum=3,
        lambda_=lambda_for(world.params.eta_q24, 3),
        update_root=live.update_root,
    )


def hand_over(world):
    world.emit(ev.AuthorityOffered, OWNER, new_authority=HEIR.address)
    world.emit(
        ev.AuthorityAccepted,
        HEIR,
        old_authority=OWNER.address,
        new_authority=HEIR.address,
        authority_epoch=1,
    )


def is_merged(world):
    return world.history.branches[world.main].head == COMMIT


def test_a_merge_has_the_approval_and_attestations_that_its_policy_wants():
    world = proposed(approvals_needed=1, attestations_needed=2)
    world.grant(SITES[0], Scope.ATTEST)
    approve(world)
    attest(world)
    attest(world, SITES[0])

    votes = world.live.votes[COMMIT]
    assert votes.approved_in == {0}
    assert votes.attesters(0) == {OWNER.address, SITES[0].address}
    finalize(world)
    assert is_merged(world)


def test_a_merge_without_approval_is_refused():
    world = proposed(approvals_needed=1)
    attest(world)
    finalize(world)

    assert "nobody approved" in refused(world)


@pytest.mark.parametrize("needed", [1, 2])
def test_a_merge_with_one_attestation_too_few_is_refused(needed):
    world = proposed(attestations_needed=needed)
    approve(world)
    if needed == 2:
        attest(world)
    finalize(world)

    assert f"{needed - 1} attested it where {needed} must" in refused(world)


@pytest.mark.parametrize("needed", ["approvals_needed", "attestations_needed"])
def test_what_was_said_under_the_old_owner_counts_no_more(needed):
    world = proposed(**{needed: 1})
    approve(world)
    attest(world)
    hand_over(world)
    finalize(world)

    assert refused(world)


def test_the_new_owner_says_it_again():
    world = proposed(approvals_needed=1, attestations_needed=1)
    approve(world)
    attest(world)
    hand_over(world)
    approve(world, HEIR)
    attest(world, HEIR)
    finalize(world)

    assert is_merged(world)


@pytest.mark.parametrize(
    ("by", "changes", "reason"),
    [
        (STRANGER, {}, "approved by somebody else"),
        (OWNER, {"commit_id": CommitId(bytes([9]) * 32)}, "nobody proposed"),
        (OWNER, {"update_root": NO_DIGEST}, "another sum of updates"),
        (OWNER, {"round_index": 2}, "round 2 is not in progress"),
    ],
)
def test_an_approval_that_cannot_have_been_given_is_refused(by, changes, reason):
    world = proposed()
    approve(world, by, **changes)

    assert reason in refused(world)


@pytest.mark.parametrize(
    ("by", "changes", "reason"),
    [
        (STRANGER, {}, "who may not"),
        (SITES[0], {}, "who may not"),
        (BOT, {}, "attested by its proposer"),
        (OWNER, {"attester": STRANGER.address}, "attested by somebody else"),
        (OWNER, {"commit_id": CommitId(bytes([9]) * 32)}, "nobody proposed"),
        (OWNER, {"update_root": Digest(bytes([1]) * 32)}, "another sum of updates"),
        (OWNER, {"round_index": 2}, "round 2 is not in progress"),
    ],
)
def test_an_attestation_that_cannot_have_been_given_is_refused(by, changes, reason):
    world = proposed()
    world.grant(SITES[0], Scope.MERGE | Scope.ADMINISTER)
    attest(world, by, **changes)

    assert reason in refused(world)


@pytest.mark.parametrize("say", [approve, attest])
def test_nothing_is_said_twice(say):
    world = proposed()
    say(world)
    say(world)

    assert "already" in refused(world)


@pytest.mark.parametrize("say", [approve, attest])
def test_nothing_is_said_before_every_update_is_added(say):
    world = World()
    world.publish_root()
    world.open_round()
    world.push(SITES[0])
    world.push(SITES[1])
    world.close_round()
    propose(world, BOT)
    say(world)

    assert "left out" in refused(world)


@pytest.mark.parametrize("say", [approve, attest])
def test_nothing_is_said_about_an_open_round(say):
    world = World()
    world.publish_root()
    world.open_round()
    say(world)

    assert "the round is not closed" in refused(world)


@pytest.mark.parametrize("late", [-1, 0])
def test_a_role_to_attest_holds_until_it_expires(late):
    world = proposed()
    world.grant(SITES[0], Scope.ATTEST, world.now + 60)
    world.now += 60 + late
    attest(world, SITES[0])

    if late:
        assert world.live.votes[COMMIT].attesters(0) == {SITES[0].address}
    else:
        assert "who may not" in refused(world)


def test_a_role_of_the_old_owner_attests_nothing():
    world = proposed()
    world.grant(SITES[0], Scope.ATTEST)
    hand_over(world)
    attest(world, SITES[0])

    assert "who may not" in refused(world)


@pytest.mark.parametrize("protected", [False, True])
def test_the_old_owners_candidate_moves_no_protected_branch(protected):
    world = proposed()
    hand_over(world)
    finalize(world)
    if not protected:
        assert is_merged(world)
        return
    world = World()
    world.main = world.add_branch("safe", protected=True)
    world.publish_root(branch="safe")
    world.begin_round(1, 2)
    propose(world, OWNER)
    hand_over(world)
    finalize(world)

    assert "before the authority changed" in refused(world)


def expire(world, who):
    world.emit(
        ev.AttestationExpired,
        STRANGER,
        branch=world.main,
        round_index=1,
        commit_id=COMMIT,
        attester=who.address,
    )


def test_an_attestation_is_closed_after_its_round_alone():
    world = proposed()
    attest(world)
    expire(world, OWNER)

    assert "its round is in progress" in refused(world)


def test_an_attestation_is_closed_where_there_is_one():
    world = proposed()
    attest(world)
    finalize(world)
    expire(world, OWNER)
    assert is_merged(world)
    expire(world, STRANGER)

    assert "there is no such attestation" in refused(world)
