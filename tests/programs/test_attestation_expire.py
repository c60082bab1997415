import pytest
from program_harness.call import CONFIG
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import digest
from program_harness.world import Place, make_place


def expire_scene(place: Place):
    place.proposed()
    place.chain.send(place.merge_attest("attester"), place.merge_finalize())
    return place.attestation_expire("attester")


@refusals("attestation_expire", expire_scene)
def test_expire_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_to_close_an_attestation_while_its_round_is_live():
    place = make_place().proposed()
    place.chain.send(place.merge_attest("attester"))
    place.chain.wait(1_000_000)

    place.chain.expect_refusal(place.attestation_expire("attester"), "CandidateLive")


def test_refuses_to_close_an_attestation_twice():
    place = make_place()
    call = expire_scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


@pytest.mark.parametrize("version", [0, 2])
def test_refuses_to_close_in_a_repository_of_another_version(version: int):
    place = make_place()
    call = expire_scene(place)
    place.chain.edit(place.repo, version=version)

    place.chain.expect_refusal(call, "InvariantBroken")


@pytest.mark.parametrize("reopened", [False, True])
def test_the_rent_of_an_attestation_goes_back_to_whoever_paid_it(reopened: bool):
    place = make_place()
    chain, call = place.chain, expire_scene(place)
    chain.edit(CONFIG, pause_bits=63)
    if reopened:
        chain.edit(CONFIG, pause_bits=0)
        chain.send(place.round_open())
    made, payer = call.accounts["attestation"], place.payer.pubkey()
    held, before = chain.lamports(made), chain.lamports(payer)

    event = chain.act(call, place.repo, place.anyone)

    assert event == (
        "AttestationExpired",
        {
            "branch": place.branch,
            "round_index": 1,
            "commit_id": digest("merge"),
            "attester": chain.party("attester").pubkey(),
        },
    )
    assert not chain.exists(made)
    assert chain.lamports(payer) - before == held


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = expire_scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")
