import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.chain.accounts import PolicyAccount, PolicyParams
from flair_client.errors import TooFewUpdates, UsageError
from flair_client.ids import Address, Digest
from flair_client.porcelain.policy import (
    policy_like,
    policy_params,
    policy_table,
    show_policy,
)
from flair_client.strategies import STRATEGIES

ZERO = Address(bytes(32))


def account(params: PolicyParams) -> PolicyAccount:
    return PolicyAccount(
        bump=255,
        index=0,
        repo=ZERO,
        params=params,
        created_at=0,
        digest=Digest(bytes(32)),
    )


def test_defaults_worked_out_by_hand():
    params = policy_params({}, n_params=121)

    assert params.scale_exp == -13
    # √121 = 11 in units of 2^-13: (11·8192)² .
    assert params.norm_bound_sq == 8_120_172_544
    assert params.eta_q24 == 16_777_216
    assert params.round_length_s == params.merge_grace_s == 86_400
    assert params.challenge_s == 0
    assert (params.min_updates, params.max_updates) == (2, 64)
    assert params.contribute == 1
    assert params.dp_rule == 0
    assert params.bits == 16
    assert params.weight_cap == 256
    assert params.strategy == 1
    assert (params.max_epochs, params.max_batch_size) == (0, 0)


def test_a_table_worked_out_by_hand():
    table = {
        "scale_exp": -2,
        "norm_bound": 1.3,
        "eta": 0.1,
        "round_length": "12h",
        "merge_grace": 90,
        "challenge": "1m",
        "approvals": 1,
        "attestations": 2,
        "contribute": "open",
        "dp": "required",
        "min_updates": 3,
        "max_epochs": 5,
        "max_batch_size": 128,
    }

    params = policy_params(table, n_params=5)

    # 1.3·4 = 5.2, squared 27.04.
    assert params.norm_bound_sq == 27
    # 0.1·2²⁴ = 1677721.6.
    assert params.eta_q24 == 1_677_722
    assert params.round_length_s == 43_200
    assert params.merge_grace_s == 90
    assert params.challenge_s == 60
    assert (params.approvals_needed, params.attestations_needed) == (1, 2)
    assert params.contribute == 0
    assert params.dp_rule == 1
    assert params.min_updates == 3
    assert (params.max_epochs, params.max_batch_size) == (5, 128)


def test_flags_win_over_the_table_and_none_is_no_flag():
    params = policy_params(
        {"min_updates": 3, "max_updates": 9},
        {"min_updates": 4, "max_updates": None},
        n_params=1,
    )

    assert (params.min_updates, params.max_updates) == (4, 9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nonsense", 1),
        ("min_updates", 0),
        ("min_updates", 65),
        ("min_updates", True),
        ("min_updates", "3"),
        ("bits", 12),
        ("scale_exp", 21),
        ("scale_exp", 1.0),
        ("norm_bound", 0),
        ("norm_bound", float("nan")),
        ("norm_bound", float("inf")),
        ("norm_bound", 1e-30),
        ("norm_bound", 1e30),
        ("norm_bound", "1"),
        ("eta", -1.0),
        ("round_length", "1y"),
        ("round_length", -1),
        ("round_length", True),
        ("contribute", "everybody"),
        ("dp", None),
        ("reveal_after_close", 1),
        ("deposit_lamports", 10**9 + 1),
        ("approvals", 2),
        ("approvals", True),
        ("attestations", 17),
        ("attestations", -1),
    ],
)
def test_a_field_that_cannot_be_is_named(field, value):
    with pytest.raises(UsageError, match=f"policy.{field}"):
        policy_params({field: value}, n_params=1)


@given(
    st.integers(-40, 20), st.integers(1, 2**127), st.integers(1, 2**26), st.booleans()
)
def test_a_policy_like_another_is_the_same_to_the_last_unit(scale, norm, eta, invited):
    params = replace(
        policy_params({"contribute": "invited" if invited else "open"}, n_params=7),
        scale_exp=scale,
        norm_bound_sq=norm,
        eta_q24=eta,
    )
    older = show_policy(account(params), ZERO)

    assert policy_like(older, {}) == params
    changed = policy_like(older, {"min_updates": 5}, n_params=8)
    assert changed == replace(params, min_updates=5, n_params=8)


def test_a_policy_like_another_with_its_own_norm_takes_that():
    older = show_policy(account(policy_params({}, n_params=7)), ZERO)

    assert policy_like(older, {"norm_bound": 2.0}).norm_bound_sq == (2 * 8192) ** 2


def test_a_policy_is_shown_in_units_of_the_weights():
    shown = show_policy(
        account(policy_params({"norm_bound": 3.0, "eta": 0.5}, n_params=7)), ZERO
    )

    assert shown.norm_bound == 3.0
    assert shown.eta == 0.5
    assert shown.contribute == "invited"
    assert shown.dp == "none"


