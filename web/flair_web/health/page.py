"""What the page of health shows."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from flair_indexer import queries
from flair_indexer.views import Progress


@dataclass(frozen=True, slots=True)
class HealthPage:
    """How far the mirror is.

    Attributes:
        state: `ok`; `behind` where the indexer was not seen lately; `different` where a
            repository is not what its account says; `empty` before an indexer began.
        progress: None before an indexer began.
        seen_s: seconds since the last comparison with the accounts; None before.
        genesis_hash: of the cluster that is mirrored.
    """

    state: Literal["ok", "behind", "different", "empty"]
    progress: Progress | None
    seen_s: int | None
    network: str
    behind_repos: tuple[str, ...]
    different_repos: tuple[str, ...]


def health_page(
    source: Connection, *, now: int, behind_s: int, network: str
) -> HealthPage:
    """Gathers how far the mirror is."""
    found = queries.progress(source)
    if found is None:
        return HealthPage("empty", None, None, network, (), ())
    listed = [*found.behind[:50], *found.different[:50]]
    names = queries.repo_names(source, listed)
    told = {key: "/".join(map(str, pair)) for key, pair in names.items()}
    seen = None if found.reconciled_at is None else max(now - found.reconciled_at, 0)
    state: Literal["ok", "behind", "different"] = "ok"
    if found.different:
        state = "different"
    elif seen is None or seen > behind_s:
        state = "behind"
    return HealthPage(
        state,
        found,
        seen,
        network,
        tuple(told.get(one, str(one)) for one in found.behind[:50]),
        tuple(told.get(one, str(one)) for one in found.different[:50]),
    )
