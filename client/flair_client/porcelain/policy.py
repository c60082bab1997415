"""Policies: the rules of a round, from a recipe's `[policy]` table and flags."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from flair_client.chain.accounts import PolicyAccount, PolicyParams, Scope
from flair_client.chain.instructions import branch_set_policy, policy_create
from flair_client.chain.pdas import find_policy_pda
from flair_client.context import Context
from flair_client.errors import ObjectInvalid, UsageError
from flair_client.ids import Address, Digest
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress
from flair_client.strategies import STRATEGIES, choice_of
from flair_client.strategies.parameters import from_numbers, pack

_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ETA_ONE: Final = 2**24
_DEFAULTS: Final[Mapping[str, Any]] = {
    "min_updates": 2,
    "max_updates": 64,
    "bits": 16,
    "scale_exp": -13,
    "eta": 1.0,
    "round_length": "1d",
    "merge_grace": "1d",
    "challenge": 0,
    "approvals": 0,
    "attestations": 0,
    "weight_cap": 256,
    "contribute": "invited",
    "dp": "none",
    "deposit_lamports": 0,
    "reveal_after_close": False,
    "max_epochs": 0,
    "max_batch_size": 0,
    "strategy": "fedavg",
    "strategy_params": {},
}
POLICY_FIELDS: Final = (*_DEFAULTS, "norm_bound")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as people see it.

    Attributes:
        digest: of the whole account.
        norm_bound: length that an update may have, in units of the weights.
        eta: server learning rate.
        strategy: how updates are combined.
        strategy_params: its parameters, by name.
        params: the exact integers on chain.
    """

    index: int
    address: Address
    digest: Digest
    created_at: int
    contribute: str
    dp: str
    norm_bound: float
    eta: float
    strategy: str
    strategy_params: Mapping[str, int | float]
    params: PolicyParams


@dataclass(frozen=True, slots=True)
class PolicyList:
    """The policies of a repository, oldest first.

    Attributes:
        used_by: names of the branches whose next round has the policy, by its index.
    """

    repo: RepoAddress
    policies: tuple[Policy, ...]
    used_by: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PolicyCreated:
    """A new policy; no branch uses it yet."""

    repo: RepoAddress
    index: int
    address: Address
    params: PolicyParams
    tx_signature: str


@dataclass(frozen=True, slots=True)
class PolicyUsed:
    """A branch whose next round has another policy."""

    repo: RepoAddress
    branch: str
    index: int
    previous_index: int
    tx_signature: str | None


def policy_params(
    table: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    n_params: int,
) -> PolicyParams:
    """Reads a `[policy]` table, flags before it and defaults behind it.

    The norm bound is in units of the weights: its square in delta units is
    ⌊(norm_bound·2^-scale_exp)²⌋, computed exactly. Without one it is √n_params, which
    means by one unit a value. `eta` is rounded to the nearest 2⁻²⁴, half to even.
    `strategy_params` is a table of the strategy's parameters.

    Args:
        table: from the recipe.
        overrides: from flags; None stands for "not given".
        n_params: number of trainable and averaged values.

    Raises:
        UsageError: an unknown field, or a value that cannot be; names the field.
        TooFewUpdates: the strategy's promise needs more than `min_updates`.
    """
    given = {key: v for key, v in (overrides or {}).items() if v is not None}
    for key in (*table, *given):
        if key not in POLICY_FIELDS:
            raise UsageError(f"policy.{key} is not a known field")
    values = {**_DEFAULTS, **table, **given}
    if "strategy" not in given or given["strategy"] == table.get("strategy"):
        # A parameter that is given takes the place of the table's; others stay.
        values["strategy_params"] = {
            **_params_table(table),
            **_params_table(given),
        }
    else:
        values["strategy_params"] = _params_table(given)
    strategy, packed = _strategy(values)
    scale_exp = _whole(values, "scale_exp", -40, 20)
    return PolicyParams(
        bits=_whole(values, "bits", 13, 16),
        scale_exp=scale_exp,
        contribute=_choice(values, "contribute", ("open", "invited")),
        dp_rule=_choice(values, "dp", ("none", "required")),
        reveal_after_close=int(_flag(values, "reveal_after_close")),
        weight_cap=_whole(values, "weight_cap", 1, 256),
        min_updates=_whole(values, "min_updates", 1, 64),
        max_updates=_whole(values, "max_updates", 1, 64),
        n_params=n_params,
        norm_bound_sq=_norm_bound_sq(values, scale_exp, n_params),
        eta_q24=round(_real(values, "eta") * _ETA_ONE),
        round_length_s=_seconds(values, "round_length"),
        merge_grace_s=_seconds(values, "merge_grace"),
        challenge_s=_seconds(values, "challenge"),
        approvals_needed=_whole(values, "approvals", 0, 1),
        attestations_needed=_whole(values, "attestations", 0, 16),
        deposit_lamports=_whole(values, "deposit_lamports", 0, 10**9),
        max_epochs=_whole(values, "max_epochs", 0, 2**16 - 1),
        max_batch_size=_whole(values, "max_batch_size", 0, 2**32 - 1),
        strategy=strategy,
        strategy_params=packed,
    )