def test_a_strategy_and_its_parameters_worked_out_by_hand():
    table = {"strategy": "multi_krum", "min_updates": 7}

    params = policy_params({**table, "strategy_params": {"f": 2, "m": 3}}, n_params=1)

    assert params.strategy == 10
    assert params.strategy_params == bytes([2, *[0] * 7, 3, *[0] * 55])


def test_real_parameters_count_units_of_two_to_the_minus_48():
    table = {"strategy": "fedadagrad", "strategy_params": {"tau": 0.5}}

    params = policy_params(table, n_params=1)

    assert params.strategy_params == bytes(8) + (2**47).to_bytes(8, "little") + bytes(
        48
    )


def test_without_a_strategy_nothing_is_set():
    assert policy_params({}, n_params=1).strategy_params == bytes(64)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"strategy": "bulyan"}, "strategy is one of: fedavg, fedprox, fedavgm"),
        ({"strategy": 7}, "strategy is one of"),
        ({"strategy": ["krum"]}, "strategy is one of"),
        ({"strategy_params": {"f": 1}}, "'fedavg' has no parameter 'f'; it has: none"),
        (
            {"strategy": "fedadam", "strategy_params": {"beta": 0.9}},
            "'fedadam' has no parameter 'beta'; it has: beta_1, beta_2, tau",
        ),
        ({"strategy": "fedadam", "strategy_params": [1]}, "strategy_params is a table"),
        (
            {"strategy": "norm_clipping"},
            "'norm' of strategy 'norm_clipping' is missing",
        ),
        *(
            (
                {"strategy": "fedadam", "strategy_params": {"tau": tau}},
                "'tau' of strategy 'fedadam' is a number from",
            )
            for tau in (0, -1.0, 17, float("nan"), float("inf"), "1", True)
        ),
        *(
            (
                {"strategy": "fedavgm", "strategy_params": {"momentum": momentum}},
                "'momentum' of strategy 'fedavgm' is a number",
            )
            for momentum in (-0.1, 1.0)
        ),
        *(
            (
                {"strategy": "median", "strategy_params": {"f": f}},
                "'f' of strategy 'median' is a whole number from 0 to 32",
            )
            for f in (-1, 33, 1.0, True)
        ),
    ],
)
def test_a_strategy_that_cannot_be_is_named(table, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        policy_params(table, n_params=1)


@pytest.mark.parametrize(
    ("strategy", "params", "n_needed", "bound"),
    [
        ("median", {"f": 2}, 5, "2f + 1 for f = 2"),
        ("trimmed_mean", {"f": 2}, 5, "2f + 1 for f = 2"),
        ("geometric_median", {"f": 2}, 5, "2f + 1 for f = 2"),
        ("norm_clipping", {"f": 2, "norm": 1}, 5, "2f + 1 for f = 2"),
        ("krum", {"f": 2}, 7, "2f + 3 for f = 2"),
        ("multi_krum", {"f": 2}, 7, "2f + 3 for f = 2"),
        ("multi_krum", {"f": 2, "m": 4}, 8, "m + f + 2 for f = 2 and m = 4"),
    ],
)
def test_half_of_the_updates_may_not_be_hostile(strategy, params, n_needed, bound):
    table = {"strategy": strategy, "strategy_params": params}

    with pytest.raises(TooFewUpdates, match=re.escape(bound)) as caught:
        policy_params({**table, "min_updates": n_needed - 1}, n_params=1)
    assert caught.value.n_needed == n_needed
    policy_params({**table, "min_updates": n_needed}, n_params=1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_policy_like_another_has_its_strategy(name):
    needed = {"norm_clipping": {"norm": 0.1}, "scaffold": {"rate": 0.1}}
    given = needed.get(name, {})
    table = {"strategy": name, "strategy_params": given, "min_updates": 9}
    older = show_policy(account(policy_params(table, n_params=1)), ZERO)

    same = policy_like(older, {"max_updates": 20})
    read_again = policy_params(policy_table(older), n_params=1)

    assert older.strategy == name
    assert same.strategy == older.params.strategy
    assert same.strategy_params == older.params.strategy_params
    assert read_again.strategy_params == older.params.strategy_params


def test_one_parameter_can_be_changed():
    table = {"strategy": "multi_krum", "strategy_params": {"f": 2, "m": 3}}
    older = show_policy(
        account(policy_params({**table, "min_updates": 9}, n_params=1)), ZERO
    )

    fewer = policy_like(older, {"strategy_params": {"m": 1}})
    other = policy_like(older, {"strategy": "median"})

    assert show_policy(account(fewer), ZERO).strategy_params == {"f": 2, "m": 1}
    assert show_policy(account(other), ZERO).strategy_params == {"f": 1}


def test_a_strategy_of_a_newer_flair_is_shown_by_its_number():
    params = replace(policy_params({}, n_params=1), strategy=99)

    assert show_policy(account(params), ZERO).strategy == "unknown (99)"
