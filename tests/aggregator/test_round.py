"""Account values in, steps out: every state of a round, by hand."""

from dataclasses import replace

import pytest

from flair_aggregator.round import (
    AbortRound,
    Accumulate,
    BranchView,
    CloseRound,
    ExpireAttestation,
    ExpireCandidate,
    ExpireUpdate,
    Fault,
    Finalize,
    Leftover,
    Located,
    OpenRound,
    Propose,
    RejectUpdate,
    Rights,
    RoundView,
    SettleUpdate,
    plan,
)
from flair_client.chain.accounts import RoundState, UpdateStatus
from flair_client.ids import Address, CommitId
from flair_client.strategies import get_strategy
from flair_client.strategies.parameters import from_numbers, pack
from flair_client.testing import (
    ALICE,
    BOB,
    MAIN,
    NOW,
    PARAMS,
    make_branch,
    make_candidate,
    make_round,
    make_update,
)

WHERE = Address(bytes([1]) * 32)
OWNER_RIGHTS = Rights(may_reject=True, may_propose=True)
BOT_RIGHTS = Rights(may_reject=False, may_propose=True)
NO_RIGHTS = Rights(may_reject=False, may_propose=False)
# PARAMS: 2 to 4 updates, open for 100 s, challenge 7 s, grace 9 s.
CLOSED_AT = NOW + 50
ACCEPTED = (make_update(ALICE, 1), make_update(BOB, 4))
ADDED = tuple(replace(one, status=UpdateStatus.ACCUMULATED) for one in ACCEPTED)
CLOSED = {"state": RoundState.CLOSED, "closed_at": CLOSED_AT, "n_accepted": 2}
CHOSEN = make_candidate(proposed_at=CLOSED_AT)


def at(value):
    return Located(WHERE, value)


def view(now=NOW, updates=(), candidates=(), *, branch=None, over=(), stale=(), **more):
    faults = more.pop("faults", {})
    valid = more.pop("valid", {CHOSEN.commit_id})
    live = RoundView(
        at(make_round(**more)),
        PARAMS,
        tuple(at(one) for one in updates),
        tuple(at(one) for one in candidates),
        faults,
        frozenset(valid),
    )
    leftovers = tuple(
        Leftover(at(one), tuple(at(update) for update in left)) for one, left in over
    )
    branch = branch or make_branch()
    return BranchView(
        now,
        Located(MAIN, branch),
        live if branch.round_live else None,
        leftovers,
        tuple(at(one) for one in stale),
    )


def steps(seen, rights=BOT_RIGHTS, *, open_rounds=False, batch_size=8):
    return plan(seen, rights, open_rounds=open_rounds, batch_size=batch_size).steps


@pytest.mark.parametrize(
    ("now", "n_accepted", "expected"),
    [
        (NOW, 0, None),
        (NOW + 99, 3, None),
        (NOW, 4, CloseRound),
        (NOW + 100, 2, CloseRound),
        (NOW + 100, 1, AbortRound),
    ],
)
def test_open_round_closes_when_full_or_over_and_aborts_when_too_few(
    now, n_accepted, expected
):
    found = plan(
        view(now, n_accepted=n_accepted), BOT_RIGHTS, open_rounds=False, batch_size=8
    )

    assert [type(one) for one in found.steps] == ([expected] if expected else [])
    if expected is None:
        assert found.wake_at == NOW + 100


def test_closed_round_is_accumulated_by_weight_then_contributor_in_batches():
    (first,) = steps(view(CLOSED_AT, ACCEPTED, **CLOSED), batch_size=1)

    assert isinstance(first, Accumulate)
    assert [one.value.weight for one in first.updates] == [4]

    half = (ACCEPTED[0], ADDED[1])
    (second,) = steps(view(CLOSED_AT, half, **CLOSED), batch_size=1)
    assert isinstance(second, Accumulate)
    assert [one.value.weight for one in second.updates] == [1]


def test_merge_is_proposed_once_everything_is_accumulated():
    (step,) = steps(view(CLOSED_AT, ADDED, **CLOSED))

    assert isinstance(step, Propose)


def test_candidate_waits_for_the_challenge_time_then_is_finalised():
    found = plan(
        view(CLOSED_AT + 6, ADDED, (CHOSEN,), **CLOSED),
        BOT_RIGHTS,
        open_rounds=False,
        batch_size=8,
    )
    assert (found.steps, found.wake_at) == ((), CLOSED_AT + 7)

    (step,) = steps(view(CLOSED_AT + 7, ADDED, (CHOSEN,), **CLOSED), NO_RIGHTS)
    assert isinstance(step, Finalize)


