import hashlib
from dataclasses import replace
from itertools import permutations

import pytest
from program_harness.call import CONFIG, wallet
from program_harness.protocol import discriminator
from program_harness.refusal import BORROWED, DUPLICATE, SEEDS
from program_harness.tampering import Case, Scene, check, refusals, spare_address
from program_harness.values import (
    ABORTED,
    ACCUMULATED,
    MERGED,
    OPEN,
    PENDING,
    REJECTED,
    SNAPSHOT,
    digest,
    ordered,
)
from program_harness.world import Place, make_place
from solders.instruction import AccountMeta

WEIGHTS = {"a": 1, "b": 8, "c": 8, "d": 64}


def scene(place: Place):
    return place.closed().merge_accumulate(ordered(["a", "b"]))


def with_updates(call, *addresses):
    metas = [AccountMeta(address, False, True) for address in addresses]
    return replace(call, more=tuple(metas))


@refusals("merge_accumulate", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_without_an_update():
    place = make_place().closed()

    place.chain.expect_refusal(place.merge_accumulate([]), "AccumulateEmpty")


@pytest.mark.parametrize("state", [OPEN, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_closed(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundNotClosed")


def test_refuses_an_open_round():
    place = make_place().opened(["a", "b"])

    place.chain.expect_refusal(place.merge_accumulate(["a"]), "RoundNotClosed")


@pytest.mark.parametrize("reopened", [False, True])
def test_refuses_a_round_that_the_head_left_behind(reopened: bool):
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    if reopened:
        place.chain.send(place.round_open())

    place.chain.expect_refusal(call, "RoundNotLive")


@pytest.mark.parametrize("status", [PENDING, REJECTED, ACCUMULATED])
def test_refuses_an_update_that_is_not_accepted(status: int):
    place = make_place()
    call = scene(place)
    reason = int(status == REJECTED)
    place.chain.edit(place.find_update("a"), status=status, reject_reason=reason)

    place.chain.expect_refusal(call, "UpdateStatus")


def test_refuses_a_rejected_update():
    place = make_place()
    call = scene(place)
    place.chain.send(place.update_reject("a"))

    place.chain.expect_refusal(call, "UpdateStatus")


def test_refuses_an_update_that_was_added_before():
    place = make_place().accumulated()

    place.chain.expect_refusal(
        place.merge_accumulate([ordered(["a", "b"])[1]]),
        "AccumulateOrder",
    )


def test_refuses_the_same_update_twice():
    place = make_place().closed()

    place.chain.expect_refusal(
        place.merge_accumulate(["a", "a"]),
        "AccumulateOrder",
    )


def orders():
    right = tuple(ordered(WEIGHTS))
    return [order for order in permutations(WEIGHTS) if order != right]


@pytest.mark.parametrize("order", orders(), ids="".join)
def test_refuses_every_other_order(order: tuple[str, ...]):
    place = make_place().closed(WEIGHTS)

    place.chain.expect_refusal(place.merge_accumulate(order), "AccumulateOrder")


def test_refuses_a_wrong_order_over_two_batches():
    place = make_place().closed(WEIGHTS)
    first, second, *_ = ordered(WEIGHTS)
    place.chain.send(place.merge_accumulate([second]))

    place.chain.expect_refusal(place.merge_accumulate([first]), "AccumulateOrder")


def test_refuses_a_wrong_order_among_equal_weights_over_two_batches():
    place = make_place().closed()
    first, second = ordered(["a", "b"])
    place.chain.send(place.merge_accumulate([second]))

    place.chain.expect_refusal(place.merge_accumulate([first]), "AccumulateOrder")


def test_refuses_an_update_of_another_round_of_the_branch():
    place = make_place().closed()
    old = place.find_update("a")
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    place.closed()

    place.chain.expect_refusal(
        with_updates(place.merge_accumulate([]), old), "UpdateMismatch"
    )


def test_refuses_an_update_of_another_repository():
    place = make_place()
    call = scene(place)
    twin = Place(place.chain, b"lung", params=dict(place.params)).closed()

    place.chain.expect_refusal(
        with_updates(call, twin.find_update("a")), "UpdateMismatch"
    )


def forged(place: Place, **changes):
    """A right looking update at an address that no push made."""
    call = scene(place)
    copy = spare_address("update")
    place.chain.put(copy, data=place.chain.data(place.find_update("a")))
    if changes:
        place.chain.edit(copy, **changes)
    return with_updates(call, copy)


@pytest.mark.parametrize("changes", [{}, {"contributor": wallet("thief").pubkey()}])
def test_refuses_an_update_at_another_address(changes):
    place = make_place()

    place.chain.expect_refusal(forged(place, **changes), SEEDS)


def test_refuses_an_update_with_another_bump():
    place = make_place()
    call = scene(place)
    update = place.find_update("a")
    place.chain.edit(update, bump=place.chain.read(update).bump ^ 1)

    place.chain.expect_refusal(call, SEEDS)


@pytest.mark.parametrize("where", [0, 1])
def test_refuses_an_update_that_another_program_owns(where: int):
    place = make_place()
    call = scene(place)
    place.chain.put(call.more[where].pubkey, owner=spare_address("program"))

    place.chain.expect_refusal(call, "AccountMismatch")


@pytest.mark.parametrize("where", [0, 1])
def test_refuses_an_account_of_another_kind(where: int):
    place = make_place()
    call = scene(place)
    address = call.more[where].pubkey
    data = place.chain.data(address)
    place.chain.put(address, data=discriminator("account", "Role") + data[8:])

    place.chain.expect_refusal(call, "AccountMismatch")


def test_refuses_a_truncated_update():
    place = make_place()
    call = scene(place)
    address = call.more[0].pubkey
    place.chain.put(address, data=place.chain.data(address)[:-1])

    place.chain.expect_refusal(call, "AccountMismatch")


def test_refuses_an_update_that_does_not_exist():
    place = make_place()
    call = with_updates(scene(place), place.find_update("nobody"))

    place.chain.expect_refusal(call, "AccountMismatch")


def test_refuses_an_update_that_may_not_be_written():
    place = make_place()
    call = scene(place)
    more = tuple(AccountMeta(meta.pubkey, False, False) for meta in call.more)

    place.chain.expect_refusal(replace(call, more=more), "AccountMismatch")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        # These stand twice and writable.
        *(("round", DUPLICATE), ("repo", DUPLICATE)),
        # These are being read.
        *(("branch", BORROWED), ("config", BORROWED)),
    ],
)
def test_refuses_another_account_of_the_call_as_update(name: str, error: str | int):
    place = make_place()
    call = scene(place)
    alias = with_updates(call, call.accounts[name])

    place.chain.expect_refusal(alias, error)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("weight_accumulated", 2**32 - 1, "Overflow"),
        ("n_accumulated", 2**16 - 1, "Overflow"),
    ],
)
def test_refuses_when_a_count_of_the_round_is_at_its_end(name, value, error):
    place = make_place()
    call = scene(place)
    # The updates still come behind what was added last.
    place.chain.edit(place.round, **{name: value}, last_weight=64)

    place.chain.expect_refusal(call, error)


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