def _params_table(values: Mapping[str, Any]) -> Mapping[str, Any]:
    found = values.get("strategy_params", {})
    if not isinstance(found, Mapping):
        raise UsageError("policy.strategy_params is a table of numbers")
    return found


def _strategy(values: Mapping[str, Any]) -> tuple[int, bytes]:
    """Number and parameters, refused where `min_updates` cannot keep its promise."""
    name = values["strategy"]
    if not isinstance(name, str) or name not in STRATEGIES:
        raise UsageError(f"policy.strategy is one of: {', '.join(STRATEGIES)}")
    strategy = STRATEGIES[name]
    given = values["strategy_params"]
    params = from_numbers(strategy.id, strategy.parameters, given)
    strategy.require(_whole(values, "min_updates", 1, 64), params)
    return strategy.number, pack(strategy.parameters, params)


def policy_like(
    older: Policy, overrides: Mapping[str, Any], *, n_params: int | None = None
) -> PolicyParams:
    """Gives the parameters of an older policy with some fields changed.

    Raises:
        UsageError: an unknown field, or a value that cannot be; names the field.
    """
    params = older.params
    table = policy_table(older)
    count = params.n_params if n_params is None else n_params
    changed = policy_params(table, overrides, n_params=count)
    if not {"norm_bound", "scale_exp"} & overrides.keys():
        # The shown bound is rounded; the integer on chain is what counts.
        changed = replace(changed, norm_bound_sq=params.norm_bound_sq)
    if not {"strategy", "strategy_params"} & overrides.keys():
        changed = replace(changed, strategy_params=params.strategy_params)
    return replace(changed, recipe_digest=params.recipe_digest)


def policy_table(policy: Policy) -> dict[str, Any]:
    """Gives a policy's fields as a recipe's `[policy]` table has them."""
    params = policy.params
    return {
        "bits": params.bits,
        "scale_exp": params.scale_exp,
        "norm_bound": policy.norm_bound,
        "contribute": policy.contribute,
        "dp": policy.dp,
        "eta": policy.eta,
        "weight_cap": params.weight_cap,
        "min_updates": params.min_updates,
        "max_updates": params.max_updates,
        "round_length": params.round_length_s,
        "merge_grace": params.merge_grace_s,
        "challenge": params.challenge_s,
        "approvals": params.approvals_needed,
        "attestations": params.attestations_needed,
        "deposit_lamports": params.deposit_lamports,
        "reveal_after_close": bool(params.reveal_after_close),
        "max_epochs": params.max_epochs,
        "max_batch_size": params.max_batch_size,
        "strategy": policy.strategy,
        "strategy_params": dict(policy.strategy_params),
    }


def _norm_bound_sq(values: Mapping[str, Any], scale_exp: int, n_params: int) -> int:
    if "norm_bound" in values:
        bound = _real(values, "norm_bound")
        square = bound * bound
    else:
        square = Fraction(n_params)
    in_units = math.floor(square / Fraction(2) ** (2 * scale_exp))
    if not 0 < in_units < 2**128:
        raise UsageError("policy.norm_bound is too small or too large for scale_exp")
    return in_units


def _whole(values: Mapping[str, Any], field: str, low: int, high: int) -> int:
    value = values[field]
    if type(value) is not int or not low <= value <= high:
        raise UsageError(f"policy.{field} is a whole number from {low} to {high}")
    return value


def _real(values: Mapping[str, Any], field: str) -> Fraction:
    value = values[field]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"policy.{field} is a number")
    if not math.isfinite(value) or value <= 0:
        raise UsageError(f"policy.{field} is a number above zero")
    return Fraction(value)


def _flag(values: Mapping[str, Any], field: str) -> bool:
    value = values[field]
    if not isinstance(value, bool):
        raise UsageError(f"policy.{field} is true or false")
    return value


