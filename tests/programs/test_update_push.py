import pytest
from program_harness.call import CONFIG, wallet
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import IN_USE, MUT, POOR, SEEDS, SPACE
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import (
    Case,
    Rules,
    Scene,
    cases_of,
    check,
    refusals,
    sibling_call,
    twin_call,
)
from program_harness.values import (
    ABORTED,
    CLOSED,
    CONTRIBUTE,
    DEPOSIT,
    MERGED,
    SNAPSHOT,
    ZERO,
    digest,
)
from program_harness.world import Place, make_place


def scene(place: Place):
    return place.opened().update_push("a")


def second(place: Place):
    """A push in a later round, so that the contribution exists."""
    place.opened(["a"])
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    return place.opened().update_push("a")


def invited(place: Place):
    place.params["contribute"] = 1
    return place.opened().update_push("owner")


def fresh_invited(place: Place):
    place.params["contribute"] = 1
    return place.opened().update_push("helper")


USE = RoleUse(
    fresh_invited,
    CONTRIBUTE,
    signer="signer",
    # Whoever signs for another needs a delegation: test_update_push_delegated.py.
    skip=["somebody-else"],
)


@refusals(
    "update_push",
    scene,
    Rules(
        # The update's address hangs on the round's, the contribution's on the
        # repository's.
        errors={"sibling-round": SEEDS, "foreign-round": SEEDS}
        | {"foreign-repo": SEEDS},
        skip={
            f"{what}-contribution": "it does not exist yet"
            for what in ("owner", "discriminator", "truncated", "absent", "bump")
        }
        | {
            str(case): "test_update_push_delegated.py"
            for case in cases_of("update_push", "delegation")
        }
        | {"copied-contribution": "below", "foreign-contribution": "below"},
    ),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@refusals(
    "update_push",
    second,
    Rules(
        errors={
            "foreign-contribution": SEEDS,
            "read-only-contribution": MUT,
            "truncated-contribution": SPACE,
        },
        skip={"absent-contribution": "it is made at the first push"},
        only="contribution",
    ),
)
def test_refuses_wrong_accounts_at_a_later_push(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold_where_one_is_needed(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


def test_refuses_somebody_elses_role():
    place = make_place()
    call = invited(place)
    place.chain.send(place.role_grant("helper", CONTRIBUTE))
    role = place.find_role(wallet("helper").pubkey())

    place.chain.expect_refusal(
        place.update_push("thief").with_accounts(role=role), "RoleMissing"
    )
    place.chain.send(call)


def test_refuses_an_update_in_the_name_of_another():
    place = make_place()
    call = scene(place).signed_by(signer=place.chain.party("b"))

    place.chain.expect_refusal(call, "DelegationMissing")


def test_refuses_the_update_of_another():
    place = make_place()
    b = place.chain.party("b")
    call = scene(place).signed_by(signer=b).with_accounts(contributor=b.pubkey())

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_the_contribution_of_another():
    place = make_place()
    call = scene(place)
    place.chain.send(place.update_push("b"))

    place.chain.expect_refusal(
        call.with_accounts(contribution=place.find_contribution("b")),
        SEEDS,
    )


def test_refuses_a_second_update_in_the_same_round():
    place = make_place().opened(["a"])

    place.chain.expect_refusal(place.update_push("a", commit="another"), IN_USE)


def test_refuses_a_second_update_after_a_rejection():
    place = make_place().opened(["a"])
    place.chain.send(place.update_reject("a"))

    place.chain.expect_refusal(place.update_push("a", commit="another"), IN_USE)


@pytest.mark.parametrize("wait", [3600, 3601, 1_000_000])
def test_refuses_at_and_after_the_deadline(wait: int):
    place = make_place().opened()
    place.chain.wait(wait)

    place.chain.expect_refusal(place.update_push("a"), "RoundClosed")


@pytest.mark.parametrize("state", [CLOSED, MERGED, ABORTED])
def test_refuses_a_round_that_is_not_open(state: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, state=state)

    place.chain.expect_refusal(call, "RoundClosed")


def test_refuses_a_closed_round_before_its_deadline():
    place = make_place().opened(["a", "b", "c", "d"])
    place.chain.send(place.round_close())

    place.chain.expect_refusal(place.update_push("e"), "RoundClosed")


def test_refuses_a_round_that_the_head_left_behind():
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))

    place.chain.expect_refusal(call, "RoundNotLive")


def test_refuses_an_old_round_while_a_new_one_is_live():
    place = make_place()
    call = scene(place)
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    place.chain.send(place.round_open())

    place.chain.expect_refusal(call, "RoundNotLive")


def test_refuses_more_than_the_maximum():
    place = make_place().opened(["a", "b", "c", "d"])

    place.chain.expect_refusal(place.update_push("e"), "RoundFull")


@pytest.mark.parametrize("base", [ZERO, digest("another")])
def test_refuses_an_update_for_another_base(base: bytes):
    place = make_place()
    call = scene(place).with_arguments(expected_base=base)

    place.chain.expect_refusal(call, "StaleBase")


@pytest.mark.parametrize("name", ["commit_id", "payload_digest"])
def test_refuses_a_commit_or_payload_that_is_zero(name: str):
    place = make_place()
    call = scene(place).with_arguments(**{name: ZERO})

    place.chain.expect_refusal(call, "CommitInvalid")


def test_refuses_a_statement_where_no_proof_is_asked_for():
    place = make_place()
    call = scene(place).with_arguments(statement_digest=digest("statement"))

    place.chain.expect_refusal(call, "StatementUnexpected")


@pytest.mark.parametrize("weight", [0, 3, 63, 65, 128, 256, 32_768, 65_535])
def test_refuses_a_weight_that_is_no_power_of_two_within_the_cap(weight: int):
    place = make_place()
    call = scene(place).with_arguments(weight=weight)

    place.chain.expect_refusal(call, "WeightInvalid")


def test_refuses_another_policy_of_the_repository():
    place = make_place()
    call = scene(place)
    place.chain.send(place.policy_create(weight_cap=256))

    place.chain.expect_refusal(
        call.with_accounts(policy=place.find_policy(1)), "PolicyMismatch"
    )


def test_refuses_another_repository_with_its_own_contribution():
    place = make_place()
    call = scene(place)
    other = twin_call(place, scene).accounts

    place.chain.expect_refusal(
        call.with_accounts(repo=other["repo"], contribution=other["contribution"]),
        "AccountMismatch",
    )


def test_refuses_a_round_of_another_branch_with_its_own_update():
    place = make_place()
    call = scene(place)
    other = sibling_call(place, scene).accounts

    place.chain.expect_refusal(
        call.with_accounts(round=other["round"], update=other["update"]),
        "AccountMismatch",
    )


def test_refuses_while_paused():
    place = make_place()
    call = scene(place)
    place.chain.edit(CONFIG, pause_bits=8)

    place.chain.expect_refusal(call, "Paused")


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_live", 2**16 - 1), ("weight_sum", 2**32 - 1)],
)
def test_refuses_when_a_count_of_the_round_is_at_its_end(name: str, value: int):
    place = make_place()
    call = scene(place)
    place.chain.edit(place.round, **{name: value})

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_place()
    call = scene(place)
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_when_the_contributors_count_is_at_its_end():
    place = make_place()
    call = second(place)
    place.chain.edit(place.find_contribution("a"), updates=2**64 - 1)

    place.chain.expect_refusal(call, "Overflow")


def test_refuses_a_payer_who_cannot_pay_the_deposit():
    place = make_place()
    call = scene(place)
    rents = sum(
        place.chain.rent(ACCOUNTS[n].size + 8) for n in ("Update", "Contribution")
    )
    # Enough for the rents, not for the deposit.
    place.chain.put(place.payer.pubkey(), lamports=rents + DEPOSIT - 1)

    place.chain.expect_refusal(call, POOR)


def test_counts_a_later_push_in_the_same_contribution():
    place = make_place()
    call = second(place)
    before = place.chain.read(place.find_contribution("a"))

    place.chain.send(call)

    before.updates = 2
    assert place.chain.read(place.find_contribution("a")) == before


@pytest.mark.parametrize("of_branch", [False, True])
def test_lets_the_invited_push(of_branch: bool):
    check_role_holds(USE, make_place(), of_branch=of_branch)


def test_the_authority_needs_no_invitation():
    place = make_place()

    place.chain.send(invited(place))

    update = place.chain.read(place.find_update("owner"))
    assert update.contributor == place.owner.pubkey()
    assert place.chain.read(place.find_round(1)).n_accepted == 1
