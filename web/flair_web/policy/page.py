"""What pages say about policies."""

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from flair_client.chain.accounts import PolicyParams
from flair_client.cli.types import (
    duration_text,
    least_to_most,
    sol_text,
    votes_text,
)
from flair_client.ids import Address, Digest
from flair_client.porcelain.policy import strategy_text
from flair_indexer import queries
from flair_indexer.views import BranchView, PolicyView, RepoView

_ETA_ONE = 1 << 24


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """A policy, and who goes by it.

    Attributes:
        facts: its rules in words, in the order in which people read them.
        used_by: names of the branches whose next round it rules.
    """

    policy: PolicyView
    facts: tuple[tuple[str, str], ...]
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoliciesPage:
    """Policies of a repository, newest first."""

    repo: RepoView
    policies: tuple[PolicyShown, ...]
    branches: tuple[BranchView, ...]


def policies_page(source: Connection, repo: RepoView) -> PoliciesPage:
    """Gathers the policies of a repository."""
    branches = tuple(queries.branches(source, repo.repo))
    found = queries.policies(source, repo.repo)
    return PoliciesPage(
        repo, tuple(shown_policy(one, branches) for one in found), branches
    )


def shown_policy(
    policy: PolicyView, branches: tuple[BranchView, ...] = ()
) -> PolicyShown:
    """Gives a policy in words."""
    used_by = tuple(
        one.name for one in branches if one.policy_index == policy.policy_index
    )
    return PolicyShown(policy, policy_facts(policy), used_by)


def params_of(policy: PolicyView) -> PolicyParams:
    """Gives the exact numbers of a policy."""
    values: dict[str, Any] = dict(policy.params)
    values["strategy_params"] = bytes.fromhex(values["strategy_params"])
    values["verifying_key"] = Address.parse(values["verifying_key"])
    values["recipe_digest"] = Digest.parse(values["recipe_digest"])
    return PolicyParams(**values)


def policy_facts(policy: PolicyView) -> tuple[tuple[str, str], ...]:
    """Gives the rules of a policy in words."""
    params = params_of(policy)
    noise = "required" if params.dp_rule else "none: a single update can be read"
    bound = math.sqrt(params.norm_bound_sq) * 2.0**params.scale_exp
    votes = votes_text(params.approvals_needed, params.attestations_needed)
    rows: tuple[tuple[str, str], ...] = (
        ("Contributors", "invited" if params.contribute else "anyone"),
        ("Mode", "public" if params.mode == 0 else f"number {params.mode}"),
        ("Privacy noise", noise),
        ("Updates of a round", least_to_most(params.min_updates, params.max_updates)),
        ("Round length", duration_text(params.round_length_s)),
        ("Merge grace", duration_text(params.merge_grace_s)),
        ("Challenge", duration_text(params.challenge_s)),
        ("A merge needs", votes or "nobody's vote"),
        ("Strategy", strategy_text(params)),
        ("Server rate", f"{params.eta_q24 / _ETA_ONE:.8g}"),
        ("Longest update", f"{bound:.6g}"),
        ("Resolution", f"{params.bits} bits in units of 2^{params.scale_exp}"),
        ("Values", f"{params.n_params:,}"),
        ("Weight cap", str(params.weight_cap)),
        ("Deposit", sol_text(params.deposit_lamports)),
    )
    if params.max_epochs:
        rows += (("Most epochs", str(params.max_epochs)),)
    if params.max_batch_size:
        rows += (("Largest batch", str(params.max_batch_size)),)
    return rows