def _choice(values: Mapping[str, Any], field: str, words: tuple[str, ...]) -> int:
    value = values[field]
    if value not in words:
        raise UsageError(f"policy.{field} is one of: {', '.join(words)}")
    return words.index(value)


def _seconds(values: Mapping[str, Any], field: str) -> int:
    value = values[field]
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}[smhdw]", value):
        return int(value[:-1]) * _UNIT_SECONDS[value[-1]]
    raise UsageError(f"policy.{field} is seconds, or a duration such as 12h")


def show_policy(account: PolicyAccount, address: Address) -> Policy:
    """Gives a policy's account as people see it."""
    params = account.params
    scale = math.ldexp(1.0, params.scale_exp)
    strategy, strategy_params = _shown_strategy(params)
    return Policy(
        index=account.index,
        address=address,
        digest=account.digest,
        created_at=account.created_at,
        contribute=("open", "invited")[min(params.contribute, 1)],
        dp=("none", "required")[min(params.dp_rule, 1)],
        norm_bound=math.sqrt(params.norm_bound_sq) * scale,
        eta=params.eta_q24 / _ETA_ONE,
        strategy=strategy,
        strategy_params=strategy_params,
        params=params,
    )


def _shown_strategy(params: PolicyParams) -> tuple[str, dict[str, int | float]]:
    """Name and parameters; of one that is not known here only the number."""
    try:
        choice = choice_of(params)
    except ObjectInvalid:
        return f"unknown ({params.strategy})", {}
    values = choice.params
    known = choice.strategy.parameters
    return choice.strategy.id, {one.name: one.shown(values[one.key]) for one in known}


def strategy_text(params: PolicyParams) -> str:
    """A policy's strategy with its parameters, in a line."""
    name, values = _shown_strategy(params)
    return " ".join((name, *(f"{key}={value:.6g}" for key, value in values.items())))


def policy_make(ctx: Context, repo: RepoAddress, params: PolicyParams) -> PolicyCreated:
    """Makes a policy; it never changes.

    Raises:
        ProgramRefused: the wallet may not, or a field is outside its limits.
    """
    target = find_repo(ctx, repo)
    wallet = ctx.wallet.address
    index = target.account.policy_count
    sent = ctx.send(
        [
            policy_create(
                payer=wallet,
                actor=wallet,
                repo=target.address,
                index=index,
                params=params,
                role=target.right(Scope.ADMINISTER),
                program_id=ctx.program_id,
            )
        ]
    )
    address = find_policy_pda(target.address, index, ctx.program_id)[0]
    return PolicyCreated(repo, index, address, params, str(sent.signature))


def policy_show(ctx: Context, repo: RepoAddress, index: int) -> Policy:
    """Gives one policy.

    Raises:
        AccountMissing: there is none of this index.
    """
    target = find_repo(ctx, repo)
    account = target.policy(index)
    return show_policy(
        account, find_policy_pda(target.address, index, ctx.program_id)[0]
    )


def policy_list(ctx: Context, repo: RepoAddress) -> PolicyList:
    """Lists a repository's policies and which branches use them next."""
    target = find_repo(ctx, repo)
    policies = [
        policy_show(ctx, repo, index) for index in range(target.account.policy_count)
    ]
    used: dict[int, list[str]] = {}
    for branch in ctx.chain.branches(target.address):
        used.setdefault(branch.policy_index, []).append(branch.name)
    by_index = {index: tuple(sorted(names)) for index, names in sorted(used.items())}
    return PolicyList(repo, tuple(policies), by_index)


def policy_use(ctx: Context, repo: RepoAddress, branch: str, index: int) -> PolicyUsed:
    """Names the policy of a branch's next round; a live round keeps its own.

    Raises:
        AccountMissing: there is no such branch.
        ProgramRefused: the wallet may not, or there is no such policy.
    """
    target = find_repo(ctx, repo)
    place = target.branch(branch)
    previous = place.account.policy_index
    if previous == index:
        return PolicyUsed(repo, branch, index, previous, None)
    sent = ctx.send(
        [
            branch_set_policy(
                actor=ctx.wallet.address,
                repo=target.address,
                branch=place.address,
                policy_index=index,
                role=target.right(Scope.ADMINISTER, place.address),
                program_id=ctx.program_id,
            )
        ]
    )
    return PolicyUsed(repo, branch, index, previous, str(sent.signature))
