import hashlib
from types import SimpleNamespace

import pytest
from program_harness.acts import config_create, repo_create
from program_harness.call import CONFIG, find_bump
from program_harness.chain import account_of
from program_harness.protocol import ACCOUNTS
from program_harness.protocol import PARAMS as LAYOUT
from program_harness.refusal import SEEDS
from program_harness.roles import (
    RoleUse,
    check_role_holds,
    check_role_refusal,
    role_refusals,
)
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import ADMINISTER, PARAMS, u32
from program_harness.world import Place, make_place
from solders.pubkey import Pubkey

USE = RoleUse(
    lambda place: place.created().policy_create(), ADMINISTER, for_branch=False
)
YEAR = 31_536_000

# Each field of the table: values at its limits, and beyond them.
WITHIN = [
    *(("bits", 13), ("bits", 16), ("dp_rule", 1), ("contribute", 1)),
    *(("reveal_after_close", 1), ("scale_exp", -40), ("scale_exp", 20)),
    *(("scale_exp", 0), ("weight_cap", 1), ("weight_cap", 2), ("weight_cap", 256)),
    *(("min_updates", 1), ("min_updates", 4), ("max_updates", 2)),
    *(("max_updates", 64), ("n_params", 1), ("n_params", 2**64 - 1)),
    *(("norm_bound_sq", 1), ("norm_bound_sq", 2**128 - 1), ("eta_q24", 1)),
    *(("eta_q24", 2**26), ("round_length_s", 1), ("round_length_s", YEAR)),
    *(("merge_grace_s", 1), ("merge_grace_s", YEAR), ("challenge_s", 0)),
    *(("challenge_s", 604_800), ("deposit_lamports", 0)),
    *(("deposit_lamports", 1_000_000_000), ("recipe_digest", b"\xff" * 32)),
    *(("approvals_needed", 1), ("attestations_needed", 1)),
    ("attestations_needed", 16),
]
NOT_BUILT = [
    *(("mode", 1), ("mode", 2), ("proof_system", 1), ("proof_system", 255)),
]
BEYOND = [
    *(("mode", 3), ("mode", 255), ("dp_rule", 2), ("dp_rule", 255), ("bits", 0)),
    *(("bits", 12), ("bits", 14), ("bits", 15), ("bits", 17), ("bits", 255)),
    *(("contribute", 2), ("contribute", 255), ("reveal_after_close", 2)),
    *(("reveal_after_close", 255), ("scale_exp", -41), ("scale_exp", 21)),
    *(("scale_exp", -32_768), ("scale_exp", 32_767), ("columns", 1)),
    *(("columns", 65_535), ("strategy", 0), ("strategy", 14), ("strategy", 65_535)),
    *(("approvals_needed", 2), ("approvals_needed", 255)),
    *(("attestations_needed", 17), ("attestations_needed", 255)),
    *(("weight_cap", 0), ("weight_cap", 3), ("weight_cap", 255)),
    *(("weight_cap", 257), ("weight_cap", 512), ("weight_cap", 32_768)),
    *(("min_updates", 0), ("min_updates", 5), ("max_updates", 0)),
    *(("max_updates", 1), ("max_updates", 65), ("max_updates", 65_535)),
    *(("n_params", 0), ("norm_bound_sq", 0), ("eta_q24", 0)),
    *(("eta_q24", 2**26 + 1), ("eta_q24", 2**32 - 1), ("round_length_s", 0)),
    *(("round_length_s", YEAR + 1), ("round_length_s", 2**32 - 1)),
    *(("merge_grace_s", 0), ("merge_grace_s", YEAR + 1)),
    *(("merge_grace_s", 2**32 - 1), ("challenge_s", 604_801)),
    *(("challenge_s", 2**32 - 1), ("deposit_lamports", 1_000_000_001)),
    *(("deposit_lamports", 2**64 - 1), ("strategy_params", bytes(63) + b"\1")),
    *(("strategy_params", b"\1" + bytes(63)),),
    *(("verifying_key", Pubkey.from_bytes(bytes(31) + b"\1")),),
    *(("verifying_key", Pubkey.from_bytes(b"\1" + bytes(31))),),
]


def make_repo(**changes) -> Place:
    place = make_place(**changes)
    place.chain.send(config_create(place.chain), repo_create(place.chain))
    return place


def scene(place: Place):
    chain = place.chain
    if not chain.exists(CONFIG):
        chain.send(config_create(chain))
    if not chain.exists(place.repo):
        chain.send(repo_create(chain, place.name))
    return place.policy_create()


