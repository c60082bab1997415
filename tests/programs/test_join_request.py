import pytest
from program_harness.call import CONFIG, find_bump
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, SEEDS, TOO_SMALL
from program_harness.tampering import Case, Rules, Scene, check, refusals, twin_call
from program_harness.values import (
    ADMINISTER,
    ATTEST,
    CONTRIBUTE,
    MERGE,
    NO_BRANCH,
    ZERO,
    digest,
)
from program_harness.world import Place, make_place


def scene(place: Place):
    """A request for the branch, so that every account is there."""
    return place.created().join_request("a", branch=place.branch)


def for_repo(place: Place):
    return place.created().join_request("a")


@refusals(
    "join_request",
    scene,
    # The request's address hangs on the repository.
    Rules(errors={"foreign-repo": SEEDS}),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_a_scope_without_any_right():
    place = make_place().created()

    place.chain.expect_refusal(place.join_request("a", 0), "RoleScope")


@pytest.mark.parametrize("scope", [16, 17, ADMINISTER | 16, 32_768, 65_535])
def test_refuses_unknown_scope_bits(scope: int):
    place = make_place().created()

    place.chain.expect_refusal(place.join_request("a", scope), "UnknownBits")


@pytest.mark.parametrize("scope", [ADMINISTER, ADMINISTER | CONTRIBUTE, 15])
@pytest.mark.parametrize("who", ["a", "owner"])
def test_refuses_to_ask_for_administer(scope: int, who: str):
    place = make_place().created()

    place.chain.expect_refusal(place.join_request(who, scope), "ScopeTooWide")


def test_refuses_a_second_request_of_the_applicant():
    place = make_place().created()
    place.chain.send(place.join_request("a", MERGE))

    # One per repository: another scope, note or branch makes no other address.
    place.chain.expect_refusal(place.join_request("a", ATTEST), IN_USE)
    place.chain.expect_refusal(
        place.join_request("a", MERGE, branch=place.branch), IN_USE
    )
    place.chain.expect_refusal(
        place.join_request("a", MERGE, note=digest("please")), IN_USE
    )


def test_refuses_the_address_of_another_applicant():
    place = make_place()
    call = for_repo(place)

    place.chain.expect_refusal(call.signed_by(applicant=place.chain.party("b")), SEEDS)


def test_refuses_a_branch_of_another_repository_with_the_own_request():
    place = make_place()
    call = scene(place)
    branch = twin_call(place, scene).accounts["branch"]

    place.chain.expect_refusal(call.with_accounts(branch=branch), "AccountMismatch")


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=32)

    place.chain.expect_refusal(call, "Paused")


def test_names_the_pause_before_the_scope():
    place = make_place().created()
    place.chain.edit(CONFIG, pause_bits=32)

    place.chain.expect_refusal(place.join_request("a", 0), "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("of_branch", [False, True])
@pytest.mark.parametrize("scope", [CONTRIBUTE, MERGE, ATTEST, 7])
@pytest.mark.parametrize("note", [ZERO, digest("please let me in")])
def test_anyone_asks(of_branch: bool, scope: int, note: bytes):
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~32)
    branch = place.branch if of_branch else NO_BRANCH
    before = chain.lamports(place.payer.pubkey())
    call = place.join_request(
        "a", scope, branch=branch if of_branch else None, note=note
    )

    event = chain.act(call, place.repo, chain.party("a"))

    applicant = chain.party("a").pubkey()
    values = {
        "applicant": applicant,
        "branch": branch,
        "scope": scope,
        "note_digest": note,
    }
    assert event == ("JoinRequested", values)
    assert chain.read(call.accounts["request"]) == account_of(
        "JoinRequest",
        bump=find_bump(b"join", place.repo, applicant),
        repo=place.repo,
        rent_payer=place.payer.pubkey(),
        requested_at=chain.now,
        **values,
    )
    rent = chain.rent(ACCOUNTS["JoinRequest"].size + 8)
    assert chain.lamports(call.accounts["request"]) == rent
    assert before - chain.lamports(place.payer.pubkey()) == rent


def test_a_request_gives_no_right():
    place = make_place(params={"contribute": 1}).opened()
    place.chain.send(place.join_request("a", 7))
    push = place.update_push("a")

    place.chain.expect_refusal(push, "RoleMissing")
    # The request's account is no role either.
    place.chain.expect_refusal(
        push.with_accounts(role=place.find_request("a")), TOO_SMALL
    )


def test_a_role_holder_may_ask_for_more():
    place = make_place().created()
    place.chain.send(place.role_grant("a", CONTRIBUTE))

    place.chain.send(place.join_request("a", MERGE))

    assert place.chain.read(place.find_request("a")).scope == MERGE


def test_two_applicants_and_two_repositories_have_requests_of_their_own():
    place = make_place().created()
    other = Place(place.chain, b"lung", place.branch_name, dict(place.params)).created()

    for each in (place, other):
        for who in ("a", "b"):
            place.chain.send(each.join_request(who))

    requests = {each.find_request(who) for each in (place, other) for who in "ab"}
    assert len(requests) == 4
