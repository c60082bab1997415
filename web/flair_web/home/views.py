"""The first page, and searching."""

from flask import Blueprint
from flask import request as asked

from flair_web.home.page import found_page, home_page
from flair_web.pages import Link, look, render

HOME = Blueprint("home", __name__, template_folder="templates")
_ACTIONS = (
    Link("Create a repository", "/actions/repo_create", "repo_create"),
    Link("Join by an invite", "/actions/invite_redeem", "invite_redeem"),
)


@HOME.get("/")
def index() -> str:
    """The first page."""
    with look() as source:
        page = home_page(source)
        return render("home/index.html", source, page=page, actions=_ACTIONS)


@HOME.get("/search")
def search() -> str:
    """What a text finds."""
    text = asked.args.get("q", "").strip()[:100]
    with look() as source:
        page = found_page(source, text, asked.args.get("after"))
        return render("home/search.html", source, page=page, query=text)
