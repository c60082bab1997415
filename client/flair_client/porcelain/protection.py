"""Noise and budget of an update; used by verbs, no verb itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.context import Context
from flair_client.errors import UsageError, WorkspaceError
from flair_client.ids import CommitId
from flair_client.names import is_name
from flair_client.objects import Commit, Manifest
from flair_client.porcelain.terms import Terms
from flair_client.porcelain.update_delta import is_sent
from flair_client.privacy.ledger import Charge, charge_source, check_budget
from flair_client.privacy.plan import NoisePlan, plan_noise

DEFAULT_DELTA: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyAsked:
    """What the contributor asks of one update.

    Attributes:
        epsilon: privacy loss that it may have.
        delta: probability that it is larger.
    """

    epsilon: float
    delta: float = DEFAULT_DELTA


@dataclass(frozen=True, slots=True)
class Budget:
    """What a data source may give away, all updates together.

    Attributes:
        max_epsilon: the smaller of the user's and the site's.
        delta: at which it is counted, whatever single updates state.
    """

    max_epsilon: float
    delta: float


def budget_of(ctx: Context) -> Budget:
    """Gives the budget that each data source has here."""
    limit, delta = ctx.site.max_epsilon, ctx.site.max_delta
    return Budget(
        ctx.max_epsilon if limit is None else min(ctx.max_epsilon, limit),
        DEFAULT_DELTA if delta is None else min(delta, DEFAULT_DELTA),
    )


def plan_protection(
    ctx: Context,
    terms: Terms,
    manifest: Manifest,
    *,
    source: str | None,
    asked: PrivacyAsked | None,
) -> NoisePlan | None:
    """Finds the noise of an update; None where none is asked for.

    Args:
        ctx: with the site's rules and the user's folder.
        terms: of the update.
        manifest: of its base.
        source: the data behind it.
        asked: by the contributor.

    Raises:
        UsageError: noise is required and nobody said how much, or of which data.
        SiteRefused: delta is above the site's.
        BudgetSpent: the data source has no budget left for it.
        Refused: the policy's norm bound has no room for the noise.
    """
    if asked is None:
        if terms.policy.params.dp_rule:
            raise UsageError("the policy requires noise, and no epsilon is given")
        return None
    if source is None:
        raise UsageError("an update with noise needs the name of its data source")
    ctx.site.check_delta(asked.delta)
    plan = plan_noise(
        terms.policy.params,
        sum(
            entry.n_values
            for entry in manifest.tensors
            if is_sent(entry.role, is_statistics=terms.is_statistics)
        ),
        epsilon=asked.epsilon,
        delta=asked.delta,
    )
    budget = budget_of(ctx)
    check_budget(
        _ledgers(ctx),
        source,
        plan.noise_multiplier,
        max_epsilon=budget.max_epsilon,
        delta=budget.delta,
    )
    return plan


def charge_for(
    ctx: Context, commit_id: CommitId, commit: Commit, repo: str, source: str | None
) -> None:
    """Writes an update with noise into the ledger; to be called before it leaves.

    An update that is there already is not counted twice. One without noise is none of
    the ledger's business.

    Raises:
        BudgetSpent: the data source has no budget left for it.
        RecordDamaged: the ledger was changed.
        WorkspaceError: it is not known of which data the update is.
    """
    privacy = commit.privacy
    if privacy is None or privacy.epsilon is None:
        return
    if source is None or privacy.noise_multiplier is None:
        raise WorkspaceError("it is not known which data source the update is of")
    budget = budget_of(ctx)
    charge_source(
        _ledgers(ctx),
        source,
        Charge(
            commit=commit_id,
            repo=repo,
            branch=commit.branch,
            round_index=commit.round_index or 0,
            noise_multiplier=privacy.noise_multiplier,
            epsilon=privacy.epsilon,
            delta=privacy.delta or 0.0,
            time=ctx.now(),
        ),
        max_epsilon=budget.max_epsilon,
        delta=budget.delta,
    )


def source_of(trained: Mapping[str, Any]) -> str | None:
    """Gives the data source of a marker, where it names one.

    Raises:
        WorkspaceError: the marker was damaged.
    """
    source = trained.get("source")
    if source is not None and not (isinstance(source, str) and is_name(source)):
        raise WorkspaceError("the marker of the training is damaged: its data source")
    return source


def _ledgers(ctx: Context) -> Path:
    if ctx.home is None:
        raise WorkspaceError("there is no folder for the ledger of privacy losses")
    return ctx.home
