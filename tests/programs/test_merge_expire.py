import pytest
from program_harness.call import CONFIG
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import SNAPSHOT, digest
from program_harness.world import Place, make_place


def scene(place: Place):
    place.closed()
    place.chain.send(place.merge_propose())
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    return place.merge_expire(index=1)


@refusals("merge_expire", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_while_the_round_is_live():
    place = make_place().proposed()
    place.chain.wait(1_000_000)

    place.chain.expect_refusal(place.merge_expire(), "CandidateLive")


def test_refuses_another_receiver_of_the_rent():
    place = make_place()
    call = scene(place).with_accounts(candidate_payer=place.anyone.pubkey())

    place.chain.expect_refusal(call, "RentPayerMismatch")


def test_refuses_another_branch_of_the_repository():
    place = make_place().proposed()
    other = Place(place.chain, place.name, b"other", dict(place.params)).created()
    call = place.merge_expire().with_accounts(branch=other.branch)

    place.chain.expect_refusal(call, "AccountMismatch")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def expire(place: Place, commit: str) -> None:
    """Expires a candidate of round 1 and checks what changes."""
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    call = place.merge_expire(commit, 1)
    candidate, payer = call.accounts["candidate"], place.payer.pubkey()
    held, before = chain.lamports(candidate), chain.lamports(payer)
    branch = chain.read(place.branch)

    event = chain.act(call, place.repo, place.anyone)

    assert event == (
        "MergeExpired",
        {"branch": place.branch, "round_index": 1, "commit_id": digest(commit)},
    )
    assert not chain.exists(candidate)
    assert chain.lamports(payer) - before == held
    assert chain.read(place.branch) == branch


def test_closes_the_candidate_of_a_round_that_the_head_left_behind():
    place = make_place()
    scene(place)

    expire(place, "merge")


@pytest.mark.parametrize("reopened", [False, True])
def test_closes_the_losing_candidate_after_the_merge(reopened: bool):
    place = make_place().accumulated()
    place.chain.send(place.merge_propose("one"), place.merge_propose("two"))
    place.chain.wait(600)
    place.chain.send(place.merge_finalize("one"))
    if reopened:
        place.chain.send(place.round_open())

    expire(place, "two")


def test_closes_the_candidate_when_the_round_account_is_gone():
    place = make_place()
    scene(place)
    for who in ("a", "b"):
        place.chain.send(place.update_expire(who, 1))

    expire(place, "merge")
