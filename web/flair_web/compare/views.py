"""Two commits beside each other."""

from flask import Blueprint
from flask import request as asked

from flair_client.ids import Address
from flair_web.commit.views import drawn_bar
from flair_web.compare.page import compare_page
from flair_web.pages import look, render, the_repo
from flair_web.site import site

COMPARE = Blueprint("compare", __name__, template_folder="templates")


@COMPARE.get("/<address:creator>/<name:name>/compare")
def index(creator: Address, name: str) -> str:
    """What changed from one commit to another."""
    with look() as source:
        repo = the_repo(source, creator, name)
        page = compare_page(source, site().store, repo, both_asked())
        return render(
            "compare/index.html",
            source,
            repo=repo,
            page=page,
            bar=drawn_bar,
            tab="compare",
        )


def both_asked() -> tuple[str, str]:
    """Gives what the query string names."""
    return asked.args.get("a", "")[:100], asked.args.get("b", "")[:100]
