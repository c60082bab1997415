"""A commit's page."""

from flask import Blueprint, abort
from markupsafe import Markup

from flair_client.ids import Address, CommitId
from flair_client.page.charts import bar
from flair_web.commit.page import CommitPage, commit_page
from flair_web.pages import Link, action, look, render, the_repo
from flair_web.site import site

COMMIT = Blueprint("commit", __name__, template_folder="templates")


@COMMIT.get("/<address:creator>/<name:name>/commit/<commit:commit_id>")
def index(creator: Address, name: str, commit_id: CommitId) -> str:
    """A commit."""
    with look() as source:
        repo = the_repo(source, creator, name)
        page = commit_page(source, site().store, repo, commit_id)
        if page is None:
            abort(404, "this repository never had such a commit, or not yet")
        return render(
            "commit/index.html",
            source,
            repo=repo,
            page=page,
            bar=drawn_bar,
            actions=_actions(page),
        )


def drawn_bar(share: float) -> Markup:
    """Gives a small bar beside a number."""
    return Markup(bar(share))  # noqa: S704 - nothing but numbers


def _actions(page: CommitPage) -> list[Link]:
    if page.commit is None or page.commit.kind != "merge":
        return []
    found = []
    for one in page.branches:
        if one.name == page.commit.branch and page.moves:
            found += action(
                "revert",
                f"Revert on {one.name}",
                page.repo,
                branch=one.name,
                commit=page.commit_id,
                head=one.head_commit,
            )
    return found
