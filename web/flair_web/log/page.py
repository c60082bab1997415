"""What a page of a history shows, and its picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import Connection

from flair_client.ids import CommitId
from flair_client.page.charts import Axis, Line, line_chart
from flair_client.page.history_graph import Row, history_picture
from flair_client.page.html import Html
from flair_indexer import queries
from flair_indexer.views import BranchView, CommitView, RepoView

N_SHOWN = 50
_MAX_CHARTS = 4
# The room beside the picture, as the style has classes for it, in rem.
_STEPS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)


@dataclass(frozen=True, slots=True)
class LogPage:
    """A part of a history.

    Attributes:
        branches: of the repository, by name.
        branch: whose line it is; None for all branches together.
        commits: newest first; a commit that several branches stood at, once each.
        next: what `before` of the next page is; None where there is none.
    """

    repo: RepoView
    branches: tuple[BranchView, ...]
    branch: BranchView | None
    commits: tuple[CommitView, ...]
    next: int | None

    def branch_name(self, address: object) -> str:
        """Gives a branch's name."""
        names = (one.name for one in self.branches if one.branch == address)
        return next(names, str(address))

    def heads(self, commit_id: CommitId) -> list[str]:
        """Gives the branches whose head a commit is."""
        return [one.name for one in self.branches if one.head_commit == commit_id]


def log_page(
    source: Connection,
    repo: RepoView,
    branch_name: str | None = None,
    before: int | None = None,
    limit: int = N_SHOWN,
) -> LogPage | None:
    """Gathers a page of a history; None where there is no such branch."""
    branches = tuple(queries.branches(source, repo.repo))
    branch = next((one for one in branches if one.name == branch_name), None)
    if branch_name is not None and branch is None:
        return None
    if branch is None:
        found = queries.history(source, repo.repo, before=before, limit=limit + 1)
    else:
        found = queries.commits(source, branch.branch, before=before, limit=limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        last = shown[-1]
        following = last.event_seq if branch is None else last.head_seq
    return LogPage(repo, branches, branch, tuple(shown), following)


def picture(commits: Sequence[CommitView]) -> tuple[Markup, int]:
    """Gives the graph as SVG, a row a commit, and the room it takes, in rem.

    A branch that began at another's commit has a row of its own, which leads to it.
    """
    last = {one.commit_id: place for place, one in enumerate(commits)}
    rows = []
    for place, one in enumerate(commits):
        key = str(one.commit_id)
        if last[one.commit_id] == place:
            rows.append(_row(one, key, _parents(one)))
        else:
            rows.append(_row(one, f"{key} {place}", (key,)))
    drawn, width = history_picture(rows)
    room = next((step for step in _STEPS if step >= width), _STEPS[-1])
    return Markup(drawn), room  # noqa: S704 - nothing but numbers


def charts(page: LogPage) -> list[Markup]:
    """Gives a line for each metric that a branch's commits state, oldest at the left.

    The table of the page has the same numbers. Branches beside each other are no line.
    """
    if page.branch is None:
        return []
    line = page.commits[::-1]
    values: dict[str, list[tuple[int, float]]] = {}
    for place, one in enumerate(line):
        for name, value in (one.metrics or {}).items():
            values.setdefault(name, []).append((place, value))
    drawn = []
    for name, points in sorted(values.items())[:_MAX_CHARTS]:
        if len(points) > 1:
            axis = Axis(len(line), line[0].commit_id.short, line[-1].commit_id.short)
            figure = line_chart(name, "", [Line(name, tuple(points))], axis)
            drawn.append(Markup(figure))  # noqa: S704 - its texts are escaped
    return drawn


def _is_round(one: CommitView) -> bool:
    return one.kind == "merge" and one.round_index is not None


def _parents(one: CommitView) -> tuple[str, ...]:
    own = one.parents[:1] if _is_round(one) else one.parents
    return tuple(map(str, own))


def _row(one: CommitView, key: str, parents: tuple[str, ...]) -> Row:
    nothing = Html("")
    return Row(
        key=key,
        parents=parents,
        n_side=max(len(one.parents) - 1, 0) if _is_round(one) else 0,
        undoes=None,
        is_hollow=one.kind == "revert" or one.object_state != "present",
        head=nothing,
        below=nothing,
        who=nothing,
        state=nothing,
    )
