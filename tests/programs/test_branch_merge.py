import pytest
from program_harness.call import CONFIG
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import ADMINISTER, MERGE, SNAPSHOT, ZERO, digest
from program_harness.world import Place, make_place

MODELS = sorted(digest(f"model {number}") for number in range(17))


def scene(place: Place):
    return place.rooted().branch_merge(digest("merge"), *MODELS[:2])


USE = RoleUse(scene, ADMINISTER)


@refusals("branch_merge", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


@pytest.mark.parametrize("scope", [ADMINISTER, MERGE])
def test_refuses_a_helper_on_a_protected_branch(scope: int):
    place = make_place()
    call = place.with_role(scene(place), "helper", scope)
    place.chain.edit(place.branch, protected=1)

    place.chain.expect_refusal(call, "ProtectedBranch")


def test_refuses_a_branch_without_head():
    place = make_place().created()

    place.chain.expect_refusal(
        place.branch_merge(digest("x"), digest("y")), "HeadUnset"
    )


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


@pytest.mark.parametrize("new_head", [ZERO, digest("root")])
def test_refuses_a_new_head_that_is_none(new_head: bytes):
    place = make_place()
    call = scene(place).with_arguments(new_head=new_head)

    place.chain.expect_refusal(call, "CommitInvalid")


@pytest.mark.parametrize(
    "merged",
    [
        (),
        (MODELS[1], MODELS[0]),
        (MODELS[0], MODELS[0]),
        (ZERO, MODELS[0]),
        (MODELS[0], ZERO, MODELS[1]),
        (digest("root"),),
        (digest("merge"),),
        tuple(sorted((MODELS[0], digest("root")))),
        tuple(sorted((MODELS[0], digest("merge")))),
    ],
)
def test_refuses_merged_commits_in_another_form(merged: tuple[bytes, ...]):
    place = make_place().rooted()

    place.chain.expect_refusal(
        place.branch_merge(digest("merge"), *merged), "MergedInvalid"
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=2)

    place.chain.expect_refusal(call, "Paused")


@pytest.mark.parametrize("full", ["event_seq", "head_seq", "round_index"])
def test_refuses_when_a_count_is_at_its_end(full: str):
    place = make_place().opened()
    where = place.repo if full == "event_seq" else place.branch
    place.chain.edit(where, **{full: 2**64 - 1})

    place.chain.expect_refusal(place.branch_merge(digest("x"), MODELS[0]), "Overflow")


@pytest.mark.parametrize("protected", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 16])
def test_moves_the_head_and_names_what_was_merged(protected: int, count: int):
    place = make_place().rooted()
    chain = place.chain
    chain.edit(place.branch, protected=protected)
    chain.edit(CONFIG, pause_bits=63 & ~2)
    before = chain.read(place.branch)
    call = place.branch_merge(digest("merge"), *MODELS[:count])

    event = chain.act(call, place.repo, place.owner)

    assert event == (
        "BranchMerged",
        {
            "branch": place.branch,
            "old_head": digest("root"),
            "new_head": digest("merge"),
            "new_seq": 2,
            "ended_round": 0,
            "round_index": 0,
            "n_merged": count,
            "merged": b"".join(MODELS[:count]).ljust(512, b"\0"),
        },
    )
    vars(before).update(head_commit=digest("merge"), head_seq=2)
    assert chain.read(place.branch) == before


def test_ends_the_live_round():
    place = make_place().opened(["a"])
    chain = place.chain
    branch, round_before = chain.read(place.branch), place.round_state()

    event = chain.act(
        place.branch_merge(digest("merge"), MODELS[0]), place.repo, place.owner
    )

    assert (event[1]["ended_round"], event[1]["round_index"]) == (1, 1)
    vars(branch).update(
        head_commit=digest("merge"), head_seq=2, round_live=0, round_index=2
    )
    assert chain.read(place.branch) == branch
    assert place.round_state(1) == round_before
    chain.send(place.update_expire("a", 1))


def test_a_candidate_is_overtaken_by_a_merge_of_models():
    place = make_place().proposed()
    finalize = place.merge_finalize()
    place.chain.send(place.branch_merge(digest("models"), MODELS[0]))

    place.chain.expect_refusal(
        finalize.with_arguments(expected_head=digest("models"), expected_seq=2),
        "RoundNotLive",
    )


def test_of_two_moves_that_saw_the_same_head_one_passes():
    place = make_place().rooted()
    one = place.branch_merge(digest("one"), MODELS[0])
    two = place.branch_advance(SNAPSHOT, digest("two"))
    place.chain.send(two)

    place.chain.expect_refusal(one, "HeadMoved")


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act(of_branch: bool):
    check_role_holds(USE, make_place(), of_branch=of_branch)
