"""What waits for an owner."""

from flask import Blueprint

from flair_client.ids import Address
from flair_web.pages import action, look, render, the_repo
from flair_web.queue.page import queue_page
from flair_web.site import site

QUEUE = Blueprint("queue", __name__, template_folder="templates")


@QUEUE.get("/<address:creator>/<name:name>/queue")
def index(creator: Address, name: str) -> str:
    """What waits for an owner."""
    with look() as source:
        repo = the_repo(source, creator, name)
        page = queue_page(source, repo, site().now())
        return render(
            "queue/index.html",
            source,
            repo=repo,
            branches=page.branches,
            page=page,
            tab="queue",
            action=action,
        )
