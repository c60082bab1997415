"""How well the site is: for people and for proxies."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from flair_indexer import queries
from flair_web.health.page import health_page
from flair_web.pages import look, render
from flair_web.site import site

HEALTH = Blueprint("health", __name__, template_folder="templates")


@HEALTH.get("/health")
def index() -> str:
    """How far the mirror is, and whether its roots are those of the accounts."""
    own = site()
    with look() as source:
        page = health_page(
            source,
            now=own.now(),
            behind_s=own.settings.behind_s,
            network=own.settings.network,
        )
        return render("health/index.html", source, page=page)


@HEALTH.get("/healthz")
def alive() -> ResponseReturnValue:
    """Whether the database can be read; a proxy asks often, so that it is all."""
    with look() as source:
        fresh = queries.freshness(source)
    return jsonify({"ok": True, "mirror": fresh is not None})
