"""A repository's first page."""

from flask import Blueprint

from flair_client.ids import Address
from flair_web.pages import Link, action, look, render, the_repo
from flair_web.repo.page import RepoPage, repo_page
from flair_web.site import site

REPO = Blueprint("repo", __name__, template_folder="templates")


@REPO.get("/<address:creator>/<name:name>")
def index(creator: Address, name: str) -> str:
    """A repository."""
    with look() as source:
        repo = the_repo(source, creator, name)
        page = repo_page(source, site().store, repo)
        return render(
            "repo/index.html",
            source,
            repo=repo,
            branches=page.branches,
            page=page,
            tab="model",
            actions=_actions(page),
        )


def _actions(page: RepoPage) -> list[Link]:
    found = action("join_request", "Ask to join", page.repo)
    main = page.main
    if main is not None and not main.is_round_live and any(main.head_commit.raw):
        found += action(
            "round_open",
            f"Open round {main.round_index}",
            page.repo,
            branch=main.name,
            round=main.round_index,
        )
    found += action("push", "Push a commit", page.repo)
    return [*found, *action("branch_create", "New branch", page.repo)]
