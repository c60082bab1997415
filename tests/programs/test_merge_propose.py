import pytest
from program_harness.call import CONFIG, find_bump, wallet
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, SEEDS
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals, sibling_call
from program_harness.values import (
    ABORTED,
    ACCEPTED,
    ACCUMULATED,
    ATTEST,
    MERGE,
    MERGED,
    OPEN,
    PENDING,
    REJECTED,
    SNAPSHOT,
    ZERO,
    digest,
)
from program_harness.world import Place, make_place

FOUR = ["a", "b", "c", "d"]


def scene(place: Place):
    return place.closed().merge_propose()


def by_contributor(place: Place, who: str = "a"):
    """After the deadline, by somebody with an update and no role."""
    return (
        scene(place)
        .signed_by(proposer=place.chain.party(who))
        .with_accounts(proposer_update=place.find_update(who))
    )


# Whoever brings neither role nor update is no proposer; a role that fails says why.
USE = RoleUse(scene, MERGE, signer="proposer", errors={"none": "NotProposer"})


@refusals(
    "merge_propose",
    scene,
    Rules(
        scenes={"proposer_update": by_contributor},
        errors={
            # The candidate's address hangs on the round's.
            "foreign-round": SEEDS,
            "sibling-round": SEEDS,
        },
    ),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


def full_early(place: Place):
    """Closed at the maximum, before the deadline."""
    place.opened(FOUR)
    place.chain.send(place.round_close())
    return (
        place.merge_propose()
        .signed_by(proposer=place.chain.party("a"))
        .with_accounts(proposer_update=place.find_update("a"))
    )


def test_refuses_a_contributor_before_the_deadline():
    place = make_place()
    call = full_early(place)
    place.chain.wait(3599)

    place.chain.expect_refusal(call, "NotProposer")


def test_refuses_somebody_with_anothers_update():
    place = make_place()
    call = by_contributor(place).with_accounts(proposer_update=place.find_update("b"))

    place.chain.expect_refusal(call, "NotProposer")


def test_refuses_somebody_without_update_and_role():
    place = make_place()
    call = scene(place).signed_by(proposer=place.anyone)

    place.chain.expect_refusal(call, "NotProposer")


def test_refuses_a_contributor_who_brings_no_update():
    place = make_place()
    call = by_contributor(place).with_accounts(proposer_update=None)

    place.chain.expect_refusal(call, "NotProposer")


@pytest.mark.parametrize("status", [PENDING, REJECTED])
def test_refuses_a_contributor_whose_update_does_not_count(status: int):
    place = make_place()
    call = by_contributor(place)
    reason = int(status == REJECTED)
    place.chain.edit(place.find_update("a"), status=status, reject_reason=reason)

    place.chain.expect_refusal(call, "NotProposer")


def test_refuses_a_contributor_of_another_round():
    place = make_place().closed()
    old = place.find_update("a")
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    call = by_contributor(place).with_accounts(proposer_update=old)

    place.chain.expect_refusal(call, "NotProposer")


def test_refuses_a_contributor_whose_role_fails_before_the_deadline():
    place = make_place()
    call = place.with_role(full_early(place), "a", ATTEST, signer="proposer")

    place.chain.expect_refusal(call, "NotProposer")


def test_a_role_that_fails_does_not_take_a_contributors_right():
    place = make_place()
    call = place.with_role(by_contributor(place), "a", ATTEST, signer="proposer")

    place.chain.send(call)


def test_refuses_a_holder_of_merge_on_a_protected_branch():
    place = make_place()
    call = place.with_role(scene(place), "helper", MERGE, signer="proposer")
    place.chain.edit(place.branch, protected=1)

    place.chain.expect_refusal(call, "ProtectedBranch")


def test_refuses_a_contributor_on_a_protected_branch():
    place = make_place()
    call = by_contributor(place)
    place.chain.edit(place.branch, protected=1)

    place.chain.expect_refusal(call, "ProtectedBranch")


def test_the_authority_proposes_on_a_protected_branch():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.branch, protected=1)

    place.chain.send(call)


