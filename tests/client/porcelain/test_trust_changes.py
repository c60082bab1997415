"""What `flair trust` calls weaker between two policies."""

from dataclasses import replace

import pytest

from flair_client.ids import Digest
from flair_client.porcelain.trust import policy_changes
from flair_client.strategies import get_strategy
from flair_client.strategies.parameters import from_numbers, pack
from flair_client.testing import make_policy

OLD = replace(
    make_policy().params,
    dp_rule=1,
    bits=13,
    contribute=1,
    reveal_after_close=1,
    min_updates=3,
    max_updates=9,
    challenge_s=60,
    approvals_needed=1,
    attestations_needed=2,
    deposit_lamports=10,
    recipe_digest=Digest(bytes([1]) * 32),
    max_epochs=4,
    max_batch_size=64,
)
WEAKER = {
    "dp_rule": 0,
    "bits": 16,
    "contribute": 0,
    "reveal_after_close": 0,
    "min_updates": 2,
    "norm_bound_sq": OLD.norm_bound_sq * 2,
    "challenge_s": 0,
    "approvals_needed": 0,
    "attestations_needed": 1,
    "deposit_lamports": 11,
    "recipe_digest": Digest(bytes(32)),
    "max_epochs": 5,
}
# As strict, stricter, or of no weight for whoever contributes.
NOT_WEAKER = {
    "min_updates": 4,
    "max_updates": 8,
    "norm_bound_sq": OLD.norm_bound_sq // 2,
    "challenge_s": 61,
    "attestations_needed": 3,
    "deposit_lamports": 9,
    "recipe_digest": Digest(bytes([2]) * 32),
    "max_epochs": 3,
    "max_batch_size": 32,
    "weight_cap": OLD.weight_cap // 2,
    "eta_q24": OLD.eta_q24 + 1,
}


@pytest.mark.parametrize("name", WEAKER)
def test_what_protects_less_is_called_weaker(name):
    (change,) = policy_changes(OLD, replace(OLD, **{name: WEAKER[name]}))

    assert (change.field, change.weaker) == (f"policy.{name}", True)


@pytest.mark.parametrize("name", NOT_WEAKER)
def test_what_protects_as_much_is_not(name):
    (change,) = policy_changes(OLD, replace(OLD, **{name: NOT_WEAKER[name]}))

    assert (change.field, change.weaker) == (f"policy.{name}", False)


def test_no_limit_of_epochs_is_weaker_than_any():
    (change,) = policy_changes(OLD, replace(OLD, max_epochs=0))

    assert change.weaker


def test_a_coarser_unit_with_the_same_bound_in_integers_is_longer():
    (change,) = policy_changes(OLD, replace(OLD, scale_exp=OLD.scale_exp + 1))

    assert (change.field, change.weaker) == ("policy.scale_exp", True)


def test_a_coarser_unit_with_the_same_bound_in_weights_is_not():
    coarser = replace(
        OLD, scale_exp=OLD.scale_exp + 1, norm_bound_sq=OLD.norm_bound_sq // 4
    )

    assert not any(one.weaker for one in policy_changes(OLD, coarser))


def test_withstanding_fewer_hostile_updates_is_weaker():
    params = from_numbers("median", get_strategy("median").parameters, {"f": 2})
    robust = replace(
        OLD,
        strategy=get_strategy("median").number,
        strategy_params=pack(get_strategy("median").parameters, params),
    )

    (back,) = policy_changes(robust, OLD)
    (there,) = policy_changes(OLD, robust)

    assert (back.field, back.old, back.new, back.weaker) == (
        "policy.strategy",
        "median f=2",
        "fedavg",
        True,
    )
    assert not there.weaker


def test_nothing_differs_from_itself():
    assert policy_changes(OLD, OLD) == []
