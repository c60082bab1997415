import pytest
from program_harness.call import CONFIG, wallet
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import NO_BRANCH
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.created().repo_set_sponsor("benefactor")


@refusals(
    "repo_set_sponsor",
    scene,
    Rules(
        skip={
            "alias-repo": "no other account is writable",
            "foreign-repo": "any repository of the authority is right",
            "kind-repo": "there is no other account of the program",
        }
    ),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("who", ["anyone", "benefactor", "helper"])
def test_refuses_whoever_is_not_the_authority(who: str):
    place = make_place().created()
    place.chain.send(place.role_grant("helper", 15))
    place.chain.send(place.repo_set_sponsor("benefactor"))

    place.chain.expect_refusal(
        place.repo_set_sponsor("thief").signed_by(authority=place.chain.party(who)),
        "NotAuthority",
    )


def test_refuses_the_creator_where_another_is_the_authority():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, authority=place.chain.party("heir").pubkey())

    place.chain.expect_refusal(call, "NotAuthority")
    place.chain.send(call.signed_by(authority=place.chain.party("heir")))


def test_refuses_a_repository_of_somebody_else():
    place = make_place().created()
    call = place.repo_set_sponsor("benefactor")

    place.chain.expect_refusal(
        call.signed_by(authority=place.chain.party("thief")), "NotAuthority"
    )


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_the_authority_names_changes_and_removes_the_sponsor():
    place = make_place().created()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    untouched = vars(chain.read(place.repo)) | {"sponsor": None}

    for who in ("benefactor", "benefactor", "another", ""):
        address = wallet(who).pubkey() if who else NO_BRANCH
        event = chain.act(place.repo_set_sponsor(who), place.repo, place.owner)

        assert event == ("RepoSponsorSet", {"sponsor": address})
        after = vars(chain.read(place.repo))
        assert after["sponsor"] == address
        moved = {"sponsor": None, "event_seq": 0, "history_root": b""}
        assert after | moved == untouched | moved


def test_a_sponsor_has_no_right():
    place = make_place(params={"contribute": 1}).opened()
    place.chain.send(place.repo_set_sponsor("benefactor"))

    place.chain.expect_refusal(place.update_push("benefactor"), "RoleMissing")
    place.chain.expect_refusal(
        place.branch_set_policy(0).signed_by(actor=place.chain.party("benefactor")),
        "RoleMissing",
    )
