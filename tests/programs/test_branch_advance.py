import pytest
from program_harness.call import CONFIG
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import ADMINISTER, REVERT, ROOT, SNAPSHOT, ZERO, digest
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.rooted().branch_advance(SNAPSHOT, digest("next"))


USE = RoleUse(scene, ADMINISTER)


@refusals("branch_advance", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


def test_refuses_an_administrator_on_a_protected_branch():
    place = make_place()
    call = place.with_role(scene(place), "helper", ADMINISTER)
    place.chain.edit(place.branch, protected=1)

    place.chain.expect_refusal(call, "ProtectedBranch")


@pytest.mark.parametrize("kind", [3, 4, 255])
def test_refuses_an_unknown_kind(kind: int):
    place = make_place().rooted()

    place.chain.expect_refusal(place.branch_advance(kind, digest("x")), "KindUnknown")


def test_refuses_a_second_root():
    place = make_place().rooted()

    place.chain.expect_refusal(
        place.branch_advance(ROOT, digest("again")), "HeadAlreadySet"
    )


@pytest.mark.parametrize("kind", [SNAPSHOT, REVERT])
def test_refuses_to_move_a_branch_without_root(kind: int):
    place = make_place().created()

    place.chain.expect_refusal(place.branch_advance(kind, digest("x")), "HeadUnset")


@pytest.mark.parametrize(
    "seen",
    [
        {"expected_head": digest("another")},
        {"expected_head": ZERO},
        {"expected_seq": 0},
        {"expected_seq": 2},
        {"expected_seq": 2**64 - 1},
    ],
)
def test_refuses_a_stale_head_or_sequence(seen):
    place = make_place().rooted()
    call = place.branch_advance(SNAPSHOT, digest("x")).with_arguments(**seen)

    place.chain.expect_refusal(call, "HeadMoved")


@pytest.mark.parametrize(
    "seen", [{"expected_head": digest("another")}, {"expected_seq": 1}]
)
def test_refuses_a_root_for_another_head_or_sequence(seen):
    place = make_place().created()
    call = place.branch_advance(ROOT, digest("x")).with_arguments(**seen)

    place.chain.expect_refusal(call, "HeadMoved")


def test_refuses_the_second_of_two_moves_from_the_same_head():
    place = make_place().rooted()
    first = place.branch_advance(SNAPSHOT, digest("first"))
    second = place.branch_advance(SNAPSHOT, digest("second"))

    place.chain.expect_refusal(second, "HeadMoved", before=[first])


def test_refuses_a_move_seen_before_the_head_came_back():
    place = make_place().rooted()
    stale = place.branch_advance(REVERT, digest("x"))
    place.chain.send(place.branch_advance(SNAPSHOT, digest("there")))
    place.chain.send(place.branch_advance(REVERT, digest("root")))

    place.chain.expect_refusal(stale, "HeadMoved")


@pytest.mark.parametrize("kind", [SNAPSHOT, REVERT])
@pytest.mark.parametrize("new_head", [ZERO, digest("root")], ids=["zero", "old"])
def test_refuses_a_new_head_that_is_zero_or_the_old_one(kind: int, new_head: bytes):
    place = make_place().rooted()

    place.chain.expect_refusal(place.branch_advance(kind, new_head), "CommitInvalid")


def test_refuses_a_root_that_is_zero():
    place = make_place().created()

    place.chain.expect_refusal(place.branch_advance(ROOT, ZERO), "CommitInvalid")


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
    call = place.branch_advance(SNAPSHOT, digest("x"))

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("protected", [0, 1])
def test_sets_the_root_then_moves_by_snapshot_and_revert(protected: int):
    place = make_place().created()
    chain = place.chain
    chain.edit(place.branch, protected=protected)
    chain.edit(CONFIG, pause_bits=63 & ~2)
    moves = [(ROOT, "root"), (SNAPSHOT, "snapshot"), (REVERT, "revert")]
    old = ZERO

    for seq, (kind, name) in enumerate(moves, start=1):
        before = chain.read(place.branch)
        event = chain.act(
            place.branch_advance(kind, digest(name)), place.repo, place.owner
        )

        assert event == (
            "BranchAdvanced",
            {
                "branch": place.branch,
                "kind": kind,
                "old_head": old,
                "new_head": digest(name),
                "new_seq": seq,
                "ended_round": 0,
                "round_index": 0,
            },
        )
        vars(before).update(head_commit=digest(name), head_seq=seq)
        assert chain.read(place.branch) == before
        old = digest(name)


def test_ends_the_live_round():
    place = make_place().opened(["a"])
    chain = place.chain
    branch, round_before = chain.read(place.branch), place.round_state()

    event = chain.act(
        place.branch_advance(SNAPSHOT, digest("next")), place.repo, place.owner
    )

    assert event[1]["ended_round"] == 1
    assert event[1]["round_index"] == 1
    vars(branch).update(
        head_commit=digest("next"), head_seq=2, round_live=0, round_index=2
    )
    assert chain.read(place.branch) == branch
    # The round itself is told by `round_abort` or `update_expire`.
    assert place.round_state(1) == round_before


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_an_administrator_act(of_branch: bool):
    check_role_holds(USE, make_place(), of_branch=of_branch)
