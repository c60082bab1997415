"""What an unattended contributor does next, for every situation it can be in."""

import itertools
from dataclasses import replace

import pytest

from flair_client.chain.accounts import RoundState
from flair_client.ids import CommitId
from flair_client.porcelain.contribute_state import (
    Aim,
    LiveRound,
    PendingUpdate,
    SentUpdate,
    Situation,
    Step,
    next_step,
)


def commit_id(n):
    return CommitId(bytes([n]) * 32)


HEAD, NEXT, MINE, OTHER = map(commit_id, (1, 2, 3, 4))
OPEN = LiveRound(5, RoundState.OPEN)
CLOSED = LiveRound(5, RoundState.CLOSED)
HERE = Situation(head=HEAD, chain_head=HEAD, next_round_index=5, live=OPEN)
PENDING = PendingUpdate(MINE, round_index=5, base=HEAD)
WATCH = Aim()


def step(known=HERE, aim=WATCH, **changes):
    return next_step(replace(known, **changes), aim).step


def test_a_round_step_by_step():
    assert step() is Step.TRAIN
    assert step(is_trained=True) is Step.COMMIT
    assert step(is_trained=True, pending=PENDING) is Step.PUSH
    sent = SentUpdate(MINE, 5)
    in_it = replace(HERE, live=replace(OPEN, mine=MINE), sent=sent)
    assert step(in_it) is Step.WAIT
    assert step(in_it, live=replace(CLOSED, mine=MINE)) is Step.WAIT
    merged = replace(in_it, live=None, chain_head=NEXT, next_round_index=6)
    assert step(merged) is Step.PULL
    pulled = replace(merged, head=NEXT, is_evaluated=False)
    assert step(pulled) is Step.EVALUATE
    assert step(pulled, is_evaluated=True) is Step.SETTLE
    assert step(pulled, is_evaluated=True, sent=None) is Step.WAIT


def test_rounds_are_opened_only_where_told():
    assert step(live=None) is Step.WAIT
    assert step(live=None, aim=Aim(open_rounds=True)) is Step.TRAIN
    ready = replace(HERE, live=None, pending=PENDING)
    assert step(ready) is Step.WAIT
    assert step(ready, aim=Aim(open_rounds=True)) is Step.PUSH


@pytest.mark.parametrize(
    "live",
    [
        CLOSED,
        replace(OPEN, is_full=True),
        replace(OPEN, is_late=True),
        replace(OPEN, mine=OTHER),
        replace(OPEN, mine=OTHER, refusal="norm"),
    ],
)
def test_a_round_that_takes_nothing_is_waited_out(live):
    assert step(live=live) is Step.WAIT
    assert step(live=live, pending=PENDING) is Step.WAIT
    assert step(live=live, is_trained=True) is Step.WAIT


def test_waits_say_until_when_where_somebody_knows():
    def until(**changes):
        return next_step(replace(HERE, **changes), WATCH).until

    sent = SentUpdate(MINE, 5)
    assert until(live=None) is None
    assert until(live=replace(OPEN, mine=MINE, until=90), sent=sent) == 90
    assert until(live=replace(CLOSED, mine=MINE, until=190), sent=sent) == 190
    assert until(live=replace(OPEN, is_late=True)) is None


def test_waits_say_why():
    def why(**changes):
        return next_step(replace(HERE, **changes), WATCH).why

    assert why(live=None) == (
        "round 5 is not open yet; with --open-rounds it would be opened"
    )
    assert why(live=CLOSED) == "round 5 was closed without this contributor"
    assert why(live=replace(OPEN, is_full=True)) == "round 5 is full"
    assert why(live=replace(OPEN, is_late=True)) == "round 5 is over its deadline"
    rejected = replace(OPEN, mine=MINE, refusal="norm")
    assert why(live=rejected) == "round 5: the owner left the update out (norm)"
    assert why(live=replace(CLOSED, mine=MINE)).endswith("waits for its merge")
    gone = why(live=CLOSED, sent=SentUpdate(MINE, 5))
    assert gone == "round 5: the update was taken back"


@pytest.mark.parametrize(
    "changes",
    [
        {"next_round_index": 6},
        {"chain_head": NEXT},
        {"live": replace(OPEN, mine=MINE)},
        {"live": replace(CLOSED, mine=MINE)},
    ],
)
def test_an_update_that_may_be_on_chain_is_looked_after_first(changes):
    assert step(pending=PENDING, distrust="the policy changed", **changes) is Step.PUSH


def test_nothing_else_than_updates_is_pushed():
    other = PendingUpdate(MINE, is_update=False)

    assert step(pending=other) is Step.STOP


def test_values_are_sent_once_their_round_is_closed():
    waits = replace(HERE, live=replace(OPEN, mine=MINE), n_held=1)
    assert step(waits) is Step.WAIT
    assert step(waits, live=replace(CLOSED, mine=MINE)) is Step.PUSH
    assert step(waits, live=None, chain_head=NEXT, next_round_index=6) is Step.PUSH


def test_changed_terms_are_pulled_before_anything_is_trained():
    assert step(knows_terms=False) is Step.PULL
    assert step(knows_terms=False, distrust="the policy changed") is Step.PULL


def test_without_trust_it_stops_after_writing_down_what_is_over():
    untrusted = replace(HERE, distrust="the recipe changed", is_evaluated=False)
    assert step(untrusted) is Step.STOP
    assert step(untrusted, sent=SentUpdate(MINE, 4)) is Step.SETTLE


def test_it_is_done_when_the_last_round_is_written_down():
    last = replace(HERE, sent=SentUpdate(MINE, 4))
    assert step(last, Aim(n_left=1)) is Step.SETTLE
    assert step(HERE, Aim(n_left=1)) is Step.TRAIN
    assert step(HERE, Aim(n_left=0)) is Step.DONE
    assert step(HERE, Aim(n_left=0), is_evaluated=False) is Step.EVALUATE


def test_a_branch_without_a_root_is_waited_for():
    assert step(chain_head=None) is Step.WAIT


def all_situations():
    lives = [
        None,
        OPEN,
        CLOSED,
        replace(OPEN, is_full=True),
        replace(OPEN, mine=MINE),
        replace(CLOSED, mine=MINE),
        replace(OPEN, mine=OTHER, refusal="norm"),
    ]
    yes = (False, True)
    for (
        live,
        there,
        distrust,
        trained,
        pending,
        held,
        sent,
        evaluated,
    ) in itertools.product(
        lives,
        (HEAD, NEXT, None),
        (None, "the owner changed"),
        yes,
        (None, PENDING, replace(PENDING, round_index=4)),
        (0, 1),
        (None, SentUpdate(MINE, 5), SentUpdate(MINE, 4)),
        yes,
    ):
        yield Situation(
            head=HEAD,
            chain_head=there,
            next_round_index=5,
            live=live,
            distrust=distrust,
            is_trained=trained,
            pending=pending,
            n_held=held,
            sent=sent,
            is_evaluated=evaluated,
        )


def test_nothing_new_is_made_without_trust_or_beside_an_update_in_the_round():
    for known in all_situations():
        for aim in (WATCH, Aim(1), Aim(0), Aim(None, open_rounds=True)):
            decision = next_step(known, aim)
            if decision.step in (Step.TRAIN, Step.COMMIT):
                assert known.distrust is None
                assert known.chain_head == known.head
                assert known.live is None or known.live.takes_mine
                assert known.sent is None or known.sent.round_index == 5
            if decision.step is Step.DONE:
                assert aim.n_left == 0
                assert known.sent is None
