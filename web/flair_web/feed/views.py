"""An Atom feed of a repository's commits."""

from flask import Blueprint, Response, render_template

from flair_client.ids import Address
from flair_web.log.page import log_page
from flair_web.pages import look, the_repo
from flair_web.site import site

FEED = Blueprint("feed", __name__, template_folder="templates")
_N_SHOWN = 30


@FEED.get("/<address:creator>/<name:name>/feed.atom")
def atom(creator: Address, name: str) -> Response:
    """The newest commits of all branches."""
    with look() as source:
        repo = the_repo(source, creator, name)
        page = log_page(source, repo, limit=_N_SHOWN)
    text = render_template(
        "feed/atom.xml", repo=repo, page=page, origin=site().settings.origin
    )
    return Response(text, content_type="application/atom+xml; charset=utf-8")
