import pytest

from flair_client.chain.accounts import RoundState
from flair_client.chain.pdas import find_policy_pda, find_round_pda
from flair_client.errors import AccountMissing
from flair_client.ids import CommitId
from flair_client.porcelain.round import (
    may_close,
    round_abort,
    round_close,
    round_expire,
    round_list,
    round_open,
    round_show,
)
from flair_client.testing import (
    ADDRESS,
    ADMIN,
    ALICE,
    BOB,
    MAIN,
    NOW,
    OWNER,
    REPO,
    make_branch,
    make_candidate,
    make_policy,
    make_round,
    make_update,
)


def test_show_gives_the_live_round_and_its_updates_in_order(chain, as_):
    chain.round_accounts.append(make_round(1, n_live=2, n_accepted=2))
    chain.update_accounts += [make_update(ALICE, 2), make_update(BOB, 8)]

    shown = round_show(as_(), ADDRESS, "main")

    assert shown.round.live
    assert shown.round.closed_at is None
    assert shown.round.abort_after is None
    assert [item.contributor for item in shown.updates] == [BOB.address, ALICE.address]
    assert (shown.round.min_updates, shown.round.max_updates) == (2, 4)


def test_show_tells_when_a_closed_round_may_be_aborted(chain, as_):
    chain.round_accounts.append(make_round(1, state=RoundState.CLOSED, closed_at=NOW))

    # Challenge 7 s and grace 9 s.
    assert round_show(as_(), ADDRESS, "main").round.abort_after == NOW + 16


def test_show_falls_back_to_the_last_round_between_rounds(chain, as_):
    chain.branch_accounts = [make_branch(round_index=2, round_live=False)]
    chain.round_accounts.append(make_round(1, state=RoundState.MERGED))

    shown = round_show(as_(), ADDRESS, "main").round

    assert shown.round_index == 1
    assert not shown.live


@pytest.mark.parametrize("index", [None, 0, 5])
def test_a_round_that_is_not_there_is_named(as_, index):
    with pytest.raises(AccountMissing, match=r"round [0-9]+ of branch 'main'"):
        round_show(as_(), ADDRESS, "main", index)


def test_a_live_round_that_cannot_be_found_is_not_replaced_by_an_older(chain, as_):
    chain.round_accounts.append(make_round(0, state=RoundState.ABORTED))

    with pytest.raises(AccountMissing):
        round_show(as_(), ADDRESS, "main")


def test_the_list_looks_back_and_says_which_is_next(chain, as_):
    chain.round_accounts += [make_round(index) for index in (0, 2, 3)]
    chain.branch_accounts = [make_branch(round_index=3)]

    listed = round_list(as_(), ADDRESS, "main", limit=2)

    assert [item.round_index for item in listed.rounds] == [3, 2]
    assert [item.live for item in listed.rounds] == [True, False]
    assert listed.next_round_index == 4
    everything = round_list(as_(), ADDRESS, "main").rounds
    assert [item.round_index for item in everything] == [3, 2, 0]


def test_open_names_the_branchs_policy_and_next_round(chain, as_):
    chain.policy_accounts.append(make_policy(1))
    chain.branch_accounts = [
        make_branch(round_index=4, round_live=False, policy_index=1)
    ]
    chain.round_accounts.append(make_round(4, deadline=NOW + 55))

    moved = round_open(as_(ALICE), ADDRESS, "main")

    assert moved.round_index == 4
    assert moved.deadline == NOW + 55
    assert chain.sent_account("policy") == find_policy_pda(REPO, 1)[0]
    assert chain.sent_account("round") == find_round_pda(MAIN, 4)[0]
    assert chain.sent_account("payer") == ALICE.address


def test_close_names_the_rounds_own_policy(chain, as_):
    chain.policy_accounts.append(make_policy(1))
    chain.branch_accounts = [make_branch(policy_index=1)]
    chain.round_accounts.append(make_round(1, n_accepted=3))

    moved = round_close(as_(ALICE), ADDRESS, "main")

    assert moved.state is RoundState.CLOSED
    assert moved.n_accepted == 3
    assert chain.sent_account("policy") == find_policy_pda(REPO, 0)[0]


def test_abort_gives_the_rent_back_to_whoever_opened(chain, as_):
    chain.round_accounts.append(make_round(1, payer=BOB.address))

    moved = round_abort(as_(ALICE), ADDRESS, "main")

    assert moved.state is RoundState.ABORTED
    assert chain.sent_account("round_payer") == BOB.address


@pytest.mark.parametrize(
    ("state", "instruction"),
    [
        (RoundState.MERGED, "update_settle"),
        (RoundState.ABORTED, "update_expire"),
        (RoundState.OPEN, "update_expire"),
    ],
)
def test_expire_closes_candidates_and_every_update(chain, as_, state, instruction):
    chain.branch_accounts = [make_branch(round_index=2, round_live=False)]
    chain.round_accounts.append(make_round(1, state=state, payer=BOB.address))
    chain.update_accounts += [make_update(ALICE), make_update(BOB)]
    chain.candidate_accounts.append(make_candidate())

    cleared = round_expire(as_(ALICE), ADDRESS, "main")

    assert [item.name for item in chain.sent] == ["merge_expire", *[instruction] * 2]
    assert chain.sent_account("candidate_payer", 0) == BOB.address
    assert chain.sent_account("rent_payer") == ADMIN.address
    assert chain.sent_account("round_payer") == BOB.address
    assert (cleared.n_updates, cleared.n_candidates) == (2, 1)
    assert len(cleared.tx_signatures) == 3


def test_expire_aborts_an_empty_round_that_was_overtaken(chain, as_):
    chain.branch_accounts = [make_branch(round_index=2, round_live=False)]
    chain.round_accounts.append(make_round(1))

    round_expire(as_(ALICE), ADDRESS, "main")

    assert [item.name for item in chain.sent] == ["round_abort"]


@pytest.mark.parametrize(
    ("n_accepted", "now", "expected"),
    [
        (4, NOW, True),
        (3, NOW, False),
        (2, NOW + 100, True),
        (2, NOW + 99, False),
        (1, NOW + 100, False),
    ],
)
def test_may_close_follows_the_programs_rule(chain, as_, n_accepted, now, expected):
    chain.round_accounts.append(make_round(1, n_accepted=n_accepted))

    assert may_close(round_show(as_(), ADDRESS, "main").round, now) is expected


def test_may_close_is_no_for_a_round_that_is_closed(chain, as_):
    chain.round_accounts.append(
        make_round(1, n_accepted=4, state=RoundState.CLOSED, closed_at=NOW)
    )

    assert not may_close(round_show(as_(), ADDRESS, "main").round, NOW + 100)


def test_may_close_is_no_for_a_round_that_is_over(chain, as_):
    chain.branch_accounts = [make_branch(round_index=2, round_live=False)]
    chain.round_accounts.append(make_round(1, n_accepted=4))

    assert not may_close(round_show(as_(), ADDRESS, "main").round, NOW)


def test_a_merged_round_names_its_merge(chain, as_):
    merge = CommitId(bytes([5]) * 32)
    chain.branch_accounts = [make_branch(round_index=2, round_live=False)]
    chain.round_accounts.append(
        make_round(1, state=RoundState.MERGED, merge_commit=merge)
    )

    assert round_show(as_(OWNER), ADDRESS, "main").round.merge_commit == merge
