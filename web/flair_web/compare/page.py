"""What the comparison of two commits shows."""

from dataclasses import dataclass

from sqlalchemy import Connection

from flair_client.ids import CommitId
from flair_client.objects import Commit
from flair_client.store.base import Store
from flair_indexer import queries
from flair_indexer.views import BranchView, RepoView
from flair_web.blocks import Unread, commit_at
from flair_web.changes import Changes, changes_between

_MIN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class MetricPair:
    """A metric in both commits."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Two commits.

    Attributes:
        asked: what was asked for, as it was written.
        ids: the commits that are meant; None where none is, or several are.
        changes: from the first to the second; None where one of them is not here, or
            has no weights.
        why: why nothing is compared, in words.
    """

    repo: RepoView
    branches: tuple[BranchView, ...]
    asked: tuple[str, str]
    ids: tuple[CommitId | None, CommitId | None]
    metrics: tuple[MetricPair, ...]
    changes: Changes | Unread | None
    why: str | None


def compare_page(
    source: Connection, store: Store, repo: RepoView, asked: tuple[str, str]
) -> ComparePage:
    """Gathers a comparison.

    Args:
        source: the look.
        store: of the blocks.
        repo: that both commits are of.
        asked: branches, ids, or at least six digits of an id.
    """
    branches = tuple(queries.branches(source, repo.repo))
    ids = (
        _meant(source, repo, branches, asked[0]),
        _meant(source, repo, branches, asked[1]),
    )
    if not any(asked):
        return ComparePage(repo, branches, asked, ids, (), None, None)
    for text, one in zip(asked, ids, strict=True):
        if one is None:
            why = f"no single commit of this repository is called {text[:80]!r}"
            return ComparePage(repo, branches, asked, ids, (), None, why)
    return _compared(store, ComparePage(repo, branches, asked, ids, (), None, None))


def _meant(
    source: Connection,
    repo: RepoView,
    branches: tuple[BranchView, ...],
    text: str,
) -> CommitId | None:
    for one in branches:
        if one.name == text:
            return one.head_commit if any(one.head_commit.raw) else None
    digits = text.lower()
    if not _MIN_DIGITS <= len(digits) <= 64 or set(digits) - set("0123456789abcdef"):
        return None
    start = bytes.fromhex(digits[: len(digits) // 2 * 2])
    found = {
        one.commit_id
        for one in queries.commits_from(source, start)
        if one.repo == repo.repo and str(one.commit_id).startswith(digits)
    }
    if not found and len(digits) == 64:
        pushed = queries.updates_of(source, CommitId.parse(digits))
        found = {one.commit_id for one in pushed if one.repo == repo.repo}
    return found.pop() if len(found) == 1 else None


def _compared(store: Store, page: ComparePage) -> ComparePage:
    both: list[Commit] = []
    for one in page.ids:
        commit = Unread("missing", "") if one is None else commit_at(store, one)
        if isinstance(commit, Unread):
            return _with(page, changes=commit)
        both.append(commit)
    before, after = both
    names = sorted({*(before.metrics or {}), *(after.metrics or {})})
    metrics = tuple(
        MetricPair(n, (before.metrics or {}).get(n), (after.metrics or {}).get(n))
        for n in names
    )
    if before.weights is None or after.weights is None:
        return _with(page, metrics=metrics, why="an update has no weights of its own")
    found = changes_between(store, before.weights, after.weights)
    return _with(page, metrics=metrics, changes=found)


def _with(
    page: ComparePage,
    *,
    metrics: tuple[MetricPair, ...] = (),
    changes: Changes | Unread | None = None,
    why: str | None = None,
) -> ComparePage:
    return ComparePage(
        page.repo, page.branches, page.asked, page.ids, metrics, changes, why
    )