def test_candidate_that_does_not_check_is_not_finalised():
    (step,) = steps(view(CLOSED_AT + 7, ADDED, (CHOSEN,), valid=(), **CLOSED))

    assert isinstance(step, Propose)


def test_oldest_valid_candidate_is_chosen_and_ties_go_by_id():
    rival = replace(CHOSEN, commit_id=CommitId(bytes([1]) * 32))
    late = replace(rival, proposed_at=CLOSED_AT + 1)
    valid = {CHOSEN.commit_id, rival.commit_id}
    now = CLOSED_AT + 30

    (tied,) = steps(view(now, ADDED, (CHOSEN, rival), valid=valid, **CLOSED))
    (older,) = steps(view(now, ADDED, (late, CHOSEN), valid=valid, **CLOSED))

    assert tied.candidate.value == rival
    assert older.candidate.value == CHOSEN


def test_unsound_update_is_rejected_by_its_owner_and_waited_for_by_others():
    faults = {ALICE.address: Fault(7, "too long")}
    seen = view(CLOSED_AT, ACCEPTED, faults=faults, **CLOSED)

    (step,) = steps(seen, OWNER_RIGHTS)
    waiting = plan(seen, BOT_RIGHTS, open_rounds=False, batch_size=8)

    assert isinstance(step, RejectUpdate)
    assert (step.update.value.contributor, step.fault.reason_code) == (ALICE.address, 7)
    assert waiting.steps == ()
    assert "too long" in waiting.waits[0]
    # 50 s closed, 7 s challenge, 9 s grace.
    assert waiting.wake_at == NOW + 66
    late = replace(seen, now=NOW + 66)
    assert isinstance(steps(late)[0], AbortRound)


def test_missing_blocks_get_half_of_the_merges_time():
    faults = {ALICE.address: Fault(3, "missing", is_final=False)}

    early = steps(view(CLOSED_AT + 3, ACCEPTED, faults=faults, **CLOSED), OWNER_RIGHTS)
    late = steps(view(CLOSED_AT + 4, ACCEPTED, faults=faults, **CLOSED), OWNER_RIGHTS)

    assert early == ()
    assert isinstance(late[0], RejectUpdate)


def test_wallet_without_a_right_waits_and_aborts_at_the_end():
    seen = view(CLOSED_AT, ADDED, **CLOSED)

    assert steps(seen, NO_RIGHTS) == ()
    (step,) = steps(replace(seen, now=NOW + 66), NO_RIGHTS)
    assert isinstance(step, AbortRound)


def test_late_merge_is_better_than_none():
    (step,) = steps(view(NOW + 500, ADDED, **CLOSED))

    assert isinstance(step, Propose)


def test_accounts_of_finished_rounds_are_given_back():
    merged = make_round(0, state=RoundState.MERGED)
    aborted = make_round(0, state=RoundState.ABORTED)
    overtaken = make_round(0, state=RoundState.OPEN)
    seen = view(
        over=[(merged, ACCEPTED), (aborted, ACCEPTED[:1]), (overtaken, ())],
        stale=[CHOSEN],
    )

    kinds = [type(one) for one in steps(seen)]

    assert kinds == [
        SettleUpdate,
        SettleUpdate,
        ExpireUpdate,
        AbortRound,
        ExpireCandidate,
    ]


def test_round_is_opened_only_when_asked_and_only_on_a_head():
    idle = view(branch=make_branch(round_live=False))
    empty = view(branch=make_branch(round_live=False, head_commit=CommitId(bytes(32))))

    assert steps(idle) == ()
    assert steps(idle, open_rounds=True) == (OpenRound(1),)
    assert steps(empty, open_rounds=True) == ()


def robust(f):
    values = from_numbers("median", get_strategy("median").parameters, {"f": f})
    return replace(
        PARAMS,
        strategy=get_strategy("median").number,
        strategy_params=pack(get_strategy("median").parameters, values),
    )


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        (robust(1), "at least 3 updates (2f + 1 for f = 1), there are 2"),
        (replace(PARAMS, strategy=99), "there is no strategy 99"),
    ],
)
def test_a_strategy_that_cannot_keep_its_promise_merges_nothing(params, reason):
    closed = view(NOW + 60, ACCEPTED, **CLOSED)
    closed = replace(closed, live=replace(closed.live, params=params))

    waiting = plan(closed, OWNER_RIGHTS, open_rounds=False, batch_size=9)
    late = plan(
        replace(closed, now=waiting.wake_at),
        OWNER_RIGHTS,
        open_rounds=False,
        batch_size=9,
    )

    assert waiting.steps == ()
    assert reason in waiting.waits[0]
    (step,) = late.steps
    assert isinstance(step, AbortRound)
    assert reason in step.reason


