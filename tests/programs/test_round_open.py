import pytest
from program_harness.call import CONFIG, find_bump, wallet
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import SEEDS
from program_harness.tampering import Case, Rules, Scene, check, refusals, twin_call
from program_harness.values import OPEN, SNAPSHOT, digest, u64
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.rooted().round_open()


@refusals(
    "round_open",
    scene,
    Rules(
        errors={
            "existing-round": "RoundInProgress",
            # The round's address hangs on the branch's.
            "foreign-branch": SEEDS,
            "foreign-policy": "AccountMismatch",
        }
    ),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_a_branch_without_root():
    place = make_place().created()

    place.chain.expect_refusal(place.round_open(), "HeadUnset")


def test_refuses_a_second_live_round():
    place = make_place().opened()
    call = place.round_open().with_accounts(round=place.find_round(2))

    place.chain.expect_refusal(call, "RoundInProgress")


@pytest.mark.parametrize("index", [0, 2, 2**64 - 1])
def test_refuses_an_index_that_is_not_the_branchs(index: int):
    place = make_place().rooted()
    call = place.round_open().with_accounts(round=place.find_round(index))

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_another_policy_of_the_repository():
    place = make_place().rooted()
    place.chain.send(place.policy_create())
    call = place.round_open().with_accounts(policy=place.find_policy(1))

    place.chain.expect_refusal(call, "PolicyMismatch")


def test_refuses_the_old_policy_after_the_branch_has_a_new_one():
    place = make_place().rooted()
    place.chain.send(place.policy_create(), place.branch_set_policy(1))

    place.chain.expect_refusal(place.round_open(), "PolicyMismatch")


def test_refuses_a_branch_of_another_repository_with_its_own_round():
    place = make_place()
    call = scene(place)
    other = twin_call(place, scene).accounts

    place.chain.expect_refusal(
        call.with_accounts(branch=other["branch"], round=other["round"]),
        "AccountMismatch",
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=4)

    place.chain.expect_refusal(call, "Paused")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_a_deadline_beyond_the_end_of_time():
    place = make_place()
    call = scene(place)
    place.chain.set_now(2**63 - 1)

    place.chain.expect_refusal(call, "Overflow")


@pytest.mark.parametrize("first_round", [0, 1])
def test_opens_a_round_on_the_head_with_the_branchs_policy(first_round: int):
    place = make_place()
    chain = place.chain
    place.rooted()
    chain.edit(place.branch, round_index=first_round)
    chain.send(place.policy_create(round_length_s=77), place.branch_set_policy(1))
    place.policy_index = 1
    chain.edit(CONFIG, pause_bits=63 & ~4)
    payer = chain.party("round payer")
    before, branch = chain.lamports(payer.pubkey()), chain.read(place.branch)

    event = chain.act(place.round_open(), place.repo, payer)

    values = {
        "policy_index": 1,
        "round_index": first_round,
        "base_commit": digest("root"),
        "base_seq": 1,
        "deadline": chain.now + 77,
    }
    assert event == ("RoundOpened", {"branch": place.branch, **values})
    assert place.round_state() == account_of(
        "Round",
        bump=find_bump(b"round", place.branch, u64(first_round)),
        state=OPEN,
        repo=place.repo,
        branch=place.branch,
        policy=place.policy,
        opened_at=chain.now,
        payer=payer.pubkey(),
        **values,
    )
    branch.round_live = 1
    assert chain.read(place.branch) == branch
    rent = chain.rent(ACCOUNTS["Round"].size + 8)
    assert chain.lamports(place.round) == rent
    assert before - chain.lamports(payer.pubkey()) == rent


def test_anyone_may_open_and_pays_the_rent():
    place = make_place().rooted()
    call = place.round_open().signed_by(payer=place.anyone)

    place.chain.send(call)

    assert place.round_state().payer == wallet("anyone").pubkey()


def test_opens_where_somebody_sent_lamports_before():
    place = make_place().rooted()
    place.chain.svm.airdrop(place.round, 5_000_000_000)

    place.chain.send(place.round_open())

    assert place.round_state().state == OPEN


def test_opens_the_next_index_after_a_move_ended_the_round():
    place = make_place().opened()
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))

    place.chain.send(place.round_open())

    state = place.round_state()
    assert (state.round_index, state.base_commit) == (2, digest("next"))


def test_opens_beside_an_unfinished_round_that_the_head_left_behind():
    place = make_place().closed()
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))

    place.chain.send(place.round_open())

    assert place.round_state(2).state == OPEN
    assert place.chain.exists(place.find_round(1))
