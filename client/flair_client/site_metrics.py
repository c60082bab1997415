"""Metrics: which way is better, summed up over sites, and along a line of commits.

Pure functions of what commits say. Counts are the buckets that commits carry.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flair_client.ids import Address, CommitId

# Whole words of names whose smaller value is the better one; others grow with quality.
_LOWER: Final = frozenset(
    (
        *("loss", "losses", "error", "errors", "err", "mse", "rmse", "mae"),
        *("brier", "ece", "perplexity", "ppl", "nll", "distance", "deviance"),
        *("regret", "wer", "cer", "fid"),
    )
)
# Beyond it sums could leave the range of a float; no metric means anything there.
_MAX_VALUE: Final = 1e100


@dataclass(frozen=True, slots=True)
class SiteMetrics:
    """What one site states.

    Attributes:
        contributor: who, or the key that acted for it.
        samples: the bucket of rows; None where it states none.
        metrics: by name.
    """

    contributor: Address
    samples: int | None
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric over the sites of a merge.

    Attributes:
        name: of the metric.
        lower_is_better: by its name.
        n_sites: that state it.
        n_samples: sum of the buckets of those that state one.
        mean: weighted by the buckets, plain where a site states none.
        worst: smallest value, or largest where lower is better.
        worst_site: whose it is.
        spread: largest less smallest value.
    """

    name: str
    lower_is_better: bool
    n_sites: int
    n_samples: int
    mean: float
    worst: float
    worst_site: Address
    spread: float


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One number of a series.

    Attributes:
        round_index: of a merge; None for other commits.
    """

    commit: CommitId
    round_index: int | None
    value: float


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One metric over commits.

    Attributes:
        source: `commits` for what commits of the line state themselves, `sites` for the
            mean of what the updates of merges state, else the data that it was measured
            on here.
        lower_is_better: by the metric's name.
        points: oldest first.
    """

    name: str
    source: str
    lower_is_better: bool
    points: tuple[MetricPoint, ...]


@dataclass(frozen=True, slots=True)
class MetricEffect:
    """What a commit did to a metric.

    Attributes:
        source: as in `MetricSeries`.
        before: of its first parent, for `sites` of the merge before; None where it is
            not known.
        after: of the commit.
    """

    name: str
    source: str
    lower_is_better: bool
    before: float | None
    after: float


def is_lower_better(name: str) -> bool:
    """Whether a smaller value of a metric is the better one, by the words of its name.

    `log_loss`, `val/mse` and `TestError` are; `auc`, `accuracy` and `glossary` are not.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return any(word.lower() in _LOWER for word in re.split(r"[^A-Za-z0-9]+", spaced))


def summarise(sites: Sequence[SiteMetrics]) -> tuple[MetricSummary, ...]:
    """Sums the sites' metrics up, in order of the names.

    The result depends on the values alone, not on the order of the sites.

    Args:
        sites: at most one of each contributor; values that are no number, or beyond
            1e100, are left out.
    """
    names = sorted({name for site in sites for name in site.metrics})
    made = (_summary(name, sites) for name in names)
    return tuple(one for one in made if one is not None)


def _summary(name: str, sites: Sequence[SiteMetrics]) -> MetricSummary | None:
    stated = [
        (site.metrics[name], site)
        for site in sites
        if abs(site.metrics.get(name, math.nan)) <= _MAX_VALUE
    ]
    if not stated:
        return None
    lower = is_lower_better(name)
    values = [value for value, _ in stated]
    counts = [site.samples for _, site in stated if site.samples]
    n_samples = sum(counts)
    if len(counts) == len(stated):
        terms = [value * (site.samples or 0) for value, site in stated]
        mean = math.fsum(terms) / n_samples
    else:
        mean = math.fsum(values) / len(values)
    worst = max(values) if lower else min(values)
    worst_site = min(site.contributor for value, site in stated if value == worst)
    return MetricSummary(
        name,
        lower,
        len(stated),
        n_samples,
        mean,
        worst,
        worst_site,
        max(values) - min(values),
    )
