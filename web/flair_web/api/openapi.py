"""The API's own description, from the same list that makes the API."""

import re
from collections.abc import Mapping
from typing import Any, Final

from flair_client.cli.jsonable import json_schema
from flair_indexer.views import Freshness
from flair_web.api.endpoints import ENDPOINTS, MAX_NUMBER, Endpoint, Query

_PARTS: Final[Mapping[str, dict[str, Any]]] = {
    "address": {"type": "string", "pattern": "^[1-9A-HJ-NP-Za-km-z]{32,44}$"},
    "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
    "commit": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "number": {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER},
}
_PART: Final = re.compile(r"<(\w+):(\w+)>")
_FAULT: Final = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
            },
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}
_FAULTS: Final = {
    "400": "a value of the query string is not of its form",
    "404": "there is no such thing, or not here yet",
    "429": "too many requests",
    "500": "something is wrong on our side",
    "503": "the database or the store does not answer",
}


def openapi(origin: str, version: str) -> dict[str, Any]:
    """Gives the description.

    Args:
        origin: where the API is.
        version: of Flair.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flair",
            "version": version,
            "description": "Everything that the pages show; nothing is changed here. "
            "Addresses are base58, ids and digests hexadecimal, times seconds since "
            "1970. `mirror` says how new the data is.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": origin}],
        "paths": {path_of(one): {"get": _operation(one)} for one in ENDPOINTS},
    }


def path_of(endpoint: Endpoint) -> str:
    """Gives an endpoint's path as OpenAPI writes it."""
    return "/api/v1" + _PART.sub(r"{\2}", endpoint.path)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": _PARTS[kind]}
        for kind, name in _PART.findall(endpoint.path)
    ]
    given = {
        "type": "object",
        "properties": {
            "mirror": json_schema(Freshness | None),
            "data": json_schema(endpoint.gives),
        },
        "required": ["mirror", "data"],
    }
    return {
        "operationId": endpoint.name,
        "summary": endpoint.help,
        "parameters": [*parts, *map(_query, endpoint.query)],
        "responses": {
            "200": _answer(endpoint.help, given),
            **{code: _answer(words, _FAULT) for code, words in _FAULTS.items()},
        },
    }


def _query(one: Query) -> dict[str, Any]:
    schema = _PARTS["number"]
    if one.pattern is not None:
        schema = {"type": "string", "pattern": one.pattern}
    return {"name": one.name, "in": "query", "description": one.help, "schema": schema}


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": words,
        "content": {"application/json": {"schema": schema}},
    }
