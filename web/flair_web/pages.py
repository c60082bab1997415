"""What every page does: one look, what its address names, what is stale about it."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import abort, current_app, render_template, url_for
from flask import request as asked
from sqlalchemy import Connection

from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.views import BranchView, Freshness, RepoView
from flair_web.filters import span_text
from flair_web.site import site

_STATES: Final = {
    "behind": "Events of this repository are missing here: it is behind the chain",
    "different": (
        "What is shown differs from the repository's account on chain; believe "
        "`flair verify` and not this page"
    ),
    "unknown": "This repository was not compared with its account on chain yet",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a reader must know before the page itself."""

    kind: Literal["bad", "unsure"]
    text: str


@contextlib.contextmanager
def look() -> Iterator[Connection]:
    """One consistent look at the mirror, for a whole page."""
    with site().database.reading() as connection:
        yield connection


def the_repo(source: Connection, creator: Address, name: str) -> RepoView:
    """Gives the repository that an address names; without one there is no page."""
    found = queries.repo_named(source, creator, name)
    if found is None:
        abort(404, "no repository of this wallet has this name, or not yet")
    return found


def the_branch(source: Connection, repo: RepoView, name: str) -> BranchView:
    """Gives the branch that a page's address names; without one there is no page."""
    found = queries.branch_named(source, repo.repo, name)
    if found is None:
        abort(404, "this repository has no branch of this name")
    return found


def notices(
    fresh: Freshness | None, repo: RepoView | None, branches: Sequence[BranchView] = ()
) -> list[Notice]:
    """Gives what is stale or wrong about what a page shows; nothing is hidden."""
    found = []
    if fresh is None or fresh.reconciled_at is None:
        found.append(Notice("unsure", "The indexer has not compared anything yet"))
    else:
        late = site().now() - fresh.reconciled_at
        if late > site().settings.behind_s:
            words = f"The indexer was last seen {span_text(late)} ago: newer events"
            found.append(Notice("unsure", f"{words} may be missing here"))
    if repo is not None and repo.state in _STATES:
        kind: Literal["bad", "unsure"]
        kind = "bad" if repo.state == "different" else "unsure"
        found.append(Notice(kind, _STATES[repo.state]))
    for one in branches:
        if one.head_state == "invalid":
            shown = "no commit before it is valid"
            if one.valid_head is not None:
                shown = f"{one.valid_head.short} before it is shown as the model"
            words = f"The head of branch {one.name} is invalid: {one.fault}; {shown}"
            found.append(Notice("bad", words))
        elif one.head_state == "missing":
            words = f"Blocks of the head of branch {one.name} are in no store"
            found.append(Notice("unsure", f"{words}: it could not be checked"))
    return found


def render(
    template: str,
    source: Connection,
    *,
    repo: RepoView | None = None,
    branches: Sequence[BranchView] = (),
    actions: Sequence["Link"] = (),
    **values: Any,
) -> str:
    """Renders a page, with what is stale about it on top.

    Args:
        template: its file.
        source: the look that it comes from.
        repo: whose page it is.
        branches: whose heads it shows.
        actions: what can be signed here.
        values: of the template.
    """
    told = notices(queries.freshness(source), repo, branches)
    return render_template(
        template, notices=told, repo=repo, actions=actions, now=site().now(), **values
    )


@dataclass(frozen=True, slots=True)
class Link:
    """Something that a reader may do next."""

    label: str
    href: str
    name: str


def action(name: str, label: str, repo: RepoView, **fields: object) -> list[Link]:
    """Gives the link to an action's form, where this site signs; else nothing.

    Args:
        name: of the action.
        label: on the button.
        repo: that it is about.
        fields: of its form that are known here.
    """
    if "signing" not in current_app.blueprints:
        return []
    given: dict[str, Any] = {key: str(value) for key, value in fields.items()}
    given["repo"] = f"{repo.creator}/{repo.name}"
    return [Link(label, url_for("signing.page", name=name, **given), name)]


def shown_valid(branch: BranchView) -> Any:
    """Gives the commit that a branch's model is: its head, or the last valid one."""
    if branch.head_state == "invalid":
        return branch.valid_head
    return branch.head_commit if any(branch.head_commit.raw) else None


def number_asked(name: str) -> int | None:
    """Gives a number of the query string; what is none ends the request."""
    text = asked.args.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        abort(400, f"{name} is a whole number")
    return int(text)