@pytest.mark.parametrize("state", [OPEN, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_closed(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundNotClosed")


@pytest.mark.parametrize("reopened", [False, True])
def test_refuses_a_round_that_the_head_left_behind(reopened: bool):
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    if reopened:
        place.chain.send(place.round_open())
    call = call.with_arguments(expected_head=digest("next"), expected_seq=2)

    place.chain.expect_refusal(call, "RoundNotLive")


@pytest.mark.parametrize(
    "seen",
    [
        {"expected_head": digest("another")},
        {"expected_head": ZERO},
        {"expected_seq": 0},
        {"expected_seq": 2},
    ],
)
def test_refuses_a_stale_head_or_sequence(seen):
    place = make_place()
    call = scene(place).with_arguments(**seen)

    place.chain.expect_refusal(call, "HeadMoved")


@pytest.mark.parametrize("commit", [ZERO, digest("root")])
def test_refuses_a_commit_that_is_zero_or_the_head(commit: bytes):
    place = make_place()
    call = scene(place)
    call = call.with_arguments(commit_id=commit).with_accounts(
        candidate=place.find_candidate(commit)
    )

    place.chain.expect_refusal(call, "CommitInvalid")


def test_refuses_the_address_of_another_commit():
    place = make_place()
    call = scene(place).with_accounts(candidate=place.find_candidate(digest("other")))

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_the_same_candidate_twice():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, IN_USE, before=[call])


def test_refuses_another_policy_of_the_repository():
    place = make_place()
    call = scene(place)
    place.chain.send(place.policy_create())

    place.chain.expect_refusal(
        call.with_accounts(policy=place.find_policy(1)), "PolicyMismatch"
    )


def test_refuses_a_round_of_another_branch_with_its_own_candidate():
    place = make_place()
    call = scene(place)
    other = sibling_call(place, scene).accounts

    place.chain.expect_refusal(
        call.with_accounts(round=other["round"], candidate=other["candidate"]),
        "AccountMismatch",
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=16)

    place.chain.expect_refusal(call, "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_the_authority_proposes():
    place = make_place()
    chain = place.chain
    call = scene(place)
    chain.edit(CONFIG, pause_bits=63 & ~16)
    chain.edit(place.repo, authority_epoch=5)
    payer = place.payer.pubkey()
    before, state = chain.lamports(payer), place.round_state()
    branch = chain.read(place.branch)

    event = chain.act(call, place.repo, place.owner)

    proposer = place.owner.pubkey()
    values = {"branch": place.branch, "round_index": 1, "commit_id": digest("merge")}
    assert event == ("MergeProposed", {**values, "proposer": proposer})
    candidate = call.accounts["candidate"]
    assert chain.read(candidate) == account_of(
        "MergeCandidate",
        bump=find_bump(b"merge", place.round, digest("merge")),
        repo=place.repo,
        round=place.round,
        proposer=proposer,
        payer=payer,
        proposed_at=chain.now,
        authority_epoch=5,
        **values,
    )
    rent = chain.rent(ACCOUNTS["MergeCandidate"].size + 8)
    assert chain.lamports(candidate) == rent
    assert before - chain.lamports(payer) == rent
    assert place.round_state() == state
    assert chain.read(place.branch) == branch


@pytest.mark.parametrize("status", [ACCEPTED, ACCUMULATED])
def test_a_contributor_proposes_from_the_deadline_on(status: int):
    place = make_place()
    call = full_early(place)
    place.chain.edit(place.find_update("a"), status=status)
    place.chain.wait(3600)

    event = place.chain.act(call, place.repo, place.chain.party("a"))

    assert event[1]["proposer"] == wallet("a").pubkey()


def test_two_candidates_stand_side_by_side():
    place = make_place().closed()

    place.chain.send(place.merge_propose("one"), place.merge_propose("two"))

    assert place.chain.exists(place.find_candidate(digest("one")))
    assert place.chain.exists(place.find_candidate(digest("two")))


def test_a_holder_of_merge_proposes_before_the_deadline():
    place = make_place().opened(FOUR)
    place.chain.send(place.round_close())
    call = place.with_role(place.merge_propose(), "helper", MERGE, signer="proposer")

    place.chain.send(call)


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_a_holder_of_merge_propose(of_branch: bool):
    check_role_holds(USE, make_place(), of_branch=of_branch)
