from program_harness.call import CONFIG, wallet
from program_harness.refusal import TOO_SMALL
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import ABORTED, MERGED, SNAPSHOT, digest
from program_harness.world import Place, make_place


def scene(place: Place):
    """Two updates, so that the round stays when the first goes."""
    place.opened(["a", "b"])
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    return place.update_expire("a", 1)


@refusals("update_expire", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def last(place: Place):
    """One update, so that the round goes with it."""
    place.opened(["a"])
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    return place.update_expire("a", 1)


@refusals("update_expire", last)
def test_refuses_wrong_accounts_at_the_last_update(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_a_live_open_round():
    place = make_place().opened(["a"])
    place.chain.wait(1_000_000)

    place.chain.expect_refusal(place.update_expire("a"), "RoundInProgress")


def test_refuses_a_live_closed_round():
    place = make_place().closed()
    place.chain.wait(1_000_000)

    place.chain.expect_refusal(place.update_expire("a"), "RoundInProgress")


def test_refuses_a_merged_round():
    place = make_place().merged()

    place.chain.expect_refusal(place.update_expire("a", 1), "RoundMerged")


def test_refuses_a_merged_round_whatever_the_branch_says():
    place = make_place().opened(["a"])
    place.chain.edit(place.round, state=MERGED)

    place.chain.expect_refusal(place.update_expire("a"), "RoundMerged")


def test_refuses_a_second_time():
    place = make_place()
    call = scene(place)

    place.chain.expect_refusal(call, TOO_SMALL, before=[call])


def test_refuses_when_the_count_of_live_updates_would_fall_below_zero():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.find_round(1), n_live=0)

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def expire(place: Place, who: str, *, is_last: bool) -> None:
    """Expires an update of round 1 and checks what changes."""
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63)
    call = place.update_expire(who, 1)
    update, round_address = call.accounts["update"], place.find_round(1)
    payers = [place.payer.pubkey(), wallet("round payer").pubkey()]
    old, round_before = chain.read(update), place.round_state(1)
    held = [chain.lamports(update), chain.lamports(round_address) if is_last else 0]
    before = [chain.lamports(payer) for payer in payers]

    event = chain.act(call, place.repo, place.anyone)

    assert event == (
        "UpdateExpired",
        {
            "branch": place.branch,
            "round_index": 1,
            "contributor": wallet(who).pubkey(),
            "commit_id": old.commit_id,
        },
    )
    assert not chain.exists(update)
    gained = [
        chain.lamports(payer) - old for payer, old in zip(payers, before, strict=True)
    ]
    assert gained == held
    assert chain.exists(round_address) is not is_last
    if not is_last:
        round_before.n_live -= 1
        after = place.round_state(1)
        round_before.n_accepted = after.n_accepted
        round_before.weight_sum = after.weight_sum
        assert after == round_before


def test_expires_updates_of_a_round_that_the_head_left_behind():
    place = make_place()
    scene(place)

    expire(place, "a", is_last=False)
    expire(place, "b", is_last=True)


def test_expires_updates_of_an_aborted_round():
    place = make_place().closed(["a", "b", "c"])
    place.chain.send(place.update_reject("b"))
    place.chain.wait(1_000_000)
    place.chain.send(place.round_abort())

    for who in ("b", "a"):
        expire(place, who, is_last=False)
    expire(place, "c", is_last=True)


def test_expires_beside_the_next_live_round():
    place = make_place()
    scene(place)
    place.chain.send(place.round_open())

    expire(place, "b", is_last=False)
    expire(place, "a", is_last=True)
    assert place.round_state(2).n_live == 0


def test_expires_accumulated_updates_of_a_round_that_was_never_merged():
    place = make_place().accumulated()
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))

    expire(place, "a", is_last=False)
    expire(place, "b", is_last=True)


def test_expires_an_aborted_round_even_where_the_branch_calls_it_live():
    place = make_place().opened(["a", "b"])
    place.chain.edit(place.round, state=ABORTED)

    expire(place, "a", is_last=False)


def test_a_contribution_keeps_its_counts():
    place = make_place()
    call = scene(place)
    before = place.chain.read(place.find_contribution("a"))

    place.chain.send(call)

    assert place.chain.read(place.find_contribution("a")) == before
