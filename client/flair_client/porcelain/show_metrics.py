"""What a commit did to metrics, beside what it says; used by `show`, no verb itself."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from flair_client.history.graph import read_commit
from flair_client.porcelain.metric_history import effects_of, sites_of
from flair_client.porcelain.metrics_file import Evaluated
from flair_client.porcelain.show import Shown
from flair_client.site_metrics import MetricEffect, MetricSummary
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWithMetrics(Shown):
    """One commit, with what it did to metrics.

    Attributes:
        sites: what the updates of a merge state, summed up.
        effects: of the commit on each metric that is recorded for it.
    """

    sites: tuple[MetricSummary, ...]
    effects: tuple[MetricEffect, ...]


def show_with_metrics(
    store: Store, shown: Shown, evaluations: Iterable[Evaluated] = ()
) -> ShownWithMetrics:
    """Adds what a commit did to metrics to what it says.

    Args:
        store: where commits lie.
        shown: the commit.
        evaluations: of this machine, oldest first.
    """
    commit = read_commit(store, shown.commit)
    return ShownWithMetrics(
        **{one.name: getattr(shown, one.name) for one in fields(shown)},
        sites=sites_of(store, commit),
        effects=effects_of(store, shown.commit, commit, evaluations),
    )
