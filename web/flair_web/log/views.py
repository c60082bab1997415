"""A repository's history as a graph, a page at a time."""

from flask import Blueprint, abort

from flair_client.ids import Address
from flair_web.log.page import charts, log_page, picture
from flair_web.pages import look, number_asked, render, the_repo

LOG = Blueprint("log", __name__, template_folder="templates")


@LOG.get("/<address:creator>/<name:name>/log", defaults={"branch": None})
@LOG.get("/<address:creator>/<name:name>/log/<name:branch>")
def index(creator: Address, name: str, branch: str | None) -> str:
    """A history, of one branch or of all."""
    with look() as source:
        repo = the_repo(source, creator, name)
        page = log_page(source, repo, branch, number_asked("before"))
        if page is None:
            abort(404, "this repository has no branch of this name")
        drawn, room = picture(page.commits) if page.commits else ("", 2)
        return render(
            "log/index.html",
            source,
            repo=repo,
            branches=page.branches,
            page=page,
            picture=drawn,
            room=room,
            charts=charts(page),
            tab="log",
        )