@refusals(
    "policy_create",
    scene,
    Rules(
        errors={
            # The index has moved on, so the old address is no longer the next.
            "existing-policy": SEEDS,
            # The policy's address hangs on the repository's.
            "foreign-repo": SEEDS,
        },
    ),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@role_refusals(USE)
def test_refuses_a_role_that_does_not_hold(spoil, error):
    check_role_refusal(USE, spoil, error, make_place())


@pytest.mark.parametrize(("name", "value"), NOT_BUILT)
def test_refuses_modes_that_are_not_built(name: str, value: int):
    place = make_repo()

    place.chain.expect_refusal(place.policy_create(**{name: value}), "ModeNotBuilt")


@pytest.mark.parametrize(("name", "value"), BEYOND)
def test_refuses_values_beyond_the_limits(name: str, value):
    place = make_repo()

    place.chain.expect_refusal(place.policy_create(**{name: value}), "PolicyOutOfRange")


@pytest.mark.parametrize("at", [0, 40, 73])
def test_refuses_reserved_bytes_that_are_not_zero(at: int):
    place = make_repo()
    reserved = bytearray(74)
    reserved[at] = 1

    place.chain.expect_refusal(
        place.policy_create(reserved=bytes(reserved)), "ReservedNotZero"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_epochs", 1), ("max_epochs", 2**16 - 1), ("max_batch_size", 2**32 - 1)],
)
def test_takes_any_limit_of_training(name: str, value: int):
    place = make_repo()
    call = place.policy_create(**{name: value})

    place.chain.send(call)

    params = place.chain.read(call.accounts["policy"]).params
    assert getattr(params, name) == value


def test_refuses_an_index_that_is_not_the_next():
    place = make_repo()
    call = place.policy_create().with_accounts(policy=place.find_policy(1))

    place.chain.expect_refusal(call, SEEDS)


def test_refuses_when_the_indices_are_at_their_end():
    place = make_repo()
    place.chain.edit(place.repo, policy_count=2**32 - 1)

    place.chain.expect_refusal(place.policy_create(), "Overflow")


def test_refuses_when_the_count_of_events_is_at_its_end():
    place = make_repo()
    place.chain.edit(place.repo, event_seq=2**64 - 1)

    place.chain.expect_refusal(place.policy_create(), "Overflow")


def test_refuses_while_paused():
    place = make_repo()
    place.chain.edit(CONFIG, pause_bits=2)

    place.chain.expect_refusal(place.policy_create(), "Paused")


@pytest.mark.parametrize(("name", "value"), WITHIN)
def test_accepts_values_at_the_limits(name: str, value):
    place = make_repo()

    place.chain.send(place.policy_create(**{name: value}))

    params = place.chain.read(place.policy).params
    assert getattr(params, name) == value


def test_makes_policies_with_consecutive_indices():
    place = make_repo()
    chain = place.chain
    chain.edit(CONFIG, pause_bits=63 & ~2)
    before = chain.lamports(place.payer.pubkey())

    events = [
        chain.act(place.policy_create(eta_q24=eta), place.repo, place.owner)
        for eta in (1, 2)
    ]

    rent = chain.rent(ACCOUNTS["Policy"].size + 8)
    assert before - chain.lamports(place.payer.pubkey()) == 2 * rent
    assert chain.read(place.repo).policy_count == 2
    for index, event in enumerate(events):
        address = place.find_policy(index)
        params = {**PARAMS, "eta_q24": index + 1}
        assert chain.lamports(address) == rent
        assert chain.read(address) == account_of(
            "Policy",
            bump=find_bump(b"policy", place.repo, u32(index)),
            index=index,
            repo=place.repo,
            params=params,
            created_at=chain.now,
        )
        assert event == (
            "PolicyCreated",
            {
                "policy": address,
                "index": index,
                "digest": hashlib.sha256(chain.data(address)).digest(),
                "params": LAYOUT.decode(LAYOUT.encode(params)),
            },
        )


def test_lets_an_administrator_of_the_repository_act():
    check_role_holds(USE, make_place(), of_branch=False)


def test_a_role_beside_the_authority_does_not_matter():
    place = make_repo()
    call = place.with_role(place.policy_create(), "helper", ADMINISTER)
    place.chain.edit(call.accounts["role"], expires_at=1)

    place.chain.send(call.signed_by(actor=place.owner))

    assert isinstance(place.chain.read(place.policy), SimpleNamespace)
