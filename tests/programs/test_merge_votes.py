"""Approvals and attestations: who gives them, for what, and what a merge needs."""

import pytest
from program_harness.call import CONFIG, find_bump
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, SEEDS
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import (
    ABORTED,
    ATTEST,
    MERGE,
    MERGED,
    OPEN,
    SNAPSHOT,
    ZERO,
    digest,
    ordered,
)
from program_harness.world import Place, make_place


def approve_scene(place: Place):
    return place.proposed().merge_approve()


def attest_scene(place: Place):
    return place.proposed().merge_attest("attester")


def helper_scene(place: Place):
    """The call of a helper that still needs its role."""
    call = attest_scene(place)
    return call.with_accounts(attestation=place.find_attestation("helper"), role=None)


SCENES = {"merge_approve": approve_scene, "merge_attest": attest_scene}
# The address of what is made hangs on epoch and attester: their own tests are below.
USE = RoleUse(
    helper_scene,
    ATTEST,
    signer="attester",
    skip=("void", "later-epoch", "somebody-else"),
)


@refusals("merge_approve", approve_scene)
def test_approve_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals(
    "merge_attest",
    attest_scene,
    Rules(
        # The attestation's address hangs on the candidate's.
        errors={"foreign-candidate": SEEDS, "sibling-candidate": SEEDS},
    ),
)
def test_attest_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


@pytest.mark.parametrize("of_branch", [False, True])
def test_whoever_may_attest_attests_until_the_role_expires(of_branch: bool):
    check_role_holds(USE, make_place(), of_branch=of_branch)


def test_refuses_somebody_elses_role():
    place = make_place()
    role = attest_scene(place).accounts["role"]
    call = place.merge_attest("thief", with_role=False).with_accounts(role=role)

    place.chain.expect_refusal(call, "RoleMissing")


def test_refuses_a_role_of_another_epoch_than_the_authoritys():
    place = make_place()
    call = attest_scene(place)
    place.chain.edit(call.accounts["role"], authority_epoch=1)

    place.chain.expect_refusal(call, "RoleVoid")


@pytest.mark.parametrize("who", ["anyone", "helper", "a", "attester"])
def test_only_the_authority_approves(who: str):
    place = make_place()
    call = approve_scene(place)
    place.chain.send(place.role_grant("helper", 15))

    place.chain.expect_refusal(
        call.signed_by(authority=place.chain.party(who)), "NotAuthority"
    )


def test_the_proposer_does_not_attest():
    place = make_place().accumulated()
    chain = place.chain
    propose = place.merge_propose()
    chain.send(place.with_role(propose, "bot", MERGE | ATTEST, signer="proposer"))

    chain.expect_refusal(place.merge_attest("bot"), "AttestsOwn")
    chain.send(place.merge_attest("owner", with_role=False))


