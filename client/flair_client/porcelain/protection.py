"""Noise and budget of an update; used by verbs, no verb itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.context import Context
from flair_client.errors import UsageError, WorkspaceError
from flair_client.ids import CommitId
from flair_client.names import is_name
from flair_client.objects import Commit, Manifest, Privacy
from flair_client.porcelain.terms import Terms
from flair_client.porcelain.update_delta import is_sent
from flair_client.privacy.accountant import Mechanism, epsilon_of
from flair_client.privacy.ledger import Charge, charge_source, check_budget
from flair_client.privacy.plan import NoisePlan, plan_noise
from flair_client.site_rules import SiteRules
from flair_client.training.noisy_steps import NoisySteps

DEFAULT_DELTA: Final = 1e-6
_MODE: Final = "public"


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
    return budget_within(ctx.site, ctx.max_epsilon)


def budget_within(site: SiteRules, max_epsilon: float) -> Budget:
    """Gives the budget that each data source has by a setting and a site's rules."""
    limit, delta = site.max_epsilon, site.max_delta
    return Budget(
        max_epsilon if limit is None else min(max_epsilon, limit),
        DEFAULT_DELTA if delta is None else min(delta, DEFAULT_DELTA),
    )


@dataclass(frozen=True, slots=True)
class Protection:
    """How the data behind an update is protected.

    Attributes:
        noise: that the update gets; None where it gets none.
        privacy: what the commit states.
    """

    noise: NoisePlan | None
    privacy: Privacy


def plan_protection(
    ctx: Context,
    terms: Terms,
    manifest: Manifest,
    *,
    source: str | None,
    asked: PrivacyAsked | None,
    noisy_steps: NoisySteps | None = None,
) -> Protection:
    """Finds the noise of an update, and what can be stated of it.

    Noise that is added here covers any change of the data, that of the training's steps
    a single row: where there are both, the former is stated and counted.

    Args:
        ctx: with the site's rules and the user's folder.
        terms: of the update.
        manifest: of its base.
        source: the data behind it.
        asked: by the contributor.
        noisy_steps: that it was trained by.

    Raises:
        UsageError: noise is required and nobody said how much, or of which data.
        SiteRefused: delta is above the site's.
        BudgetSpent: the data source has no budget left for it.
        Refused: the policy's norm bound has no room for the noise.
        ExtraMissing: the accountant's library is not installed.
    """
    budget = budget_of(ctx)
    mechanism: Mechanism
    if asked is not None:
        noise = _plan(ctx, terms, manifest, asked)
        mechanism = noise.noise_multiplier
        stated = noise.statement(_MODE, terms.policy.params.scale_exp)
        planned = Protection(noise, stated)
    elif noisy_steps is not None:
        mechanism = noisy_steps
        planned = Protection(None, _of_steps(noisy_steps, terms, budget.delta))
    elif terms.policy.params.dp_rule:
        raise UsageError("the policy requires noise, and no epsilon is given")
    else:
        return Protection(None, Privacy(mode=_MODE, clip=terms.norm_bound))
    if source is None:
        raise UsageError("an update with noise needs the name of its data source")
    check_budget(
        _ledgers(ctx),
        source,
        mechanism,
        max_epsilon=budget.max_epsilon,
        delta=budget.delta,
    )
    return planned


def _plan(
    ctx: Context, terms: Terms, manifest: Manifest, asked: PrivacyAsked
) -> NoisePlan:
    ctx.site.check_delta(asked.delta)
    return plan_noise(
        terms.policy.params,
        sum(
            entry.n_values
            for entry in manifest.tensors
            if is_sent(entry.role, is_statistics=terms.is_statistics)
        ),
        epsilon=asked.epsilon,
        delta=asked.delta,
    )


def _of_steps(steps: NoisySteps, terms: Terms, delta: float) -> Privacy:
    return Privacy(
        mode=_MODE,
        clip=terms.norm_bound,
        epsilon=epsilon_of((steps,), delta),
        delta=delta,
        accountant=steps.text,
    )


def has_noise(site: SiteRules, privacy: Privacy) -> bool:
    """Whether an update has noise that a site's rules count.

    The noise of steps is the word of the recipe's code: it counts where the site lists
    the recipes that it has looked at.
    """
    if privacy.epsilon is None:
        return False
    return site.recipes is not None or _steps_of(privacy) is None


def _steps_of(privacy: Privacy) -> NoisySteps | None:
    return NoisySteps.parse(privacy.accountant or "")


def charge_for(
    ctx: Context, commit_id: CommitId, commit: Commit, repo: str, source: str | None
) -> None:
    """Writes an update with noise into the ledger; to be called before it leaves.

    An update that is there already is not counted twice. One without noise is none of
    the ledger's business.

    Raises:
        BudgetSpent: the data source has no budget left for it.
        RecordDamaged: the ledger was changed.
        WorkspaceError: it is not known of which data the update is, or how its loss was
            counted.
    """
    privacy = commit.privacy
    if privacy is None or privacy.epsilon is None:
        return
    if source is None:
        raise WorkspaceError("it is not known which data source the update is of")
    steps = _steps_of(privacy)
    if steps is None and privacy.noise_multiplier is None:
        raise WorkspaceError("it is not known what noise the update has")
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
            noisy_steps=steps,
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
