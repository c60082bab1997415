"""Routes of the API; what they give is in `endpoints`."""

import re
from importlib.metadata import version
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify
from flask import request as asked

from flair_client.cli.jsonable import to_json
from flair_indexer import queries
from flair_web.api.endpoints import ENDPOINTS, Endpoint, Query
from flair_web.api.openapi import openapi
from flair_web.pages import look, number_asked
from flair_web.site import site

API = Blueprint("api", __name__, url_prefix="/api/v1")
_OWN: Final = "/openapi.json"


@API.get(_OWN)
def description() -> Response:
    """The API's own description."""
    return jsonify(openapi(site().settings.origin, version("flair-hub")))


def _add(endpoint: Endpoint) -> None:
    def view(**parts: Any) -> Response:
        values = parts | {one.name: _asked(one) for one in endpoint.query}
        with look() as source:
            found = {
                "mirror": to_json(queries.freshness(source)),
                "data": to_json(endpoint.gather(source, values)),
            }
        return jsonify(found)

    API.add_url_rule(endpoint.path, endpoint.name, view, methods=["GET"])


def _asked(one: Query) -> Any:
    if one.pattern is None:
        return number_asked(one.name)
    text = asked.args.get(one.name)
    # `$` of Python would let a line's end behind it through.
    if text is not None and re.fullmatch(one.pattern.removesuffix("$"), text) is None:
        abort(400, f"{one.name} is not of its form")
    return text


for _endpoint in ENDPOINTS:
    _add(_endpoint)