@pytest.mark.parametrize("sizes", [(4,), (1, 3), (2, 2), (1, 1, 1, 1)])
def test_adds_all_updates_in_batches_of_any_size(sizes: tuple[int, ...]):
    place = make_place().closed(WEIGHTS)
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~16)
    waiting, root, count, weight = ordered(WEIGHTS), bytes(32), 0, 0
    state = place.round_state()

    for size in sizes:
        batch, waiting = waiting[:size], waiting[size:]
        updates = {who: chain.read(place.find_update(who)) for who in batch}
        event = chain.act(place.merge_accumulate(batch), place.repo, place.anyone)

        for who, update in updates.items():
            weight += WEIGHTS[who]
            count += 1
            root = hashlib.sha256(
                b"flair-accumulate-v1\n"
                + root
                + bytes(update.contributor)
                + update.commit_id
                + WEIGHTS[who].to_bytes(2, "little")
            ).digest()
            update.status = ACCUMULATED
            assert chain.read(place.find_update(who)) == update
        sums = {
            "n_accumulated": count,
            "weight_accumulated": weight,
            "update_root": root,
        }
        assert event == (
            "MergeAccumulated",
            {"branch": place.branch, "round_index": 1, "n_batch": size, **sums},
        )
        last = batch[-1]
        vars(state).update(
            sums,
            last_weight=WEIGHTS[last],
            last_contributor=wallet(last).pubkey(),
        )
        assert place.round_state() == state


def test_leaves_out_rejected_updates():
    place = make_place().closed(WEIGHTS)
    place.chain.send(place.update_reject("b"))
    rest = [who for who in ordered(WEIGHTS) if who != "b"]

    place.chain.send(place.merge_accumulate(rest))

    assert place.round_state().n_accumulated == place.round_state().n_accepted == 3