def test_a_strategy_with_enough_updates_goes_on():
    closed = view(NOW + 60, ACCEPTED, **CLOSED)
    closed = replace(closed, live=replace(closed.live, params=robust(0)))

    (step,) = plan(closed, OWNER_RIGHTS, open_rounds=False, batch_size=9).steps

    assert isinstance(step, Accumulate)


VOTES = replace(PARAMS, approvals_needed=1, attestations_needed=2)


def voted(now, *candidates, epoch=3, protected=False, params=VOTES):
    """A closed round under a policy that wants votes, in the repository's epoch 3."""
    seen = view(
        now,
        ADDED,
        candidates,
        valid={one.commit_id for one in candidates},
        branch=make_branch(protected=protected),
        **CLOSED,
    )
    live = replace(seen.live, params=params)
    return replace(seen, live=live, authority_epoch=epoch)


def agreed(approvals, attestations, **more):
    values = {"authority_epoch": 3, "votes_epoch": 3} | more
    return replace(CHOSEN, approvals=approvals, attestations=attestations, **values)


def planned(seen):
    return plan(seen, BOT_RIGHTS, open_rounds=False, batch_size=8)


@pytest.mark.parametrize(
    ("approvals", "attestations", "waits_for"),
    [
        (0, 0, "the owner's approval and attestations, 0 of 2"),
        (1, 1, "attestations, 1 of 2"),
        (0, 2, "the owner's approval"),
    ],
)
def test_candidate_waits_for_votes_until_the_grace_is_over(
    approvals, attestations, waits_for
):
    seen = voted(CLOSED_AT + 8, agreed(approvals, attestations))

    found = planned(seen)

    assert found.steps == ()
    assert found.waits == (f"commit {CHOSEN.commit_id.short} waits for {waits_for}",)
    # 50 s closed, 7 s challenge, 9 s grace.
    assert found.wake_at == NOW + 66
    (step,) = planned(replace(seen, now=NOW + 66)).steps
    assert isinstance(step, AbortRound)
    assert waits_for in step.reason


def test_candidate_with_all_votes_waits_for_the_challenge_time_only():
    early = planned(voted(CLOSED_AT + 6, agreed(1, 2)))
    (step,) = planned(voted(CLOSED_AT + 7, agreed(1, 2))).steps

    assert (early.steps, early.wake_at) == ((), CLOSED_AT + 7)
    assert isinstance(step, Finalize)


def test_votes_under_another_owner_do_not_count():
    found = planned(voted(CLOSED_AT + 8, agreed(1, 2, votes_epoch=2)))

    assert found.steps == ()
    assert "the owner's approval and attestations, 0 of 2" in found.waits[0]


def test_of_several_the_one_that_all_agreed_to_is_finalised():
    rival = agreed(1, 2, commit_id=CommitId(bytes([9]) * 32), proposed_at=CLOSED_AT + 1)

    (step,) = planned(voted(CLOSED_AT + 30, CHOSEN, rival)).steps
    neither = planned(voted(CLOSED_AT + 8, CHOSEN, replace(rival, approvals=0)))

    assert step.candidate.value == rival
    assert len(neither.waits) == 2


def test_on_a_protected_branch_a_candidate_of_another_owner_is_proposed_anew():
    old = agreed(1, 2, authority_epoch=2)

    (step,) = planned(voted(CLOSED_AT + 8, old, protected=True)).steps
    (other,) = planned(voted(CLOSED_AT + 8, old)).steps

    assert isinstance(step, Propose)
    assert isinstance(other, Finalize)


def test_nothing_is_proposed_that_nobody_could_agree_to_in_time():
    (late,) = planned(voted(NOW + 66)).steps
    (early,) = planned(voted(NOW + 65)).steps

    assert isinstance(late, AbortRound)
    assert isinstance(early, Propose)


def test_attestations_of_finished_rounds_are_given_back():
    vote = at(object())
    seen = replace(
        view(branch=make_branch(round_live=False)), stale_attestations=(vote,)
    )

    assert steps(seen) == (ExpireAttestation(vote),)
