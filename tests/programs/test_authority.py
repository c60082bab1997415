"""The authority changes hands: offered, taken back, accepted, and what is void then."""

import pytest
from program_harness.call import CONFIG, wallet
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import ADMINISTER, CONTRIBUTE, NO_BRANCH, SNAPSHOT, digest
from program_harness.world import Place, make_place

OF_REPOS = {
    "alias-repo": "no other account is writable",
    "kind-repo": "there is no other account of the program",
}


def offer_scene(place: Place):
    return place.created().authority_offer("heir")


def accept_scene(place: Place):
    place.created()
    place.chain.send(place.authority_offer("heir"))
    return place.authority_accept("heir")


def handed_over(place: Place) -> Place:
    """The heir is the authority of a repository with a head."""
    place.rooted()
    place.chain.send(place.authority_offer("heir"), place.authority_accept("heir"))
    return place


@refusals(
    "authority_offer",
    offer_scene,
    Rules(skip=OF_REPOS | {"foreign-repo": "any repository of the authority is right"}),
)
def test_offer_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals(
    "authority_accept",
    accept_scene,
    Rules(skip=OF_REPOS | {"foreign-repo": "it was offered to the same wallet"}),
)
def test_accept_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("who", ["anyone", "heir", "helper"])
def test_only_the_authority_offers(who: str):
    place = make_place().created()
    place.chain.send(place.role_grant("helper", 15))
    place.chain.send(place.authority_offer("heir"))

    place.chain.expect_refusal(
        place.authority_offer("thief").signed_by(authority=place.chain.party(who)),
        "NotAuthority",
    )


@pytest.mark.parametrize("offered", ["", "heir"])
def test_an_offer_to_the_authority_itself_is_refused(offered: str):
    place = make_place().created()
    if offered:
        place.chain.send(place.authority_offer(offered))

    place.chain.expect_refusal(place.authority_offer("owner"), "OfferInvalid")


@pytest.mark.parametrize("who", ["", "heir"])
def test_an_offer_that_stands_is_not_made_again(who: str):
    place = make_place().created()
    if who:
        place.chain.send(place.authority_offer(who))

    place.chain.expect_refusal(place.authority_offer(who), "OfferInvalid")


@pytest.mark.parametrize("who", ["anyone", "owner", "helper", "first"])
def test_only_the_wallet_of_the_offer_that_stands_accepts(who: str):
    place = make_place().created()
    place.chain.send(place.role_grant("helper", 15))
    place.chain.send(place.authority_offer("first"))
    place.chain.send(place.authority_offer("heir"))

    place.chain.expect_refusal(place.authority_accept(who), "NotOffered")


def test_an_offer_that_was_taken_back_is_not_accepted():
    place = make_place().created()
    place.chain.send(place.authority_offer("heir"), place.authority_offer(""))

    place.chain.expect_refusal(place.authority_accept("heir"), "NotOffered")


def test_nothing_is_accepted_twice():
    place = make_place()
    call = accept_scene(place)

    place.chain.expect_refusal(call, "NotOffered", before=[call])


@pytest.mark.parametrize("scene", [offer_scene, accept_scene])
def test_refuses_when_the_count_of_events_is_at_its_end(scene: Scene):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_an_epoch_beyond_the_last():
    place = make_place()
    call = accept_scene(place)
    place.chain.edit(place.repo, authority_epoch=2**32 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_an_offer_changes_who_is_offered_to_and_nothing_else():
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    untouched = vars(chain.read(place.repo))

    for who in ("heir", "another", ""):
        address = wallet(who).pubkey() if who else NO_BRANCH
        event = chain.act(place.authority_offer(who), place.repo, place.owner)

        assert event == ("AuthorityOffered", {"new_authority": address})
        after = vars(chain.read(place.repo))
        assert after["pending_authority"] == address
        moved = {"pending_authority": None, "event_seq": 0, "history_root": b""}
        assert after | moved == untouched | moved


@pytest.mark.parametrize("epoch", [0, 6, 2**32 - 2])
def test_accepting_makes_the_wallet_the_authority_in_a_new_epoch(epoch: int):
    place = make_place()
    chain = place.chain
    call = accept_scene(place)
    chain.edit(CONFIG, pause_bits=63)
    chain.edit(place.repo, authority_epoch=epoch)
    untouched = vars(chain.read(place.repo))
    heir = chain.party("heir")

    event = chain.act(call, place.repo, heir)

    changed = {
        "old_authority": place.owner.pubkey(),
        "new_authority": heir.pubkey(),
        "authority_epoch": epoch + 1,
    }
    assert event == ("AuthorityAccepted", changed)
    after = vars(chain.read(place.repo))
    moved = {"event_seq": 0, "history_root": b""}
    now = {
        "authority": heir.pubkey(),
        "pending_authority": NO_BRANCH,
        "authority_epoch": epoch + 1,
    }
    assert after | moved == untouched | moved | now


def test_the_old_authority_has_no_right_any_more_and_the_new_one_has_all():
    place = handed_over(make_place())
    chain, heir = place.chain, place.chain.party("heir")

    chain.expect_refusal(place.branch_advance(SNAPSHOT, digest("x")), "RoleMissing")
    chain.expect_refusal(place.authority_offer("owner"), "NotAuthority")
    chain.expect_refusal(place.repo_set_sponsor("owner"), "NotAuthority")
    chain.send(place.branch_advance(SNAPSHOT, digest("x")).signed_by(actor=heir))
    chain.send(place.authority_offer("owner").signed_by(authority=heir))
    chain.send(place.authority_accept("owner"))

    assert chain.read(place.repo).authority_epoch == 2


def test_roles_of_the_old_authority_are_void_until_they_are_given_anew():
    place = make_place().rooted()
    chain, heir = place.chain, place.chain.party("heir")
    call = place.with_role(place.branch_set_policy(0), "helper", ADMINISTER)
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))

    chain.expect_refusal(call, "RoleVoid")
    chain.send(place.role_revoke("helper").signed_by(actor=heir))
    chain.send(place.role_grant("helper", ADMINISTER).signed_by(actor=heir))
    chain.send(call)


def test_a_role_does_not_hold_again_when_its_authority_comes_back():
    place = make_place().rooted()
    chain, heir = place.chain, place.chain.party("heir")
    call = place.with_role(place.branch_set_policy(0), "helper", ADMINISTER)
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))
    chain.send(place.authority_offer("owner").signed_by(authority=heir))
    chain.send(place.authority_accept("owner"))

    chain.expect_refusal(call, "RoleVoid")


def test_invites_of_the_old_authority_are_void():
    place = make_place().created()
    chain = place.chain
    chain.send(place.invite_create("key"))
    call = place.invite_redeem("key", "a")
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))

    chain.expect_refusal(call, "RoleVoid")


def test_a_round_goes_on_under_the_new_authority():
    place = make_place().opened(["a", "b"])
    chain, heir = place.chain, place.chain.party("heir")
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))
    chain.wait(3600)

    chain.expect_refusal(place.update_reject("a"), "NotAuthority")
    chain.send(place.round_close())
    chain.expect_refusal(place.merge_propose(), "NotProposer")
    chain.send(place.merge_propose().signed_by(proposer=heir))


def test_a_member_of_an_invited_round_must_be_let_in_anew():
    place = make_place(params={"contribute": 1}).opened()
    chain = place.chain
    call = place.with_role(place.update_push("a"), "a", CONTRIBUTE, signer="signer")
    chain.send(place.authority_offer("heir"), place.authority_accept("heir"))

    chain.expect_refusal(call, "RoleVoid")