def test_the_authority_that_proposed_does_not_attest():
    place = make_place().proposed()

    place.chain.expect_refusal(
        place.merge_attest("owner", with_role=False), "AttestsOwn"
    )


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("added", [0, 1])
def test_refuses_while_an_update_is_not_added(name: str, added: int):
    place = make_place().closed()
    place.chain.send(place.merge_propose())
    if added:
        place.chain.send(place.merge_accumulate(ordered(["a", "b"])[:1]))
    call = getattr(place, name)(*(["attester"] if name == "merge_attest" else []))

    place.chain.expect_refusal(call, "NotAllAccumulated")


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("seen", [ZERO, digest("another")])
def test_refuses_other_updates_than_were_seen(name: str, seen: bytes):
    place = make_place()
    call = SCENES[name](place).with_arguments(update_root=seen)

    place.chain.expect_refusal(call, "UpdatesChanged")


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("state", [OPEN, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_closed(name: str, state: int):
    place = make_place()
    call = SCENES[name](place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundNotClosed")


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("reopened", [False, True])
def test_refuses_a_round_that_the_head_left_behind(name: str, reopened: bool):
    place = make_place()
    call = SCENES[name](place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    if reopened:
        place.chain.send(place.round_open())

    place.chain.expect_refusal(call, "RoundNotLive")


@pytest.mark.parametrize("name", SCENES)
def test_refuses_a_candidate_of_another_round_of_the_branch(name: str):
    place = make_place().proposed()
    old = place.find_candidate(digest("merge"))
    place.chain.send(place.branch_advance(SNAPSHOT, digest("back")))
    call = SCENES[name](place)
    wanted = SEEDS if name == "merge_attest" else "AccountMismatch"

    place.chain.expect_refusal(call.with_accounts(candidate=old), wanted)


def test_refuses_to_attest_a_candidate_of_another_round_beside_its_own_attestation():
    place = make_place().proposed()
    old = place.find_candidate(digest("merge"))
    place.chain.send(place.branch_advance(SNAPSHOT, digest("back")))
    call = attest_scene(place)
    beside = call.with_accounts(
        candidate=old, attestation=place.find_attestation("attester", index=1)
    )

    place.chain.expect_refusal(beside, "AccountMismatch")


@pytest.mark.parametrize("name", SCENES)
def test_refuses_while_paused(name: str):
    place = make_place()
    call = SCENES[name](place)
    place.chain.edit(CONFIG, pause_bits=16)

    place.chain.expect_refusal(call, "Paused")


@pytest.mark.parametrize("scene", [approve_scene, attest_scene])
def test_refuses_when_the_count_of_events_is_at_its_end(scene: Scene):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_nobody_approves_twice():
    place = make_place()
    call = approve_scene(place)

    place.chain.expect_refusal(call, "ApprovedAlready", before=[call])


def test_nobody_attests_twice():
    place = make_place()
    call = attest_scene(place)

    place.chain.expect_refusal(call, IN_USE, before=[call])


def test_refuses_an_attestation_beyond_the_count():
    place = make_place()
    call = attest_scene(place)
    place.chain.edit(call.accounts["candidate"], attestations=255)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("merge_approve", {"version": 2}),
        ("merge_attest", {"version": 2}),
        ("merge_attest", {"approvals": 2}),
    ],
)
def test_refuses_a_candidate_that_contradicts_itself(name: str, changes):
    place = make_place()
    call = SCENES[name](place)
    place.chain.edit(call.accounts["candidate"], **changes)

    place.chain.expect_refusal(call, "InvariantBroken")


def test_refuses_a_candidate_without_a_commit():
    place = make_place()
    call = approve_scene(place)
    # At the address that such a candidate would have.
    forged = place.find_candidate(ZERO)
    place.chain.put(forged, data=place.chain.data(call.accounts["candidate"]))
    bump = find_bump(b"merge", place.round, ZERO)
    place.chain.edit(forged, commit_id=ZERO, bump=bump)

    place.chain.expect_refusal(call.with_accounts(candidate=forged), "InvariantBroken")


def test_an_approval_is_noted_in_the_candidate():
    place = make_place()
    chain, call = place.chain, approve_scene(place)
    chain.edit(CONFIG, pause_bits=63 & ~16)
    candidate = call.accounts["candidate"]
    before = vars(chain.read(candidate))

    event = chain.act(call, place.repo, place.owner)

    assert event == (
        "MergeApproved",
        {
            "branch": place.branch,
            "round_index": 1,
            "commit_id": digest("merge"),
            "update_root": place.round_state().update_root,
        },
    )
    assert vars(chain.read(candidate)) == before | {"approvals": 1}


def test_an_attestation_is_made_and_counted():
    place = make_place()
    chain, call = place.chain, attest_scene(place)
    chain.edit(CONFIG, pause_bits=63 & ~16)
    candidate, made = call.accounts["candidate"], call.accounts["attestation"]
    attester, payer = chain.party("attester"), place.payer.pubkey()
    before, money = vars(chain.read(candidate)), chain.lamports(payer)

    event = chain.act(call, place.repo, attester)

    assert event == (
        "MergeAttested",
        {
            "branch": place.branch,
            "round_index": 1,
            "commit_id": digest("merge"),
            "attester": attester.pubkey(),
            "update_root": place.round_state().update_root,
        },
    )
    assert vars(chain.read(candidate)) == before | {"attestations": 1}
    epoch = bytes(4)
    assert chain.read(made) == account_of(
        "Attestation",
        bump=find_bump(b"attest", candidate, epoch, attester.pubkey()),
        repo=place.repo,
        branch=place.branch,
        candidate=candidate,
        attester=attester.pubkey(),
        rent_payer=payer,
        round_index=1,
        commit_id=digest("merge"),
        attested_at=chain.now,
    )
    rent = chain.rent(ACCOUNTS["Attestation"].size + 8)
    assert money - chain.lamports(payer) == rent


def test_votes_of_an_older_authority_count_as_none():
    place = make_place().proposed()
    chain, heir = place.chain, place.chain.party("heir")
    chain.send(place.merge_approve(), place.merge_attest("one"))
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))
    grant = place.role_grant("two", ATTEST).signed_by(actor=heir)
    chain.send(grant)
    chain.send(place.merge_attest("two"))
    candidate = place.find_candidate(digest("merge"))

    state = chain.read(candidate)
    assert (state.approvals, state.attestations, state.votes_epoch) == (0, 1, 1)
    chain.send(place.merge_approve().signed_by(authority=heir))
    chain.send(place.merge_attest("heir", with_role=False))
    state = chain.read(candidate)
    assert (state.approvals, state.attestations, state.votes_epoch) == (1, 2, 1)


def test_whoever_attested_under_the_old_authority_attests_again():
    place = make_place().proposed()
    chain, heir = place.chain, place.chain.party("heir")
    chain.send(place.merge_attest("one"))
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))
    chain.expect_refusal(place.merge_attest("one"), "RoleVoid")
    chain.send(place.role_revoke("one").signed_by(actor=heir))
    chain.send(place.role_grant("one", ATTEST).signed_by(actor=heir))

    chain.send(place.merge_attest("one"))

    assert chain.read(place.find_candidate(digest("merge"))).attestations == 1
    for epoch in (0, 1):
        made = chain.read(place.find_attestation("one", epoch=epoch))
        assert made.authority_epoch == epoch
